//! Klarna's requests, proven and parsed.

use hookgate_klarna::Klarna;
use hookgate_sdk::testing::{send, sign};
use hookgate_sdk::{Provider, Request, provider_tests};

const SECRET: &str = "hookgate-klarna-lantern";

provider_tests!(Klarna);

#[test]
fn a_key_that_is_named_decides_nothing() {
    let body = include_str!("../samples/payment.request.authorized.json");
    let mut request = sign::<Klarna>(&Request::post("/in/klarna", body), SECRET, 0);
    let without = (Klarna::claim(&request), Klarna::parse(&request));
    request.set_header("klarna-signing-key-id", "krn:signing-key:hg");
    assert_eq!((Klarna::claim(&request), Klarna::parse(&request)), without);
}

#[test]
fn a_refusal_is_what_klarna_wants() {
    assert_eq!(Klarna::describe().refusal_status, 400);
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"metadata":{"event_type":"payment.request.state-change.authorized",
        "event_id":"e1",
        "event_version":"v1","merchant_id":"K1","live":false},"payload":{"payment_request_id":"p1",
        "payment_reference":"L-1001"}}"#;
    let request = Request::post("/in/klarna", body);
    let event = send::<Klarna>(&request, SECRET, 0).remove(0);
    for (name, value) in [("account", "K1"), ("livemode", "false"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    assert!(event.data.contains(r#""event_version":"v1""#), "{}", event.data);
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    let body = r#"{"metadata":{"event_type":"payment.dispute.created","event_id":"e1"},
        "payload":{"payment_amount":5000,
        "currency":"EUR","dispute_details":{"dispute_amount":12.5,"currency":"EUR"}}}"#;
    assert_eq!(Klarna::parse(&Request::post("/", body)).unwrap()[0].money, None);
}
