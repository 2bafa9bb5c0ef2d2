//! Requests of PayU in India, proven and parsed.

use hookgate_payu_india::PayuIndia;
use hookgate_sdk::testing::send;
use hookgate_sdk::{Json, Provider, Request, form, provider_tests};

const SECRET: &str = "HgLanternSalt01";
const SIGNED: &str = "key=HgKey01&txnid=L-1001&amount=42.50&status=success";

provider_tests!(PayuIndia, |suite| suite.with_payloads(|_, payload| posted(&payload)));

/// The form of which a shared payload has the fields.
fn posted(payload: &str) -> String {
    let fields = Json::parse(payload.as_bytes()).expect("an object").members();
    let with = |whole: Vec<u8>, (name, value): (&str, Json<'_>)| {
        form::with_field(&whole, name, &value.text("").unwrap_or_default())
    };
    let posted = fields.iter().fold(Vec::new(), with);
    String::from_utf8(posted).expect("a form is ASCII")
}

#[test]
fn a_state_has_its_type() {
    for (status, event_type) in [
        ("success", "payment.succeeded"),
        ("failure", "payment.failed"),
        ("failed", "payment.failed"),
        ("pending", "payment.created"),
        ("initiated", "payu-india.initiated"),
    ] {
        let body = SIGNED.replace("success", status);
        let event = send::<PayuIndia>(&Request::post("/", body), SECRET, 0).remove(0);
        assert_eq!(event.type_, event_type);
    }
}

#[test]
fn an_event_says_whose_it_is_and_for_which_order() {
    let body = format!("{SIGNED}&mode=UPI&error=E000");
    let event = send::<PayuIndia>(&Request::post("/", body), SECRET, 0).remove(0);
    for (name, value) in [("account", "HgKey01"), ("reference", "L-1001"), ("method", "upi")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    assert_eq!(event.label("decline_code"), None);
}

#[test]
fn charges_that_the_payer_bears_are_signed_too() {
    let with_charges = Request::post("/", format!("{SIGNED}&additionalCharges=1.25"));
    assert_eq!(send::<PayuIndia>(&with_charges, SECRET, 0).len(), 1);
    let evidence = |request: &Request| {
        let signed = PayuIndia::sign(request.clone(), 0, &[]).unwrap();
        PayuIndia::claim(&signed).unwrap().evidence
    };
    assert_ne!(evidence(&with_charges), evidence(&Request::post("/", SIGNED)));
}

#[test]
fn the_hash_is_not_part_of_an_event() {
    let parsed = |body: String| PayuIndia::parse(&Request::post("/", body)).unwrap().remove(0);
    let event = parsed(format!("{SIGNED}&hash=00ff"));
    assert!(!event.data.contains("hash"), "{}", event.data);
    assert_eq!(event, parsed(format!("hash=11ee&{SIGNED}")));
    assert_ne!(event.id, parsed(format!("{SIGNED}&mihpayid=2")).id);
}

#[test]
fn a_proof_that_is_not_there_is_called_missing() {
    let refused = PayuIndia::claim(&Request::post("/in/payu-india", "txnid=L-1001")).unwrap_err();
    assert_eq!(refused.reason, "field `hash` is missing or not a digest");
}
