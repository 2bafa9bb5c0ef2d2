//! Adyen's requests, proven and parsed.

use hookgate_adyen::Adyen;
use hookgate_sdk::testing::{Bench, send, sign};
use hookgate_sdk::{Event, FailureKind, Piece, Provider, Request, provider_tests};

const KEY: &str = "4C616E7465726E2D4B6574746C652D486F6F6B676174652D3031323334353637";
const NOW: u64 = 1_767_225_600_000;

provider_tests!(Adyen);

#[test]
fn settings_are_checked() {
    let check = |settings: &str| Bench::new().with_settings(settings).check_provider::<Adyen>();
    assert_eq!(check("{}"), Ok(()));
    assert_eq!(check(r#"{"merchant_account":"AcmeShop"}"#), Ok(()));
    assert_eq!(check(r#"{"capture":{"ideal":"automatic","*":"manual"}}"#), Ok(()));
    for settings in [
        r#"{"merchant_account":""}"#,
        r#"{"merchant_account":"a:b"}"#,
        r#"{"merchant_account":7}"#,
        r#"{"merchantAccount":"AcmeShop"}"#,
        r#"{"capture":"never"}"#,
        r#"{"capture":{"ideal":true}}"#,
        "[]",
    ] {
        assert!(check(settings).is_err(), "{settings}");
    }
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
fn a_digest_too_many_or_too_few_is_no_request() {
    let batch = || Request::post("/", include_str!("../samples/batch.json"));
    for digests in [1, 3] {
        assert!(Adyen::sign(batch(), NOW, &vec![vec![0; 32]; digests]).is_err());
    }
}

/// A batch of one item, with what is given put in.
fn item(fields: &str) -> Request {
    let fields = if fields.is_empty() { String::new() } else { format!("{fields},") };
    let item = format!(
        r#"{{{fields}"amount":{{"value":1250,"currency":"EUR"}},
            "merchantAccountCode":"HookgateLanterns",
            "success":"true","eventDate":"2026-01-01T00:00:00Z"}}"#
    );
    Request::post(
        "/in/adyen",
        format!(r#"{{"live":"true","notificationItems":[{{"NotificationRequestItem":{item}}}]}}"#),
    )
}

fn event_of(settings: &str, fields: &str) -> Event {
    let bench = Bench::new().with_settings(settings);
    bench.call(|| send::<Adyen>(&item(fields), KEY, NOW)).remove(0)
}

const PAYMENT: &str =
    r#""pspReference":"HGPSP0001","eventCode":"AUTHORISATION","paymentMethod":"ideal""#;

#[test]
fn a_report_may_hold_times_in_its_name() {
    let named = r#""pspReference":"settlement_2026-01-01T00:00:00_2026-01-31T23:59:59.csv",
        "eventCode":"REPORT_AVAILABLE""#;
    let event = event_of("{}", named);
    assert_eq!(event.type_, "adyen.report_available");
    assert_eq!(
        event.subject.as_deref(),
        Some("settlement_2026-01-01T00:00:00_2026-01-31T23:59:59.csv")
    );
}

#[test]
fn no_boundary_is_moved_in_what_moves_money() {
    let refused = |fields: &str| {
        let blank = Adyen::sign(item(fields), NOW, &[]).unwrap();
        Bench::new().call(|| Adyen::claim(&blank)).is_err()
    };
    for code in ["AUTHORISATION", "CAPTURE", "REFUND", "CHARGEBACK", "PAYOUT_THIRDPARTY"] {
        let code = format!(r#""eventCode":"{code}","#);
        assert!(refused(&format!(r#"{code}"pspReference":"HG:1""#)));
        assert!(refused(&format!(r#"{code}"pspReference":"HG1","originalReference":"HG:0""#)));
        assert!(!refused(&format!(r#"{code}"pspReference":"HG1","merchantReference":"a:b""#)));
    }
}

#[test]
fn what_reads_alike_once_signed_is_one_event() {
    let report = |psp: &str, reference: &str| {
        let fields = format!(
            r#""eventCode":"REPORT_AVAILABLE","pspReference":"{psp}",
                "merchantReference":"{reference}""#
        );
        event_of("{}", &fields).id
    };
    assert_eq!(report("a::HookgateLanterns:b", "c"), report("a", "b::HookgateLanterns:c"));
    assert_ne!(report("a", "b"), report("a", "c"));
}

#[test]
fn an_authorization_takes_the_money_only_where_the_operator_says_so() {
    let type_of = |settings: &str| event_of(settings, PAYMENT).type_;
    assert_eq!(type_of("{}"), "payment.authorized");
    assert_eq!(type_of(r#"{"capture":"automatic"}"#), "payment.succeeded");
    assert_eq!(type_of(r#"{"capture":{"ideal":"automatic"}}"#), "payment.succeeded");
    assert_eq!(type_of(r#"{"capture":{"visa":"automatic"}}"#), "payment.authorized");
    let free = PAYMENT.replace("HGPSP0001", "HGPSP0002");
    let free = item(&free).body;
    let free = String::from_utf8(free).unwrap().replace("1250", "0");
    let bench = Bench::new().with_settings(r#"{"capture":"automatic"}"#);
    let events = bench.call(|| send::<Adyen>(&Request::post("/in/adyen", free), KEY, NOW));
    assert_eq!(events[0].type_, "payment.authorized");
}

#[test]
fn an_item_says_whose_it_is_and_for_which_order() {
    let event = event_of("{}", &format!(r#"{PAYMENT},"merchantReference":"L-1001""#));
    for (name, value) in
        [("account", "HookgateLanterns"), ("livemode", "true"), ("reference", "L-1001")]
    {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
}

#[test]
fn another_amount_of_the_same_payment_is_another_event() {
    let first = item(PAYMENT);
    let other = String::from_utf8(first.body.clone()).unwrap().replace("1250", "1300");
    let other = Request::post("/in/adyen", other);
    let id = |request: &Request| send::<Adyen>(request, KEY, NOW).remove(0).id;
    assert_eq!(id(&first), id(&first));
    assert_ne!(id(&first), id(&other));
}

#[test]
fn two_updates_of_one_second_are_two_events() {
    let update = |balance: u32| {
        let body = format!(
            r#"{{"type":"balancePlatform.balanceAccount.balance.updated","environment":"test",
                "timestamp":"2026-01-01T00:00:00Z","data":{{"id":"BA1","balance":{balance}}}}}"#
        );
        send::<Adyen>(&Request::post("/in/adyen", body), KEY, NOW).remove(0)
    };
    assert_ne!(update(1).id, update(2).id);
    assert_eq!(update(1).label("livemode"), Some("false"));
}

#[test]
fn a_body_that_is_no_event_is_a_permanent_failure() {
    for body in ["", "lantern", "{}", "[]", r#"{"notificationItems":7}"#, r#"{"type":""}"#] {
        let failure = Adyen::parse(&Request::post("/", body)).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Permanent, "{body}");
    }
}

#[test]
fn older_endpoints_get_the_answer_that_they_wait_for() {
    let reply = Adyen::describe().reply.unwrap();
    let body = vec![Piece::Bytes(b"[accepted]".to_vec())];
    assert_eq!((reply.status, reply.body), (200, body));
}
