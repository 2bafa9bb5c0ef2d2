//! What the handler does, without a gateway.

use hookgate_sdk::outbox::Severity;
use hookgate_sdk::testing::{Bench, Effect};
use hookgate_sdk::{Event, types};
use hookgate_{{crate}}::Plugin;

fn payment(id: &str) -> Event {
    let event = Event::new(id, types::PAYMENT_SUCCEEDED, r#"{"amount":4250}"#);
    Event { subject: Some("cus_1".to_owned()), ..event }
}

#[test]
fn only_the_first_payment_raises_an_alert() {
    let mut bench = Bench::new();

    let first = bench.handle::<Plugin>(&payment("evt_1"));
    let second = bench.handle::<Plugin>(&payment("evt_2"));

    let alert = Effect::Alert(Severity::Info, "the first payment of cus_1".to_owned());
    assert_eq!((first.outcome, first.effects), (Ok(()), vec![alert]));
    assert_eq!((second.outcome, second.effects), (Ok(()), vec![]));
    assert_eq!(bench.state("cus_1", "payments"), Some(&b"2"[..]));
}
