//! Lemon Squeezy's requests, proven and parsed.

use hookgate_lemonsqueezy::LemonSqueezy;
use hookgate_sdk::testing::send;
use hookgate_sdk::{Event, Provider, Request, provider_tests};

const SECRET: &str = "hookgate-lemon";

provider_tests!(LemonSqueezy);

fn event_of(body: &str) -> Event {
    send::<LemonSqueezy>(&Request::post("/", body), SECRET, 0).remove(0)
}

#[test]
fn custom_data_is_in_the_data_and_ties_the_event_to_the_shop() {
    let body = r#"{"meta":{"event_name":"order_created","test_mode":true,
        "custom_data":{"user_id":"42"}},"data":{"type":"orders","id":"1",
        "attributes":{"store_id":7,"status":"paid","currency":"USD","total":1000}}}"#;
    let event = event_of(body);
    assert!(event.data.contains(r#""envelope":{"test_mode":true,"custom_data":{"user_id":"42"}}"#));
    for (name, value) in [("account", "7"), ("livemode", "false"), ("reference", "42")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    let live = event_of(&body.replace("true", "false"));
    assert_eq!(live.label("livemode"), Some("true"));
}

#[test]
fn two_changes_within_one_second_are_two_events() {
    let updated = |quantity: u32| {
        event_of(&format!(
            r#"{{"meta":{{"event_name":"subscription_updated"}},"data":{{"type":"subscriptions",
                "id":"1","attributes":{{"status":"active","updated_at":"2026-01-01T00:00:00.000000Z",
                "first_subscription_item":{{"id":1,"quantity":{quantity}}}}}}}}}"#
        ))
        .id
    };
    assert_eq!(updated(1), updated(1));
    assert_ne!(updated(1), updated(5));
}

#[test]
fn what_lacks_a_kind_or_a_number_is_an_event_all_the_same() {
    let event = event_of(r#"{"meta":{"event_name":"affiliate_activated"},"data":{"id":7}}"#);
    assert_eq!(
        (&*event.type_, event.subject.as_deref()),
        ("lemonsqueezy.affiliate_activated", Some("7"))
    );
    let event = event_of(r#"{"meta":{"event_name":"affiliate_activated"},"data":null}"#);
    assert_eq!(event.subject, None);
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    let body = r#"{"meta":{"event_name":"order_refunded"},"data":{"id":"1","attributes":{
        "refunded_amount":"1.5","total":900,"currency":"EUR"}}}"#;
    assert_eq!(LemonSqueezy::parse(&Request::post("/", body)).unwrap()[0].money, None);
}
