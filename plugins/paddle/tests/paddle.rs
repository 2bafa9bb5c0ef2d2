//! Paddle's requests, proven and parsed.

use hookgate_paddle::Paddle;
use hookgate_sdk::testing::send;
use hookgate_sdk::{Provider, Request, provider_tests};

const SECRET: &str = "pdl_ntfset_hookgate_lantern";

provider_tests!(Paddle, |suite| suite.with_payloads(|name, payload| {
    // The object alone, as it stands in `data`.
    let Some(event) = name.strip_prefix("entity.") else { return payload };
    let head = format!(r#"{{"event_id":"evt_1","event_type":"{event}""#);
    format!(r#"{head},"occurred_at":"2026-01-01T00:00:00Z","data":{payload}}}"#)
}));

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"event_id":"evt_1","event_type":"transaction.completed",
        "notification_id":"ntfsimntf_1",
        "data":{"id":"txn_1","custom_data":{"order_id":"L-1001"}}}"#;
    let request = Request::post("/in/paddle", body);
    let event = send::<Paddle>(&request, SECRET, 0).remove(0);
    for (name, value) in [("livemode", "false"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    assert!(event.data.contains(r#""notification_id":"ntfsimntf_1""#), "{}", event.data);
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    let body = r#"{"event_id":"e","event_type":"transaction.completed","data":{"id":"t",
        "currency_code":"EUR",
        "details":{"totals":{"grand_total":"1.5"}},"amount":"900"}}"#;
    assert_eq!(Paddle::parse(&Request::post("/", body)).unwrap()[0].money, None);
}
