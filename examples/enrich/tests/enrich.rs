//! What is added to an event, and what stays as it was.

use hookgate_example_enrich::Enrich;
use hookgate_sdk::testing::{Bench, Effect};
use hookgate_sdk::{Event, labels};

fn bench() -> Bench {
    Bench::new().with_settings(r#"{"entities":{"acct_1":"Shop \"GmbH\""}}"#)
}

fn paid(account: &str, data: &str) -> Event {
    let labels = labels([("account", Some(account.to_owned())), ("entity", Some("?".to_owned()))]);
    Event { labels, ..Event::new("evt_1", "payment.succeeded", data) }
}

#[test]
fn the_entity_is_added_and_every_digit_stays() {
    let ran = bench().handle::<Enrich>(&paid("acct_1", r#"{"fee": 1.10}"#));
    let [Effect::Emit(event)] = &ran.effects[..] else { panic!("{ran:?}") };
    assert_eq!(event.type_, "enriched.payment.succeeded");
    assert_eq!(event.data, r#"{"entity":"Shop \"GmbH\"","data":{"fee": 1.10}}"#);
    let labels: Vec<_> = event.labels.iter().map(|(name, it)| (&**name, &**it)).collect();
    assert_eq!(labels, [("account", "acct_1"), ("entity", "Shop \"GmbH\"")]);
}

#[test]
fn an_account_that_is_not_known_is_logged_and_nothing_is_emitted() {
    let ran = bench().handle::<Enrich>(&paid("acct_2", "{}"));
    assert!(ran.outcome.is_ok() && ran.effects.is_empty());
    assert_eq!(ran.log[0].message, "`entities` has no account `acct_2`");
}

#[test]
fn the_longest_type_still_has_an_enriched_one() {
    let event_type = format!("payment.{}", "x".repeat(120));
    let event = Event { type_: event_type, ..paid("acct_1", "{}") };
    let ran = bench().handle::<Enrich>(&event);
    let [Effect::Emit(event)] = &ran.effects[..] else { panic!("{ran:?}") };
    assert_eq!(event.type_.len(), 128);
}
