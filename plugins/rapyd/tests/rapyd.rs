//! Rapyd's requests, proven and parsed.

use hookgate_rapyd::Rapyd;
use hookgate_sdk::testing::{Bench, send, sign};
use hookgate_sdk::{Provider, Request, provider_tests};

const SECRET: &str = "rsk_hookgate_lantern";
const SETTINGS: &str = include_str!("../settings.json");

provider_tests!(Rapyd);

#[test]
fn the_url_must_be_what_rapyd_knows() {
    let check = |settings: &str| Bench::new().with_settings(settings).check_provider::<Rapyd>();
    for settings in [SETTINGS, r#"{"url":"https://a.b","access_key":"rak_1"}"#] {
        assert_eq!(check(settings), Ok(()), "{settings}");
    }
    for settings in ["{}", r#"{"url":"/in/rapyd"}"#, r#"{"url":"https://a.b","access_key":""}"#] {
        assert!(check(settings).is_err(), "{settings}");
    }
}

#[test]
fn an_access_key_that_is_set_stands_in_for_a_header_that_a_proxy_dropped() {
    let settings = r#"{"url":"https://a.b","access_key":"rak_1"}"#;
    Bench::new().with_settings(settings).call(|| {
        let mut request = sign::<Rapyd>(&Request::post("/in/rapyd", "{}"), SECRET, 0);
        let signed = Rapyd::claim(&request);
        request.remove_header("access_key");
        assert!(signed.is_ok());
        assert_eq!(Rapyd::claim(&request), signed);
    });
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"id":"wh_1","type":"PAYMENT_COMPLETED","organization_id":"o1","data":
        {"id":"payment_1","merchant_reference_id":"L-1001"}}"#;
    let bench = Bench::new().with_settings(SETTINGS);
    let request = Request::post("/in/rapyd", body);
    let event = bench.call(|| send::<Rapyd>(&request, SECRET, 0)).remove(0);
    for (name, value) in [("account", "o1"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    assert!(event.data.contains(r#""envelope":{"organization_id":"o1"}"#), "{}", event.data);
}

#[test]
fn a_dispute_ends_won_or_lost_and_a_payment_succeeds_once() {
    let type_of = |name: &str, status: &str| {
        let body = format!(r#"{{"id":"wh_1","type":"{name}","data":{{"status":"{status}"}}}}"#);
        Rapyd::parse(&Request::post("/in/rapyd", body)).unwrap().remove(0).type_
    };
    assert_eq!(type_of("PAYMENT_DISPUTE_UPDATED", "WIN"), "dispute.won");
    assert_eq!(type_of("PAYMENT_DISPUTE_UPDATED", "LOS"), "dispute.lost");
    assert_eq!(type_of("PAYMENT_DISPUTE_UPDATED", "RVW"), "rapyd.PAYMENT_DISPUTE_UPDATED");
    assert_eq!(type_of("PAYMENT_COMPLETED", "CLO"), "payment.succeeded");
    assert_eq!(type_of("PAYMENT_SUCCEEDED", "CLO"), "rapyd.PAYMENT_SUCCEEDED");
    assert_eq!(type_of("PAYOUT_", ""), "rapyd.PAYOUT_");
}

#[test]
fn what_was_not_paid_is_about_what_was_requested() {
    let money = |paid: &str| {
        let body = format!(
            r#"{{"id":"wh_1","type":"PAYMENT_UPDATED","data":{{"paid":{paid},"amount":0.50,
                "original_amount":42.50,"currency_code":"EUR"}}}}"#
        );
        let events = Rapyd::parse(&Request::post("/in/rapyd", body)).unwrap();
        events[0].money.as_ref().map(|money| money.amount.clone())
    };
    assert_eq!(money("true").as_deref(), Some("0.50"));
    assert_eq!(money("false").as_deref(), Some("42.50"));
}
