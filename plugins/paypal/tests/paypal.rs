//! PayPal's requests, proven and parsed, with a key of our own in the place of a certificate's.

use hookgate_paypal::PayPal;
use hookgate_sdk::testing::{Bench, send, sign};
use hookgate_sdk::{KeySource, Proof, Provider, Request, provider_tests};

const KEY: &str = include_str!("private_key.pem");
const LIVE: &str = r#"{"webhook_id":"HGWEBHOOK01"}"#;
const SANDBOX: &str = include_str!("../settings.json");

provider_tests!(PayPal, |suite| suite.with_secret(KEY));

#[test]
fn what_is_proven_is_of_the_environment_of_its_certificate() {
    for (settings, live) in [(LIVE, "true"), (SANDBOX, "false")] {
        let events = Bench::new().with_settings(settings).call(|| {
            let body = r#"{"id":"WH-1","event_type":"PAYMENT.SALE.COMPLETED","event_version":"1.0",
                "resource":{"id":"7","invoice_number":"L-1001"}}"#;
            send::<PayPal>(&Request::post("/in/paypal", body), KEY, 0)
        });
        assert_eq!(events[0].label("livemode"), Some(live));
        assert_eq!(events[0].label("reference"), Some("L-1001"));
        assert!(events[0].data.contains(r#""envelope":{"event_version":"1.0"}"#));
    }
}

/// Where the key of a request with this certificate would be looked up.
fn place(settings: &str, certificate: &str) -> Option<String> {
    Bench::new().with_settings(settings).call(|| {
        let mut request = sign::<PayPal>(&Request::post("/in/paypal", "{}"), KEY, 0);
        request.set_header("paypal-cert-url", certificate);
        let claims = PayPal::claim(&request).ok()?;
        let Proof::Signature(signature) = &claims.evidence[0].proofs[0] else { return None };
        let KeySource::Fetched(lookup) = &signature.key else { return None };
        Some(lookup.url.clone())
    })
}

#[test]
fn a_certificate_is_paypals_own_and_of_the_same_environment() {
    let (live, sandbox) = (
        "https://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api-m.sandbox.paypal.com/v1/notifications/certs/CERT-1",
    );
    assert_eq!(place(LIVE, live).as_deref(), Some(live));
    assert_eq!(place(SANDBOX, sandbox).as_deref(), Some(sandbox));
    assert_eq!(place(LIVE, sandbox), None);
    assert_eq!(place(SANDBOX, live), None);
    for certificate in [
        "http://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com@evil.example/v1/notifications/certs/CERT-1",
        "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/../../CERT-1",
        "https://api.paypal.com/v1/notifications/certs/CERT-1?a",
        "https://api.paypal.com/v2/certs/CERT-1",
        "",
    ] {
        assert_eq!(place(LIVE, certificate), None, "{certificate}");
    }
}

#[test]
fn no_part_of_what_is_signed_passes_for_two() {
    let claims = |name: &str, value: &str| {
        Bench::new().with_settings(LIVE).call(|| {
            let mut request = sign::<PayPal>(&Request::post("/in/paypal", "{}"), KEY, 0);
            request.set_header(name, value);
            PayPal::claim(&request).is_ok()
        })
    };
    assert!(claims("paypal-transmission-id", "b2384410-f8d2"));
    assert!(!claims("paypal-transmission-id", "b2384410|2015-05-12T18:14:14Z"));
    assert!(!claims("paypal-transmission-time", "2015-05-12T18:14:14Z|HGWEBHOOK01"));
    assert!(!claims("paypal-auth-algo", "SHA1withRSA"));
}

#[test]
fn settings_are_checked() {
    let check = |settings: &str| Bench::new().with_settings(settings).check_provider::<PayPal>();
    assert_eq!(check(LIVE), Ok(()));
    assert_eq!(check(SANDBOX), Ok(()));
    for settings in ["{}", r#"{"webhook_id":""}"#, r#"{"webhook_id":"a|b"}"#] {
        assert!(check(settings).is_err(), "{settings}");
    }
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    let body = r#"{"id":"W","event_type":"PAYMENT.SALE.COMPLETED","resource":{"amount":{"value":"1,50","currency_code":"EUR"},
        "payout_amount":{"value":"9.00","currency_code":"EUR"}}}"#;
    let bench = Bench::new().with_settings(include_str!("../settings.json"));
    assert_eq!(bench.call(|| PayPal::parse(&Request::post("/", body)).unwrap())[0].money, None);
}
