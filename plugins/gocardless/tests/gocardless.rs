//! GoCardless's requests, proven and parsed.

use hookgate_gocardless::GoCardless;
use hookgate_sdk::testing::send;
use hookgate_sdk::{FailureKind, Provider, Request, provider_tests};

const SECRET: &str = "hookgate-gocardless-lantern";

provider_tests!(GoCardless);

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

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"events":[{"id":"EV1","resource_type":"payments","action":"confirmed",
        "links":{"payment":"PM1","organisation":"OR1"},"resource_metadata":{"order_id":"L-1001"}}]}"#;
    let request = Request::post("/in/gocardless", body);
    let event = send::<GoCardless>(&request, SECRET, 0).remove(0);
    for (name, value) in [("account", "OR1"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
}
