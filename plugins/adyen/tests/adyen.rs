//! Adyen's requests, proven and parsed.

use hookgate_adyen::Adyen;
use hookgate_sdk::testing::{Bench, send, sign, vectors};
use hookgate_sdk::{Event, FailureKind, Header, Provider, Request};
use proptest::prelude::*;

const KEY: &str = "4C616E7465726E2D4B6574746C652D486F6F6B676174652D3031323334353637";
const NOW: u64 = 1_767_225_600_000;

macro_rules! sample {
    ($name:literal) => {
        events(include_str!(concat!("../samples/", $name, ".json")))
    };
}

fn events(sample: &str) -> Vec<Event> {
    send::<Adyen>(&Request::post("/in/adyen", sample), KEY, NOW)
}

#[track_caller]
fn check(events: &[Event], id: &str, event_type: &str, subject: &str, money: Option<&str>) {
    let [event] = events else { panic!("{} events", events.len()) };
    let written = event.money.as_ref().map(|money| format!("{} {}", money.amount, money.currency));
    assert_eq!((event.id.as_str(), event.type_.as_str()), (id, event_type));
    assert_eq!(event.subject.as_deref(), Some(subject));
    assert_eq!(written.as_deref(), money);
    assert_eq!(event.time, Some(NOW));
}

#[test]
fn every_vector_gets_its_verdict() {
    assert_eq!(vectors::check::<Adyen>(include_str!("../vectors.json")), 38);
}

#[test]
fn the_shared_vectors_get_their_verdicts() {
    for (_, file) in vectors::shared("vectors/adyen.json") {
        assert!(vectors::check::<Adyen>(&file) > 0);
    }
}

#[test]
fn the_shared_payloads_are_events() {
    for (name, payload) in vectors::shared("payloads/adyen") {
        let events = events(&payload);
        assert_eq!(events.len(), 1, "{name}");
        assert!(events[0].subject.is_some(), "{name}");
    }
}

#[test]
fn an_item_is_told_with_its_success() {
    let payment = "HGLANTERN0000001";
    let authorized = sample!("AUTHORISATION");
    let id = "HGLANTERN0000001:AUTHORISATION:true";
    check(&authorized, id, "payment.authorized", payment, Some("42.50 EUR"));
    assert_eq!(authorized[0].label("country"), Some("AT"));
    assert_eq!(authorized[0].label("card_brand"), Some("visadebit"));
    assert_eq!(authorized[0].label("decline_code"), None);

    let refused = sample!("AUTHORISATION.refused");
    let id = "HGKETTLE00000002:AUTHORISATION:false";
    check(&refused, id, "payment.failed", "HGKETTLE00000002", Some("42.50 EUR"));
    assert_eq!(refused[0].label("decline_code"), Some("Not enough balance"));
}

#[test]
fn what_modifies_a_payment_has_its_subject() {
    let payment = "HGLANTERN0000001";
    let all = Some("42.50 EUR");
    let (captured, failed) = (sample!("CAPTURE"), sample!("CAPTURE_FAILED"));
    check(&captured, "HGLANTERN0000003:CAPTURE:true", "payment.succeeded", payment, all);
    check(&failed, "HGLANTERN0000004:CAPTURE_FAILED:true", "payment.failed", payment, all);
    let canceled = sample!("CANCELLATION");
    check(&canceled, "HGLANTERN0000005:CANCELLATION:true", "payment.canceled", payment, all);
    let (refund, part) = (sample!("REFUND"), Some("12.50 EUR"));
    check(&refund, "HGLANTERN0000006:REFUND:true", "refund.succeeded", payment, part);
    let lost = sample!("REFUND_FAILED");
    check(&lost, "HGLANTERN0000006:REFUND_FAILED:true", "refund.failed", payment, part);
    let dispute = sample!("CHARGEBACK");
    check(&dispute, "HGLANTERN0000007:CHARGEBACK:true", "dispute.opened", payment, all);
}

#[test]
fn what_is_no_payment_is_about_itself() {
    let payout = sample!("PAYOUT_THIRDPARTY");
    let id = "HGPAYOUT00000008:PAYOUT_THIRDPARTY:true";
    check(&payout, id, "payout.paid", "HGPAYOUT00000008", Some("1000 JPY"));
    let report = "settlement_detail_report_batch_7.csv";
    let id = format!("{report}:REPORT_AVAILABLE:true");
    check(&sample!("REPORT_AVAILABLE"), &id, "adyen.report_available", report, Some("0.00 EUR"));
}

#[test]
fn a_batch_is_an_event_for_every_item() {
    let batch = sample!("batch");
    let types: Vec<&str> = batch.iter().map(|event| event.type_.as_str()).collect();
    assert_eq!(types, ["payment.authorized", "payment.failed"]);
    assert!(batch[1].data.contains("HGBATCH000000010"));
}

#[test]
fn a_platform_webhook_is_one_event() {
    let [account] = &sample!("accountHolder.created")[..] else { panic!("one event") };
    assert_eq!(account.type_, "account.created");
    assert_eq!(account.subject.as_deref(), Some("AH00HG0001"));
    assert_eq!(account.id.len(), 32, "told apart by all of its body");

    let transaction = sample!("transaction.created");
    let id = "balancePlatform.transaction.created:TRHG0001:2026-01-01T01:00:00+01:00";
    check(&transaction, id, "transaction.created", "TRHG0001", Some("-42.50 EUR"));
    let method = sample!("paymentMethod.created");
    let id = "paymentMethod.created:PMHG0001:2026-01-01T01:00:00+01:00";
    check(&method, id, "adyen.paymentMethod.created", "PMHG0001", None);
}

#[test]
fn items_of_another_merchant_account_are_refused() {
    let request = Request::post("/", include_str!("../samples/AUTHORISATION.json"));
    let signed = sign::<Adyen>(&request, KEY, NOW);
    let own = Bench::new().with_settings(r#"{"merchant_account":"HookgateLanterns"}"#);
    assert!(own.call(|| Adyen::claim(&signed)).is_ok());
    let other = Bench::new().with_settings(r#"{"merchant_account":"HookgateKettles"}"#);
    assert!(other.call(|| Adyen::claim(&signed)).is_err());
}

#[test]
fn a_signature_header_that_is_there_twice_is_refused() {
    let mut request = Request::post("/", include_str!("../samples/paymentMethod.created.json"));
    request = sign::<Adyen>(&request, KEY, NOW);
    let again = request.headers[0].clone();
    request.headers.push(Header { name: "HmacSignature".to_owned(), ..again });
    assert!(Adyen::claim(&request).is_err());
}

#[test]
fn a_digest_too_many_or_too_few_is_no_request() {
    let batch = || Request::post("/", include_str!("../samples/batch.json"));
    for digests in [1, 3] {
        assert!(Adyen::sign(batch(), NOW, &vec![vec![0; 32]; digests]).is_err());
    }
}

#[test]
fn a_body_that_is_no_event_is_a_permanent_failure() {
    for body in ["", "lantern", "{}", "[]", r#"{"notificationItems":7}"#, r#"{"type":"a b"}"#] {
        let failure = Adyen::parse(&Request::post("/", body)).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Permanent, "{body}");
    }
}

#[test]
fn older_endpoints_get_the_answer_that_they_wait_for() {
    let reply = Adyen::describe().reply.unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"[accepted]"[..]));
}

proptest! {
    #[test]
    fn nothing_panics(body: Vec<u8>, header: Option<String>) {
        let mut request = Request::post("/", body);
        if let Some(header) = header {
            request.set_header("hmacsignature", header);
        }
        drop(Adyen::claim(&request));
        drop(Adyen::parse(&request));
        drop(Adyen::sign(request, 0, &[]));
    }

    #[test]
    fn any_item_can_be_read(value in "(null|true|-?[0-9]{1,40}|\"[a-zé:\\\\n]{0,5}\"|\\[\\]|\\{\\})") {
        let body = format!(r#"{{"notificationItems":[{{"NotificationRequestItem":{{"pspReference":{value},
            "amount":{{"value":{value},"currency":"EUR"}},"success":"true","eventCode":"CAPTURE",
            "eventDate":{value},"additionalData":{{"hmacSignature":{value}}}}}}}]}}"#);
        let request = Request::post("/", body);
        drop(Adyen::claim(&request));
        drop(Adyen::parse(&request));
        drop(Adyen::sign(request, 0, &[]));
    }
}
