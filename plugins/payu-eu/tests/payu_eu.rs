//! Requests of PayU in Europe, proven and parsed.

use hookgate_payu_eu::PayuEu;
use hookgate_sdk::testing::{Bench, send};
use hookgate_sdk::{Provider, Request, provider_tests};

const SECRET: &str = "hglantern0second0key";

provider_tests!(PayuEu);

#[test]
fn the_source_may_accept_one_algorithm_alone() {
    let check = |settings: &str| Bench::new().with_settings(settings).check_provider::<PayuEu>();
    assert_eq!(check(r#"{"algorithm":"SHA-256"}"#), Ok(()));
    assert!(check(r#"{"algorithm":"CRC32"}"#).is_err());
    let request = Request::post("/in/payu-eu", r#"{"order":{"orderId":"1","status":"PENDING"}}"#);
    for algorithm in ["SHA-256", "SHA-384", "SHA-512", "SHA-1", "MD5"] {
        let bench = Bench::new().with_settings(&format!(r#"{{"algorithm":"{algorithm}"}}"#));
        let events = bench.call(|| send::<PayuEu>(&request, SECRET, 0));
        assert_eq!(events[0].type_, "payment.created", "{algorithm}");
    }
}

#[test]
fn an_event_says_whose_it_is_and_for_which_order() {
    let body = r#"{"order":{"orderId":"1","extOrderId":"L-1001","merchantPosId":"300001",
        "status":"NEW"},"properties":[]}"#;
    let event = send::<PayuEu>(&Request::post("/in/payu-eu", body), SECRET, 0).remove(0);
    for (name, value) in [("account", "300001"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    assert_eq!(event.type_, "payu-eu.order.NEW");
    assert!(event.data.contains(r#""envelope":{"properties":[]}"#), "{}", event.data);
}

#[test]
fn a_refund_belongs_to_its_order() {
    for (status, event_type) in [
        ("PENDING", "refund.initiated"),
        ("FINALIZED", "refund.succeeded"),
        ("CANCELED", "refund.failed"),
    ] {
        let body = format!(
            r#"{{"orderId":"1","refund":{{"amount":"1250","currencyCode":"HUF",
                "status":"{status}","statusDateTime":"1767225600250"}}}}"#
        );
        let event = PayuEu::parse(&Request::post("/in/payu-eu", body)).unwrap().remove(0);
        assert_eq!((&*event.type_, event.subject.as_deref()), (event_type, Some("1")));
        assert_eq!(event.time, Some(1_767_225_600_250));
        assert_eq!(event.money.map(|money| money.amount).as_deref(), Some("12.50"));
    }
}
