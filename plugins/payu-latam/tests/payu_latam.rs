//! Requests of PayU in Latin America, proven and parsed.

use hookgate_payu_latam::PayuLatam;
use hookgate_sdk::testing::send;
use hookgate_sdk::{Json, Provider, Request, form, provider_tests};

const SECRET: &str = "HgLantern0ApiKey0Latam01";
const SIGNED: &str = "merchant_id=7&reference_sale=L-1001&value=42.50&currency=COP&state_pol=4";

provider_tests!(PayuLatam, |suite| suite.with_payloads(|_, payload| posted(&payload)));

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
    for (state, event_type) in [
        ("4", "payment.succeeded"),
        ("5", "payment.canceled"),
        ("6", "payment.failed"),
        ("7", "payment.created"),
        ("104", "payu-latam.state.104"),
    ] {
        let body = SIGNED.replace("state_pol=4", &format!("state_pol={state}"));
        let event = send::<PayuLatam>(&Request::post("/", body), SECRET, 0).remove(0);
        assert_eq!(event.type_, event_type);
    }
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    for (test, livemode) in [("0", Some("true")), ("1", Some("false")), ("", None)] {
        let body = format!("{SIGNED}&test={test}");
        let event = send::<PayuLatam>(&Request::post("/", body), SECRET, 0).remove(0);
        assert_eq!(event.label("livemode"), livemode, "{test}");
        assert_eq!((event.label("account"), event.label("reference")), (Some("7"), Some("L-1001")));
    }
}

#[test]
fn the_hash_is_not_part_of_an_event() {
    let parsed = |body: String| PayuLatam::parse(&Request::post("/", body)).unwrap().remove(0);
    let event = parsed(format!("{SIGNED}&sign=00ff"));
    assert!(!event.data.contains("sign"), "{}", event.data);
    assert_eq!(event, parsed(format!("sign=11ee&{SIGNED}")));
    assert_ne!(event.id, parsed(format!("{SIGNED}&transaction_id=t2")).id);
}

#[test]
fn an_amount_that_cant_be_read_is_none() {
    let body = SIGNED.replace("42.50", "42,50");
    assert_eq!(PayuLatam::parse(&Request::post("/", body)).unwrap()[0].money, None);
}

#[test]
fn a_proof_that_is_not_there_is_called_missing() {
    let refused =
        PayuLatam::claim(&Request::post("/in/payu-latam", "reference_sale=L-1001")).unwrap_err();
    assert_eq!(refused.reason, "field `sign` is missing or not a digest");
}
