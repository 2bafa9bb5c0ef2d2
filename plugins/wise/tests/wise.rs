//! Wise's requests, proven and parsed, with a key of our own in the place of Wise's.

use hookgate_sdk::testing::{Bench, send, sign};
use hookgate_sdk::{Provider, Request, provider_tests};
use hookgate_wise::Wise;

const KEY: &str = include_str!("private_key.pem");

provider_tests!(Wise, |suite| suite.with_secret(KEY));

fn ids(subscription: &str, sent_at: &str, data: &str) -> Vec<String> {
    let body = format!(
        r#"{{"event_type":"transfers#state-change","subscription_id":"{subscription}",
            "sent_at":"{sent_at}","data":{{"resource":{{"id":7}},{data}}}}}"#
    );
    let signed = sign::<Wise>(&Request::post("/in/wise", body), KEY, 0);
    Wise::claim(&signed).expect("a signed request has claims").event_ids
}

#[test]
fn a_retry_is_told_by_what_happened_and_not_by_when_it_was_sent() {
    let dated = r#""current_state":"processing","occurred_at":"2026-01-01T00:00:00Z""#;
    let first = ids("s", "2026-01-01T00:00:00Z", dated);
    assert_eq!(first, ids("s", "2026-01-01T01:00:00Z", dated));
    let other = dated.replace("processing", "cancelled");
    assert_ne!(first, ids("s", "2026-01-01T00:00:00Z", &other));
}

#[test]
fn another_subscription_tells_nothing_new() {
    let dated = r#""occurred_at":"2026-01-01T00:00:00Z""#;
    assert_eq!(ids("a", "2026-01-01T00:00:01Z", dated), ids("b", "2026-01-01T00:00:02Z", dated));
}

#[test]
fn what_does_not_say_when_it_happened_is_told_by_when_it_was_sent() {
    let cases = r#""active_cases":["deposit_amount_less_invoice"]"#;
    let first = ids("s", "2026-01-01T00:00:00Z", cases);
    assert_ne!(first, ids("s", "2026-01-02T00:00:00Z", cases));
}

#[test]
fn no_other_customer_of_wise_is_heard_where_the_own_subscriptions_are_known() {
    let claim = |settings: &str, body: &str| {
        let signed = Wise::sign(Request::post("/in/wise", body), 0, &[vec![7; 256]]).unwrap();
        Bench::new().with_settings(settings).call(|| Wise::claim(&signed)).is_ok()
    };
    let body = r#"{"event_type":"balances#credit","subscription_id":"s","data":{}}"#;
    assert!(claim("{}", body));
    assert!(claim(r#"{"subscriptions":["r","s"]}"#, body));
    for body in [body, "{}", r#"{"subscription_id":7}"#, "not JSON"] {
        assert!(!claim(r#"{"subscriptions":["r","S"]}"#, body), "{body}");
    }
    let none = Bench::new().with_settings(r#"{"subscriptions":[]}"#);
    assert!(none.check_provider::<Wise>().is_err());
}

#[test]
fn a_test_moves_no_money() {
    let body = r#"{"data":{"resource":{"id":111,"profile_id":222,"type":"transfer"},
        "current_state":"outgoing_payment_sent","occurred_at":"2026-01-01T12:34:56Z"},
        "subscription_id":"s","event_type":"transfers#state-change","schema_version":"2.0.0"}"#;
    let event_of = |test: Option<&str>| {
        let mut request = Request::post("/in/wise", body);
        if let Some(test) = test {
            request.set_header("X-Test-Notification", test);
        }
        send::<Wise>(&request, KEY, 0).remove(0)
    };
    let real = event_of(None);
    assert_eq!((&*real.type_, real.label("livemode")), ("payout.paid", None));
    assert_eq!(real.label("account"), Some("222"));
    assert_eq!(event_of(Some("false")).type_, "payout.paid");
    for test in ["true", "True"] {
        let test = event_of(Some(test));
        assert_eq!(test.type_, "wise.test.transfers.state-change");
        assert_eq!(test.label("livemode"), Some("false"));
        assert_ne!(test.id, real.id);
    }
}

#[test]
fn what_lacks_its_data_is_an_event_all_the_same() {
    let request = Request::post("/in/wise", r#"{"event_type":"profiles#cdd-check"}"#);
    assert_eq!(send::<Wise>(&request, KEY, 0)[0].type_, "wise.profiles.cdd-check");
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    let body = r#"{"event_type":"balances#credit","subscription_id":"s",
        "data":{"amount":"1,5","currency":"EUR",
        "occurred_at":"2026-01-01T00:00:00Z","transfer":{"amount":9,"currency":"EUR"}}}"#;
    assert_eq!(Wise::parse(&Request::post("/", body)).unwrap()[0].money, None);
}
