//! Standard Webhooks, proven and parsed.

use hookgate_sdk::testing::{Bench, send, sign};
use hookgate_sdk::{FailureKind, Provider, Request, provider_tests};
use hookgate_standard_webhooks::StandardWebhooks;

const SECRET: &str = "whsec_aG9va2dhdGUgbGFudGVybiBrZXkgMjRi";
const NOW: u64 = 1_767_225_600_000;

fn invoice() -> Request {
    Request::post("/in/billing", include_str!("../samples/invoice.finalized.json"))
}

provider_tests!(StandardWebhooks);

#[test]
fn settings_are_checked() {
    let check =
        |settings: &str| Bench::new().with_settings(settings).check_provider::<StandardWebhooks>();
    assert_eq!(check("{}"), Ok(()));
    assert_eq!(check(r#"{"subject":"/data/customer/id"}"#), Ok(()));
    assert_eq!(check(r#"{"reference":"/data/order","livemode":"/live"}"#), Ok(()));
    for settings in [
        r#"{"subject":"data.id"}"#,
        r#"{"subject":""}"#,
        r#"{"account":"data.shop"}"#,
        r#"{"key":1}"#,
    ] {
        assert!(check(settings).is_err(), "{settings}");
    }
}

#[test]
fn an_event_keeps_the_names_of_its_sender() {
    let mut request = invoice();
    request.set_header("webhook-id", "msg_hg_01");
    let events = send::<StandardWebhooks>(&request, SECRET, NOW);
    assert_eq!(events[0].id, "msg_hg_01");
    assert_eq!(events[0].type_, "invoice.finalized");
    assert_eq!(events[0].subject.as_deref(), Some("inv_hg_01"));
    assert_eq!(events[0].time, Some(NOW + 125));
    assert!(events[0].data.starts_with('{') && events[0].data.contains("42.50"));
}

#[test]
fn an_id_may_be_as_long_as_a_header_and_is_the_same_for_a_retry() {
    let event = |id: &str| {
        let mut request = invoice();
        request.set_header("webhook-id", id);
        send::<StandardWebhooks>(&request, SECRET, NOW)[0].id.clone()
    };
    let (one, other) = ("x".repeat(1024), format!("{}y", "x".repeat(1023)));
    assert_eq!(event(&"x".repeat(255)), "x".repeat(255));
    assert_eq!(event(&one), event(&one));
    assert_ne!(event(&one), event(&other));
}

#[test]
fn the_subject_is_where_the_operator_says() {
    let signed = sign::<StandardWebhooks>(&invoice(), SECRET, NOW);
    let bench = Bench::new().with_settings(r#"{"subject":"/data/customer/id"}"#);
    let events = bench.call(|| StandardWebhooks::parse(&signed)).unwrap();
    assert_eq!(events[0].subject.as_deref(), Some("cus_hg_mara"));
}

#[test]
fn a_request_without_an_id_gets_one_of_its_body() {
    let ids = [invoice(), invoice(), Request::post("/", "{}")].map(|request| {
        let signed = sign::<StandardWebhooks>(&request, SECRET, NOW);
        signed.header("webhook-id").unwrap().to_owned()
    });
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

#[test]
fn a_request_keeps_its_family_of_headers() {
    let mut request = invoice();
    request.set_header("svix-id", "msg_hg_02");
    let signed = sign::<StandardWebhooks>(&request, SECRET, NOW);
    assert_eq!(signed.header("svix-timestamp"), Some("1767225600"));
    assert_eq!(signed.header("webhook-signature"), None);
}

#[test]
fn a_body_that_is_no_json_is_a_permanent_failure() {
    for body in ["lantern", ""] {
        let signed = sign::<StandardWebhooks>(&Request::post("/", body), SECRET, NOW);
        let failure = StandardWebhooks::parse(&signed).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Permanent, "{body}");
    }
}

#[test]
fn whatever_a_sender_calls_its_event_it_is_one() {
    for (body, type_, label) in [
        (r#"{"type":"user.created"}"#, "user.created", None),
        (r#"{"event_type":"user.created"}"#, "user.created", None),
        (r#"{"type":"user/created"}"#, "user.created", Some("user/created")),
        (r#"{"type":"a b"}"#, "a_b", Some("a b")),
        (r#"{"type":7}"#, "7", None),
        ("{}", "standard-webhooks.unnamed", None),
    ] {
        let events = send::<StandardWebhooks>(&Request::post("/", body), SECRET, NOW);
        assert_eq!((&*events[0].type_, events[0].label("type")), (type_, label), "{body}");
    }
}

#[test]
fn what_stands_beside_the_data_is_in_it() {
    let body = r#"{"type":"a","timestamp":"x","data":{"id":1},"api_version":"v2"}"#;
    let events = send::<StandardWebhooks>(&Request::post("/", body), SECRET, NOW);
    assert_eq!(events[0].data, r#"{"id":1,"envelope":{"api_version":"v2"}}"#);
}

#[test]
fn the_operator_says_where_a_sender_has_what_others_call_alike() {
    let settings = r#"{"account":"/data/shop","livemode":"/mode","reference":"/data/order"}"#;
    let bench = Bench::new().with_settings(settings);
    let body = r#"{"type":"a","mode":"test","data":{"shop":"vienna","order":"L-1001"}}"#;
    let events = bench.call(|| send::<StandardWebhooks>(&Request::post("/", body), SECRET, NOW));
    for (name, value) in [("account", "vienna"), ("livemode", "false"), ("reference", "L-1001")] {
        assert_eq!(events[0].label(name), Some(value), "{name}");
    }
}
