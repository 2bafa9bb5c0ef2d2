//! HyperPay's requests, proven and parsed.

use hookgate_hyperpay::HyperPay;
use hookgate_sdk::testing::{send, sign};
use hookgate_sdk::{Event, Provider, Request, hex, provider_tests};

const SECRET: &str = "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100";

provider_tests!(HyperPay);

fn parsed(body: &str) -> Event {
    HyperPay::parse(&Request::post("/in/hyperpay", body)).expect("it is parsed").remove(0)
}

fn type_of(kind: &str, code: &str) -> String {
    let payload = format!(r#"{{"paymentType":"{kind}","result":{{"code":"{code}"}}}}"#);
    parsed(&format!(r#"{{"type":"PAYMENT","payload":{payload}}}"#)).type_
}

#[test]
fn a_result_code_says_how_a_payment_went() {
    for (code, event_type) in [
        ("000.000.000", "payment.succeeded"),
        ("000.100.110", "payment.succeeded"),
        ("000.100.200", "hyperpay.payment.db"),
        ("000.200.000", "hyperpay.payment.db"),
        ("000.400.000", "hyperpay.payment.db"),
        ("800.400.500", "hyperpay.payment.db"),
        ("100.400.500", "hyperpay.payment.db"),
        ("800.100.152", "payment.failed"),
        ("100.396.101", "payment.canceled"),
        ("900.100.300", "hyperpay.payment.db"),
    ] {
        assert_eq!(type_of("DB", code), event_type, "{code}");
    }
}

#[test]
fn the_kind_of_a_payment_says_what_it_was() {
    for (kind, event_type) in [
        ("PA", "payment.authorized"),
        ("CP", "payment.succeeded"),
        ("RV", "payment.canceled"),
        ("RF", "refund.succeeded"),
        ("CB", "dispute.opened"),
        ("CD", "hyperpay.payment.cd"),
    ] {
        assert_eq!(type_of(kind, "000.000.000"), event_type, "{kind}");
    }
    assert_eq!(type_of("RF", "800.100.152"), "refund.failed");
    let body = r#"{"type":"REGISTRATION","action":"CREATED","payload":{"id":"r1",
        "paymentType":"DB","result":{"code":"000.000.000"}}}"#;
    assert_eq!(parsed(body).type_, "hyperpay.registration.created");
}

#[test]
fn a_body_is_claimed_as_it_is_or_within_an_object() {
    let plain = Request::post("/in/hyperpay", r#"{"type":"PAYMENT","payload":{"id":"p1"}}"#);
    let signed = sign::<HyperPay>(&plain, SECRET, 0);
    let text = String::from_utf8(signed.body.clone()).unwrap();
    let claims = HyperPay::claim(&signed).unwrap();
    for body in [
        format!(r#"{{"encryptedBody":"{text}"}}"#),
        format!("{{ \"x\": 1, \"encryptedBody\": \"{}\" }}", text.to_uppercase()),
        format!("{text}\n"),
    ] {
        let request = Request { body: body.into_bytes(), ..signed.clone() };
        assert_eq!(HyperPay::claim(&request), Ok(claims.clone()));
    }
    for body in [String::new(), text[1..].to_owned(), format!(r#"{{"body":"{text}"}}"#)] {
        let request = Request { body: body.into_bytes(), ..signed.clone() };
        assert!(HyperPay::claim(&request).is_err());
    }
}

#[test]
fn a_nonce_has_12_or_16_bytes_and_a_tag_16() {
    let is_claimed = |nonce: usize, tag: usize| {
        let mut request = Request::post("/in/hyperpay", "00ff");
        request.set_header("x-initialization-vector", hex::encode(&vec![1; nonce]));
        request.set_header("x-authentication-tag", hex::encode(&vec![1; tag]));
        HyperPay::claim(&request).is_ok()
    };
    assert!(is_claimed(12, 16) && is_claimed(16, 16));
    for (nonce, tag) in [(0, 16), (8, 16), (13, 16), (12, 0), (12, 4), (12, 12), (12, 17)] {
        assert!(!is_claimed(nonce, tag), "{nonce} {tag}");
    }
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"type":"PAYMENT","payload":{"id":"p1","paymentType":"DB",
        "authentication":{"entityId":"e1"},"merchantTransactionId":"L-1001"}}"#;
    let request = Request::post("/in/hyperpay", body);
    let event = send::<HyperPay>(&request, SECRET, 0).remove(0);
    for (name, value) in [("account", "e1"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
}

#[test]
fn everything_about_a_payment_has_one_subject() {
    let body = r#"{"type":"PAYMENT","payload":{"id":"r1","referencedId":"p1"}}"#;
    assert_eq!(parsed(body).subject.as_deref(), Some("p1"));
}
