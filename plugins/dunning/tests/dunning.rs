//! Payments that fail, followed up on.

use hookgate_dunning::Dunning;
use hookgate_sdk::outbox::Severity;
use hookgate_sdk::testing::{Bench, Effect};
use hookgate_sdk::{Event, Money};

fn payment(event_type: &str) -> Event {
    Event {
        subject: Some("pi_hg_kettle_02".to_owned()),
        money: Some(Money::from_minor("4250", "EUR").expect("an amount")),
        labels: vec![("decline_code".to_owned(), "insufficient_funds".to_owned())],
        ..Event::new("evt_hg_0002", event_type, include_str!("../samples/payment.failed.json"))
    }
}

fn alerts(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Alert(..))).count()
}

#[test]
fn a_failure_is_a_notice() {
    let ran = Bench::new().handle::<Dunning>(&payment("payment.failed"));
    let [Effect::Emit(notice)] = &ran.effects[..] else { panic!("{:?}", ran.effects) };
    assert_eq!(notice.type_, "customer.payment_failed_notice");
    assert_eq!(notice.subject.as_deref(), Some("pi_hg_kettle_02"));
    assert_eq!(notice.money.as_ref().unwrap().amount, "42.50");
    assert_eq!(
        notice.data,
        r#"{"failures":1,"event":"evt_hg_0002","decline_code":"insufficient_funds"}"#
    );
}

#[test]
fn the_third_failure_raises_an_alert_and_no_other_does() {
    let mut bench = Bench::new();
    let alerts =
        [1, 2, 3, 4].map(|_| alerts(&bench.handle::<Dunning>(&payment("payment.failed")).effects));
    assert_eq!(alerts, [0, 0, 1, 0]);
    assert_eq!(bench.state("pi_hg_kettle_02", "failures"), Some(&b"4"[..]));
}

#[test]
fn the_operator_says_when() {
    let mut bench = Bench::new().with_settings(r#"{"alert_after":1}"#);
    let ran = bench.handle::<Dunning>(&payment("payment.failed"));
    let message = "payment pi_hg_kettle_02 failed 1 times in a row".to_owned();
    assert_eq!(ran.effects[1], Effect::Alert(Severity::Warning, message));
}

#[test]
fn a_payment_that_succeeds_starts_over() {
    let mut bench = Bench::new();
    for event_type in ["payment.failed", "payment.failed", "payment.succeeded", "payment.failed"] {
        assert!(bench.handle::<Dunning>(&payment(event_type)).outcome.is_ok());
    }
    assert_eq!(bench.state("pi_hg_kettle_02", "failures"), Some(&b"1"[..]));
}

#[test]
fn subjects_are_counted_apart() {
    let mut bench = Bench::new().with_settings(r#"{"alert_after":2}"#);
    for subject in ["a", "b"] {
        let event = Event { subject: Some(subject.to_owned()), ..payment("payment.failed") };
        assert_eq!(alerts(&bench.handle::<Dunning>(&event).effects), 0);
    }
}

#[test]
fn what_is_not_about_failures_is_left_alone() {
    let ran = Bench::new().handle::<Dunning>(&payment("payment.created"));
    assert!(ran.outcome.is_ok() && ran.effects.is_empty());
}

#[test]
fn settings_are_checked() {
    let check = |settings: &str| Bench::new().with_settings(settings).check_handler::<Dunning>();
    assert!(check("{}").is_ok());
    assert!(check(r#"{"alert_after":1}"#).is_ok());
    for settings in [r#"{"alert_after":0}"#, r#"{"alert_after":-1}"#, r#"{"alertAfter":3}"#, "7"] {
        assert!(check(settings).is_err(), "{settings}");
    }
}
