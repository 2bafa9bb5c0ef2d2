//! Stripe's requests, proven and parsed.

use hookgate_sdk::testing::{send, sign, vectors};
use hookgate_sdk::{Event, Header, Provider, Request};
use hookgate_stripe::Stripe;
use proptest::prelude::*;

const SECRET: &str = "whsec_hookgate_lantern";
const NOW: u64 = 1_767_225_600_000;

macro_rules! sample {
    ($name:literal) => {
        event(include_str!(concat!("../samples/", $name, ".json")))
    };
}

fn event(sample: &str) -> Event {
    let mut events = send::<Stripe>(&Request::post("/in/stripe", sample), SECRET, NOW);
    assert_eq!(events.len(), 1);
    events.remove(0)
}

#[track_caller]
fn check(event: &Event, event_type: &str, subject: &str, money: Option<&str>) {
    let written = event.money.as_ref().map(|money| format!("{} {}", money.amount, money.currency));
    assert_eq!(event.type_, event_type);
    assert_eq!(event.subject.as_deref(), Some(subject));
    assert_eq!(written.as_deref(), money);
}

#[test]
fn every_vector_gets_its_verdict() {
    assert_eq!(vectors::check::<Stripe>(include_str!("../vectors.json")), 24);
}

#[test]
fn the_shared_vectors_get_their_verdicts() {
    for (_, file) in vectors::shared("vectors/stripe.json") {
        assert!(vectors::check::<Stripe>(&file) > 0);
    }
}

#[test]
fn the_shared_payloads_are_events() {
    for (name, payload) in vectors::shared("payloads/stripe") {
        let event = event(&payload);
        assert!(event.time.is_some(), "{name}");
        assert!(payload.contains(&event.data), "{name} changed its data");
    }
}

#[test]
fn a_payment_is_told_with_its_money_and_its_decline() {
    let paid = sample!("payment_intent.succeeded");
    check(&paid, "payment.succeeded", "pi_hg_lantern_01", Some("42.50 EUR"));
    assert_eq!((paid.id.as_str(), paid.time), ("evt_hg_0001", Some(NOW)));

    let declined = sample!("payment_intent.payment_failed");
    check(&declined, "payment.failed", "pi_hg_kettle_02", Some("42.50 EUR"));
    let labels = [
        ("country", "DE"),
        ("method", "card"),
        ("card_brand", "visa"),
        ("decline_code", "insufficient_funds"),
    ];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(declined.labels, labels);
}

#[test]
fn what_belongs_to_a_payment_has_its_subject() {
    let payment = "pi_hg_lantern_01";
    let charge = sample!("charge.succeeded");
    check(&charge, "stripe.charge.succeeded", payment, Some("42.50 EUR"));
    assert_eq!(charge.label("risk"), Some("normal"));
    check(&sample!("charge.refunded"), "refund.succeeded", payment, Some("12.50 EUR"));
    check(&sample!("refund.created"), "refund.initiated", payment, Some("12.50 EUR"));
    check(&sample!("charge.dispute.created"), "dispute.opened", payment, Some("42.50 EUR"));
    check(&sample!("charge.dispute.closed"), "dispute.won", payment, Some("42.50 EUR"));
    check(&sample!("radar.early_fraud_warning.created"), "fraud.alert", payment, None);
}

#[test]
fn the_rest_is_about_itself() {
    let subscription = sample!("customer.subscription.deleted");
    check(&subscription, "subscription.canceled", "sub_hg_01", Some("980 JPY"));
    check(&sample!("invoice.paid"), "invoice.paid", "in_hg_01", Some("12.000 KWD"));
    check(&sample!("payout.paid"), "payout.paid", "po_hg_01", Some("9900.00 EUR"));
    check(&sample!("customer.created"), "customer.created", "cus_hg_mara", None);
}

#[test]
fn a_thin_event_refers_to_its_object() {
    let thin = sample!("v2.thin");
    let event_type = "stripe.v1.billing.meter.error_report_triggered";
    check(&thin, event_type, "mtr_hg_01", None);
    assert_eq!(thin.time, Some(NOW + 250));
    assert!(thin.data.contains("evt_hg_thin_01"));
}

#[test]
fn data_is_the_object_as_it_was_written() {
    let object =
        r#"{ "id":"x", "rate":0.10000000000000000555, "big":123456789012345678901234567890 }"#;
    let body = format!(r#"{{"id":"evt_1","type":"a.b","created":1,"data":{{"object":{object}}}}}"#);
    assert_eq!(event(&body).data, object);
}

#[test]
fn a_body_that_is_no_event_is_a_permanent_failure() {
    for body in ["", "[]", "{}", r#"{"id":"evt_1"}"#, r#"{"id":"evt_1","type":"a b"}"#, "\u{0}"] {
        let failure = Stripe::parse(&Request::post("/", body)).unwrap_err();
        assert_eq!(failure.kind, hookgate_sdk::FailureKind::Permanent, "{body}");
    }
}

#[test]
fn a_signature_header_that_is_there_twice_is_refused() {
    let mut request = sign::<Stripe>(&Request::post("/", "{}"), SECRET, NOW);
    let again = request.headers[0].clone();
    request.headers.push(Header { name: "Stripe-Signature".to_owned(), ..again });
    assert!(Stripe::claim(&request).is_err());
}

#[test]
fn there_are_no_settings() {
    assert!(Stripe::check("{}").is_ok());
    assert!(Stripe::check(r#"{"secret":"no"}"#).is_err());
}

proptest! {
    #[test]
    fn nothing_panics(header: String, shaped in "(t|v1|v0)?=?[0-9a-f]{0,70}(,(t|v1)=[0-9a-f]{0,70}){0,3}", body: Vec<u8>) {
        for header in [header, shaped] {
            let mut request = Request::post("/", body.clone());
            request.set_header("stripe-signature", header);
            drop(Stripe::claim(&request));
            drop(Stripe::parse(&request));
        }
    }

    #[test]
    fn any_object_can_be_read(kind in "(charge|payment_intent|invoice|subscription)", value in "(null|-?[0-9]{1,30}|\"x\"|\\[\\]|\\{\\})") {
        let body = format!(r#"{{"id":"e","type":"charge.refunded","data":{{"object":{{"object":"{kind}",
            "amount":{value},"amount_refunded":{value},"currency":"usd","payment_intent":{value},"status":{value}}},
            "previous_attributes":{{"amount_refunded":{value}}}}}}}"#);
        drop(Stripe::parse(&Request::post("/", body)));
    }
}
