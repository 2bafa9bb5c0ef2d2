//! GoCardless's requests, proven and parsed.

use hookgate_gocardless::GoCardless;
use hookgate_sdk::testing::Suite;
use hookgate_sdk::{FailureKind, Provider, Request, provider_tests};

const SECRET: &str = "hookgate-gocardless-lantern";

provider_tests!(Suite::<GoCardless>::new("gocardless", env!("CARGO_MANIFEST_DIR"), SECRET));

#[test]
fn a_refusal_is_what_gocardless_wants() {
    assert_eq!(GoCardless::describe().refusal_status, 498);
}

#[test]
fn events_that_are_no_list_are_not_passed_over() {
    for body in ["{}", r#"{"events":null}"#, r#"{"events":{"id":"EVHG0001"}}"#] {
        let failure = GoCardless::parse(&Request::post("/", body)).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Permanent, "{body}");
    }
}
