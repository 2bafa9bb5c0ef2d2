//! When the operator hears of a dispute, and how loud.

use hookgate_example_dispute_alert::DisputeAlert;
use hookgate_sdk::outbox::Severity::{self, Critical, Info, Warning};
use hookgate_sdk::testing::{Bench, Effect};
use hookgate_sdk::{Event, Money};

fn alert(bench: &mut Bench, event_type: &str, amount: &str) -> Option<(Severity, String)> {
    let event = Event {
        subject: Some("dp_1".to_owned()),
        money: Money::from_major(amount, "EUR").ok(),
        ..Event::new("evt_1", event_type, r#"{"reason":"fraudulent"}"#)
    };
    let ran = bench.handle::<DisputeAlert>(&event);
    assert_eq!(ran.outcome, Ok(()));
    match ran.effects.into_iter().next()? {
        Effect::Alert(severity, message) => Some((severity, message)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dispute_is_told_when_it_begins_and_when_it_ends() {
    let mut bench = Bench::new();
    let begins = alert(&mut bench, "dispute.opened", "42.50");
    let text = "dp_1 is disputed: 42.50 EUR (fraudulent)";
    assert_eq!(begins, Some((Warning, text.to_owned())));
    assert_eq!(alert(&mut bench, "dispute.opened", "42.50"), None);
    let ends = alert(&mut bench, "dispute.lost", "42.50");
    assert_eq!(ends, Some((Info, "the dispute of dp_1 is lost".to_owned())));
    assert_eq!(bench.state("dp_1", "dispute"), None);
}

#[test]
fn much_money_is_critical_and_so_is_an_unknown_amount() {
    for (amount, expected) in [
        ("999.99", Warning),
        ("1000", Critical),
        ("123456789012345678901234", Critical),
        ("not known", Critical),
    ] {
        let (severity, _) = alert(&mut Bench::new(), "dispute.opened", amount).expect(amount);
        assert_eq!(severity, expected, "{amount}");
    }
    let mut early = Bench::new().with_settings(r#"{"critical_from":10}"#);
    let (severity, _) = alert(&mut early, "dispute.opened", "10.01").expect("an alert");
    assert_eq!(severity, Critical);
}
