//! Mollie's requests, proven and parsed.

use hookgate_mollie::Mollie;
use hookgate_sdk::testing::{Bench, send};
use hookgate_sdk::{FailureKind, Header, Provider, Request, provider_tests};

const SECRET: &str = "hookgate_mollie_lantern";

provider_tests!(Mollie);

const LEGACY: &str = r#"{"legacy":true}"#;

fn legacy() -> Request {
    Request { received_at: 1_767_225_600_000, ..Request::post("/in/mollie", "id=tr_HgLantern01") }
}

#[test]
fn a_legacy_call_proves_nothing() {
    let bench = Bench::new().with_settings(LEGACY);
    let claims = bench.call(|| Mollie::claim(&legacy())).unwrap();
    assert_eq!(claims.evidence, []);
    assert!(Mollie::claim(&legacy()).is_err());
}

#[test]
fn a_legacy_call_is_an_event_where_the_operator_says_so() {
    let bench = Bench::new().with_settings(LEGACY);
    let events = bench.call(|| Mollie::parse(&legacy())).unwrap();
    assert_eq!(events[0].type_, "mollie.payment.changed");
    assert_eq!(events[0].subject.as_deref(), Some("tr_HgLantern01"));
    assert_eq!(events[0].data, r#"{"id":"tr_HgLantern01"}"#);
    assert_eq!(bench.call(|| Mollie::claim(&legacy())).unwrap().event_ids, [events[0].id.as_str()]);
    assert_eq!(Mollie::parse(&legacy()).unwrap_err().kind, FailureKind::Permanent);
}

#[test]
fn the_same_payment_changes_more_than_once() {
    let bench = Bench::new().with_settings(LEGACY);
    let later = Request { received_at: 1_767_225_600_001, ..legacy() };
    let ids =
        [legacy(), later].map(|call| bench.call(|| Mollie::parse(&call)).unwrap()[0].id.clone());
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn headers_that_are_no_digests_or_too_many_are_refused() {
    let digest = "00".repeat(32);
    for (value, times, taken) in
        [("zz", 3, false), ("", 1, false), (&digest, 16, true), (&digest, 17, false)]
    {
        let mut request = Request::post("/", "{}");
        let header = Header { name: "x-mollie-signature".to_owned(), value: value.to_owned() };
        request.headers = vec![header; times];
        assert_eq!(Mollie::claim(&request).is_ok(), taken, "{times} times `{value}`");
    }
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"resource":"event","id":"whe_1","type":"payment.paid","entityId":"tr_1",
        "_embedded":{"entity":
        {"id":"tr_1","mode":"test","profileId":"pfl_1","metadata":{"order_id":"L-1001"}}}}"#;
    let request = Request::post("/in/mollie", body);
    let event = send::<Mollie>(&request, SECRET, 0).remove(0);
    for (name, value) in [("account", "pfl_1"), ("livemode", "false"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    let body = r#"{"resource":"event","id":"e","type":"payment.paid","entityId":"t",
        "_embedded":{"entity":{
        "amount":{"value":"1,5","currency":"EUR"},"totalAmount":{"value":"9.00",
        "currency":"EUR"}}}}"#;
    assert_eq!(Mollie::parse(&Request::post("/", body)).unwrap()[0].money, None);
}
