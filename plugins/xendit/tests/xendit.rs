//! Xendit's requests, proven and parsed.

use hookgate_sdk::testing::send;
use hookgate_sdk::{Provider, Request, provider_tests};
use hookgate_xendit::Xendit;

const SECRET: &str = "xnd_cb_hookgate_lantern";

provider_tests!(Xendit);

#[test]
fn a_retry_without_an_id_is_known_by_what_it_is_about() {
    let id = |sent: &str, status: &str| {
        let body = format!(
            r#"{{"event":"payment.capture","created":"{sent}","data":{{"status":"{status}"}}}}"#
        );
        Xendit::parse(&Request::post("/in/xendit", body)).unwrap()[0].id.clone()
    };
    let first = id("2026-01-01T00:00:00Z", "SUCCEEDED");
    assert_eq!(first, id("2026-01-01T00:15:00Z", "SUCCEEDED"));
    assert_ne!(first, id("2026-01-01T00:00:00Z", "FAILED"));
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"event":"payment.capture","business_id":"b1","api_version":"v3",
        "data":{"payment_id":"p1","status":"SUCCEEDED","reference_id":"L-1001"}}"#;
    let request = Request::post("/in/xendit", body);
    let event = send::<Xendit>(&request, SECRET, 0).remove(0);
    for (name, value) in [("account", "b1"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    assert!(event.data.contains(r#""api_version":"v3""#), "{}", event.data);
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    for body in [
        r#"{"id":"i","status":"PAID","paid_amount":"1,5","amount":9,"currency":"IDR"}"#,
        r#"{"event":"payment.capture","data":{"amount":"1,5","request_amount":9,
            "currency":"IDR"}}"#,
        r#"{"event":"payment.capture","data":{"captures":[{"capture_amount":"1,5"}],"amount":9,
            "currency":"IDR"}}"#,
    ] {
        assert_eq!(Xendit::parse(&Request::post("/", body)).unwrap()[0].money, None, "{body}");
    }
}
