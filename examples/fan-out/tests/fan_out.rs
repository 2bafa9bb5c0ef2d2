//! Who gets an event.

use hookgate_example_fan_out::FanOut;
use hookgate_sdk::outbox::Severity;
use hookgate_sdk::testing::{Bench, Effect};
use hookgate_sdk::{Event, labels};

const SETTINGS: &str =
    r#"{"always":["warehouse"],"accounts":{"acct_1":"erp","acct_2":"warehouse"}}"#;

fn bench() -> Bench {
    Bench::new().with_settings(SETTINGS).granting("warehouse")
}

fn receivers(mut bench: Bench, account: &str) -> (Vec<String>, Option<String>) {
    let labels = labels([("account", Some(account.to_owned()))]);
    let event = Event { labels, ..Event::new("evt_1", "payment.succeeded", "{}") };
    let ran = bench.handle::<FanOut>(&event);
    assert_eq!(ran.outcome, Ok(()));
    let (mut receivers, mut alert) = (Vec::new(), None);
    for effect in ran.effects {
        match effect {
            Effect::Send { endpoint, .. } => receivers.push(endpoint),
            Effect::Alert(Severity::Critical, message) => alert = Some(message),
            other => panic!("{other:?}"),
        }
    }
    (receivers, alert)
}

#[test]
fn an_account_has_a_receiver_beside_those_of_all() {
    let granted = || bench().granting("erp");
    assert_eq!(receivers(granted(), "acct_1").0, ["erp", "warehouse"]);
    assert_eq!(receivers(granted(), "acct_2").0, ["warehouse"]);
    assert_eq!(receivers(granted(), "acct_3").0, ["warehouse"]);
}

#[test]
fn an_endpoint_without_a_grant_costs_no_other_its_event() {
    let (receivers, alert) = receivers(bench(), "acct_1");
    assert_eq!(receivers, ["warehouse"]);
    assert_eq!(alert.as_deref(), Some("[handlers.fan-out] must grant erp"));
}
