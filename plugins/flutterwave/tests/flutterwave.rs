//! Flutterwave's requests of both versions, proven and parsed.

use hookgate_flutterwave::Flutterwave;
use hookgate_sdk::testing::{Bench, send};
use hookgate_sdk::{Event, Header, Provider, Request, Worth, provider_tests};

const SECRET: &str = "hookgate-flutterwave-lantern";

provider_tests!(Flutterwave);

mod with_a_token {
    use super::*;

    provider_tests!(Flutterwave, |suite| suite.with_settings(r#"{"version":"v3"}"#));
}

#[test]
fn of_both_proofs_both_must_hold() {
    let mut request = Request::post("/", "{}");
    for (name, value) in
        [("verif-hash", SECRET.to_owned()), ("flutterwave-signature", "A".repeat(43) + "=")]
    {
        request.headers.push(Header { name: name.to_owned(), value });
    }
    assert_eq!(Flutterwave::claim(&request).unwrap().evidence.len(), 2);
}

#[test]
fn where_the_hash_itself_is_accepted_a_signature_is_worth_no_more() {
    let worth = |settings: &str| {
        let claim = || {
            let request = Flutterwave::sign(Request::post("/", "{}"), 0, &[]).unwrap();
            Flutterwave::claim(&request).unwrap().evidence[0].worth
        };
        Bench::new().with_settings(settings).call(claim)
    };
    assert_eq!(worth(r#"{"version":"v4"}"#), None);
    assert_eq!(worth("{}"), Some(Worth::Weak));
}

#[test]
fn a_version_is_one_of_two() {
    let check =
        |settings: &str| Bench::new().with_settings(settings).check_provider::<Flutterwave>();
    for settings in ["{}", r#"{"version":"v3"}"#, r#"{"version":"v4"}"#] {
        assert_eq!(check(settings), Ok(()));
    }
    assert!(check(r#"{"version":"v5"}"#).is_err());
}

fn event_of(body: &str) -> Event {
    let bench = Bench::new().with_settings(r#"{"version":"v3"}"#);
    bench.call(|| send::<Flutterwave>(&Request::post("/", body), SECRET, 0)).remove(0)
}

/// A charge as accounts of before v3 get it.
fn flat(kind: &str, status: &str) -> String {
    format!(
        r#"{{"id":1001,"txRef":"L-1001","flwRef":"FLW-MOCK-1",
            "createdAt":"2026-01-01T00:00:00.000Z",
            "amount":300,"charged_amount":304.5,"status":"{status}","currency":"NGN",
            "customer":{{"id":1,"AccountId":134}},"event.type":"{kind}"}}"#
    )
}

#[test]
fn a_flat_charge_is_a_payment() {
    for kind in ["CARD_TRANSACTION", "ACCOUNT_TRANSACTION", "MOBILEMONEYGH_TRANSACTION"] {
        let event = event_of(&flat(kind, "successful"));
        assert_eq!((&*event.type_, event.subject.as_deref()), ("payment.succeeded", Some("1001")));
        let money = event.money.as_ref().map(|money| (&*money.amount, &*money.currency));
        assert_eq!(money, Some(("300", "NGN")));
        assert_eq!(event.time, Some(1_767_225_600_000));
        for (name, value) in [("account", "134"), ("livemode", "false"), ("reference", "L-1001")] {
            assert_eq!(event.label(name), Some(value), "{name}");
        }
    }
    assert_eq!(event_of(&flat("CARD_TRANSACTION", "failed")).type_, "payment.failed");
    assert_eq!(
        event_of(&flat("CARD_TRANSACTION", "pending")).type_,
        "flutterwave.card_transaction"
    );
    assert_eq!(event_of(&flat("CARD_TRANSACTION", "successful")).label("method"), Some("card"));
}

#[test]
fn two_states_of_a_flat_charge_are_two_events() {
    let id = |status: &str| event_of(&flat("CARD_TRANSACTION", status)).id;
    assert_eq!(id("successful"), id("successful"));
    assert_ne!(id("pending"), id("successful"));
}

#[test]
fn a_flat_transfer_is_a_payout() {
    let transfer = |status: &str| {
        event_of(&format!(
            r#"{{"event.type":"Transfer","transfer":{{"id":570,"currency":"NGN","amount":1500,
                "fee":45,
                "status":"{status}","reference":"L-2001",
                "date_created":"2026-01-01T00:00:00.000Z"}}}}"#
        ))
    };
    let event = transfer("SUCCESSFUL");
    assert_eq!((&*event.type_, event.subject.as_deref()), ("payout.paid", Some("570")));
    assert_eq!(event.money.as_ref().map(|money| &*money.amount), Some("1500"));
    assert_eq!(event.label("reference"), Some("L-2001"));
    assert_eq!(transfer("FAILED").type_, "payout.failed");
    assert_eq!(transfer("NEW").type_, "flutterwave.transfer");
}

#[test]
fn a_flat_transfer_without_a_name_is_a_transfer_in_every_state() {
    for (status, expected) in [
        ("PENDING", "flutterwave.transfer"),
        ("NEW", "flutterwave.transfer"),
        ("SUCCESSFUL", "payout.paid"),
        ("FAILED", "payout.failed"),
    ] {
        let event = event_of(&format!(r#"{{"transfer":{{"id":570,"status":"{status}"}}}}"#));
        assert_eq!(event.type_, expected, "{status}");
    }
    let charge = event_of(r#"{"id":1,"txRef":"L","status":"pending","transfer":null}"#);
    assert_eq!(charge.type_, "flutterwave.charge");
}

#[test]
fn a_body_without_a_name_and_a_form_is_no_event() {
    for body in ["{}", r#"{"id":1,"status":"successful"}"#, "[]"] {
        assert!(Flutterwave::parse(&Request::post("/", body)).is_err(), "{body}");
    }
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    let body = r#"{"event":"refund.completed","data":{"id":1,"amount":"1,5","amount_refunded":9,
        "currency":"NGN"}}"#;
    assert_eq!(Flutterwave::parse(&Request::post("/", body)).unwrap()[0].money, None);
}
