//! CloudEvents in every content mode, proven and parsed.

use hookgate_cloudevents::CloudEvents;
use hookgate_sdk::testing::{Bench, Suite, sign};
use hookgate_sdk::{Event, FailureKind, Provider, Request, provider_tests};

const SECRET: &str = "hookgate-cloudevents-lantern";
const BEARER: &str = r#"{"proof":"bearer"}"#;

fn suite() -> Suite<CloudEvents> {
    Suite::new("cloudevents", env!("CARGO_MANIFEST_DIR"), SECRET)
}

provider_tests!(suite());

mod with_a_token {
    use super::*;

    provider_tests!(suite().with_settings(BEARER));
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
        ..Event::new("/shop#7", "shop.order.placed", r#"{"order":"L-1001"}"#)
    };
    assert_eq!(events, [expected]);
}

#[test]
fn data_that_is_no_json_is_a_text() {
    let mut request = binary();
    request.set_header("content-type", "text/plain");
    request.body = b"lit \"\xff".to_vec();
    assert_eq!(CloudEvents::parse(&request).unwrap()[0].data, "\"lit \\\"\u{fffd}\"");
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
    for settings in
        ["{}", BEARER, r#"{"proof":"hmac","header":"x-lantern","prefix":"","encoding":"base64"}"#]
    {
        assert_eq!(CloudEvents::check(settings), Ok(()));
    }
    for settings in [
        r#"{"proof":"none"}"#,
        r#"{"header":""}"#,
        r#"{"header":"a b"}"#,
        r#"{"proof":"bearer","header":"x-lantern"}"#,
    ] {
        assert!(CloudEvents::check(settings).is_err(), "{settings}");
    }
}
