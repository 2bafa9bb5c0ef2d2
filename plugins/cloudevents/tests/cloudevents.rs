//! CloudEvents in every content mode, proven and parsed.

use hookgate_cloudevents::CloudEvents;
use hookgate_sdk::testing::{Bench, sign};
use hookgate_sdk::{Event, FailureKind, Provider, Request, provider_tests};

const SECRET: &str = "hookgate-cloudevents-lantern";
const BEARER: &str = r#"{"proof":"bearer"}"#;

provider_tests!(CloudEvents, |suite| suite.with_own_ids());

mod with_a_token {
    use super::*;

    provider_tests!(CloudEvents, |suite| suite.with_own_ids().with_settings(BEARER));
}

fn binary() -> Request {
    let mut request = Request::post("/in/shop", r#"{"order":"L-1001"}"#);
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", "7"),
        ("ce-source", "/shop"),
        ("ce-type", "shop.order.placed"),
        ("ce-subject", "L-1001"),
        ("ce-time", "2026-01-01T00:00:00Z"),
        ("content-type", "application/json"),
    ] {
        request.set_header(name, value);
    }
    request
}

#[test]
fn attributes_in_headers_need_a_token_for_no_digest_covers_them() {
    assert!(CloudEvents::claim(&sign::<CloudEvents>(&Request::post("/", "{}"), SECRET, 0)).is_ok());
    assert!(CloudEvents::sign(binary(), 0, &[]).is_err());
    let mut digest = sign::<CloudEvents>(&Request::post("/", "{}"), SECRET, 0);
    digest.set_header("ce-id", "7");
    assert!(CloudEvents::claim(&digest).is_err());
}

#[test]
fn an_event_in_headers_has_the_body_as_its_data() {
    let bench = Bench::new().with_settings(BEARER);
    let events = bench.call(|| hookgate_sdk::testing::send::<CloudEvents>(&binary(), SECRET, 0));
    let expected = Event {
        subject: Some("L-1001".to_owned()),
        time: Some(1_767_225_600_000),
        labels: vec![("source".to_owned(), "/shop".to_owned())],
        ..Event::new("/shop#7", "shop.order.placed", r#"{"order":"L-1001"}"#)
    };
    assert_eq!(events, [expected]);
}

#[test]
fn data_that_is_no_json_is_a_text() {
    let mut request = binary();
    request.set_header("content-type", "text/plain");
    for (body, data) in
        [(&b"lit \"x"[..], r#""lit \"x""#), (b"lit\xff", r#""bGl0/w==""#), (b"", "null")]
    {
        request.body = body.to_vec();
        assert_eq!(CloudEvents::parse(&request).unwrap()[0].data, data);
    }
}

#[test]
fn an_event_in_headers_may_have_no_data() {
    let mut request = binary();
    request.remove_header("content-type");
    request.body.clear();
    assert_eq!(CloudEvents::parse(&request).unwrap()[0].data, "null");
}

#[test]
fn an_attribute_in_a_header_is_unescaped() {
    let mut request = binary();
    for (written, subject) in [("Euro%20%E2%82%AC", "Euro €"), ("100%", "100%"), ("%zz%2", "%zz%2")]
    {
        request.set_header("ce-subject", written);
        assert_eq!(CloudEvents::parse(&request).unwrap()[0].subject.as_deref(), Some(subject));
    }
}

#[test]
fn an_event_in_the_body_may_be_repeated_in_headers() {
    let mut request = Request::post("/in/shop", include_str!("../samples/structured.json"));
    request.set_header("content-type", "application/cloudevents+json; charset=utf-8");
    request.set_header("ce-id", "forged");
    let events = hookgate_sdk::testing::send::<CloudEvents>(&request, SECRET, 0);
    assert_eq!(events[0].id, "/shop/vienna#1");
}

#[test]
fn two_events_never_share_an_id() {
    let id = |source: &str, own: &str| {
        let mut request = binary();
        request.set_header("ce-source", source);
        request.set_header("ce-id", own);
        CloudEvents::parse(&request).unwrap().remove(0).id
    };
    assert_ne!(id("/shop#a", "b"), id("/shop", "a#b"));
}

#[test]
fn an_event_lacks_nothing_that_it_must_have() {
    for name in ["ce-id", "ce-source", "ce-type", "ce-specversion"] {
        let mut request = binary();
        request.set_header(name, "");
        assert_eq!(
            CloudEvents::parse(&request).unwrap_err().kind,
            FailureKind::Permanent,
            "{name}"
        );
    }
}

#[test]
fn settings_are_checked() {
    let check =
        |settings: &str| Bench::new().with_settings(settings).check_provider::<CloudEvents>();
    for settings in
        ["{}", BEARER, r#"{"proof":"hmac","header":"x-lantern","prefix":"","encoding":"base64"}"#]
    {
        assert_eq!(check(settings), Ok(()));
    }
    for settings in [
        r#"{"proof":"none"}"#,
        r#"{"header":""}"#,
        r#"{"header":"a b"}"#,
        r#"{"proof":"bearer","header":"x-lantern"}"#,
    ] {
        assert!(check(settings).is_err(), "{settings}");
    }
}

#[test]
fn any_type_that_is_not_empty_is_one() {
    for (own, type_) in [
        ("com.example/order", "com.example.order"),
        ("com.example.Order Placed", "com.example.Order_Placed"),
        ("urn:shop:order", "urn.shop.order"),
        ("\u{6ce8}\u{6587}", "__"),
        ("/", "unnamed"),
    ] {
        let body =
            format!(r#"{{"specversion":"1.0","id":"4","source":"/a","type":"{own}","data":{{}}}}"#);
        let events =
            hookgate_sdk::testing::send::<CloudEvents>(&Request::post("/", body), SECRET, 0);
        assert_eq!((&*events[0].type_, events[0].label("type")), (type_, Some(own)));
    }
}

#[test]
fn attributes_of_extensions_are_labels() {
    let body = r#"{"specversion":"1.0","id":"4","source":"/a","type":"a.b","partitionkey":"7",
        "sampledrate":3,"sampled":true,"Odd":"x","data":{"order":1}}"#;
    let events = hookgate_sdk::testing::send::<CloudEvents>(&Request::post("/", body), SECRET, 0);
    let labels =
        [("source", "/a"), ("partitionkey", "7"), ("sampledrate", "3"), ("sampled", "true")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(events[0].labels, labels);
    assert_eq!(events[0].data, r#"{"order":1}"#);
}

#[test]
fn an_attribute_of_the_name_proof_is_no_label() {
    let body =
        r#"{"specversion":"1.0","id":"1","source":"/s","type":"a.b","proof":"bound","x":"y"}"#;
    let request = Request::post("/in/shop", body);
    let event = hookgate_sdk::testing::send::<CloudEvents>(&request, SECRET, 0).remove(0);
    assert_eq!((event.label("proof"), event.label("x")), (None, Some("y")));
    let mut request = binary();
    request.set_header("ce-proof", "bound");
    let bench = Bench::new().with_settings(BEARER);
    let send = || hookgate_sdk::testing::send::<CloudEvents>(&request, SECRET, 0);
    assert_eq!(bench.call(send)[0].label("proof"), None);
}
