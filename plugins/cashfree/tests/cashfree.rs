//! Cashfree's requests, proven and parsed.

use hookgate_cashfree::Cashfree;
use hookgate_sdk::testing::send;
use hookgate_sdk::{Provider, Request, Timestamp, provider_tests};

const SECRET: &str = "hookgate-cashfree-lantern";
const AT: Timestamp = 1_767_225_600_250;

provider_tests!(Cashfree);

#[test]
fn a_key_that_is_not_signed_is_no_id() {
    let mut request = Request::post("/in/cashfree", r#"{"type":"A","data":{}}"#);
    let without = send::<Cashfree>(&request, SECRET, AT);
    request.set_header("x-idempotency-key", "idem-1");
    assert_eq!(send::<Cashfree>(&request, SECRET, AT), without);
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"type":"PAYMENT_SUCCESS_WEBHOOK","event_time":"2026-01-01T00:00:00Z",
        "data":{"order":{"order_id":"L-1001"},"payment":{"cf_payment_id":1,
        "payment_status":"SUCCESS"}},
        "version":1}"#;
    let request = Request::post("/in/cashfree", body);
    let event = send::<Cashfree>(&request, SECRET, AT).remove(0);
    assert_eq!(event.label("reference"), Some("L-1001"));
    assert!(event.data.contains(r#""envelope":{"version":1}"#), "{}", event.data);
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    let body = r#"{"type":"DISPUTE_CREATED","event_time":"2026-01-01T00:00:00Z",
        "data":{"payment":{"payment_amount":"1,5",
        "payment_currency":"INR"},"refund":{"refund_amount":9,"refund_currency":"INR"}}}"#;
    assert_eq!(Cashfree::parse(&Request::post("/", body)).unwrap()[0].money, None);
}
