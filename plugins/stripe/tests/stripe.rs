//! Stripe's requests, proven and parsed.

use hookgate_sdk::testing::{Suite, send};
use hookgate_sdk::{FailureKind, Provider, Request, provider_tests};
use hookgate_stripe::Stripe;

const SECRET: &str = "whsec_hookgate_lantern";

provider_tests!(Suite::<Stripe>::new("stripe", env!("CARGO_MANIFEST_DIR"), SECRET));

#[test]
fn data_is_the_object_as_it_was_written() {
    let object =
        r#"{ "id":"x", "rate":0.10000000000000000555, "big":123456789012345678901234567890 }"#;
    let body = format!(r#"{{"id":"evt_1","type":"a.b","created":1,"data":{{"object":{object}}}}}"#);
    assert_eq!(send::<Stripe>(&Request::post("/", body), SECRET, 0)[0].data, object);
}

#[test]
fn a_body_that_is_no_event_is_a_permanent_failure() {
    for body in ["", "[]", "{}", r#"{"id":"evt_1"}"#, r#"{"id":"evt_1","type":"a b"}"#, "\u{0}"] {
        let failure = Stripe::parse(&Request::post("/", body)).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Permanent, "{body}");
    }
}

#[test]
fn there_are_no_settings() {
    assert!(Stripe::check("{}").is_ok());
    assert!(Stripe::check(r#"{"secret":"no"}"#).is_err());
}
