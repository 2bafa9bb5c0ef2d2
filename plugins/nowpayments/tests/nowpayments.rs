//! NOWPayments' requests, proven and parsed.

use hookgate_nowpayments::NowPayments;
use hookgate_sdk::testing::send;
use hookgate_sdk::{Event, Provider, Request, provider_tests};

const SECRET: &str = "hookgate-nowpayments-lantern";

provider_tests!(NowPayments);

fn parsed(body: &str) -> Event {
    NowPayments::parse(&Request::post("/in/nowpayments", body)).expect("it is parsed").remove(0)
}

fn money(body: &str) -> Option<String> {
    parsed(body).money.map(|money| format!("{} {}", money.amount, money.currency))
}

#[test]
fn the_order_of_members_and_white_space_make_no_other_event() {
    let one =
        r#"{"payment_id":1,"payment_status":"finished","fee":{"currency":"trx","depositFee":0.1}}"#;
    let other = r#"{ "fee": {"depositFee": 0.1, "currency": "trx"},
        "payment_status": "finished", "payment_id": 1 }"#;
    let claims = |body: &str| {
        let request = NowPayments::sign(Request::post("/in/nowpayments", body), 0, &[]).unwrap();
        NowPayments::claim(&request).unwrap()
    };
    assert_eq!(claims(one), claims(other));
    assert_eq!(parsed(one).id, parsed(other).id);
    let amount = one.replace("0.1", "0.10");
    assert_ne!(claims(one), claims(&amount));
    assert_ne!(parsed(one).id, parsed(&amount).id);
}

#[test]
fn a_payment_counts_as_paid_once() {
    for (state, event_type) in [
        ("confirming", "nowpayments.confirming"),
        ("confirmed", "payment.authorized"),
        ("sending", "nowpayments.sending"),
        ("finished", "payment.succeeded"),
        ("FINISHED", "nowpayments.FINISHED"),
    ] {
        let body = format!(r#"{{"payment_id":1,"payment_status":"{state}"}}"#);
        assert_eq!(parsed(&body).type_, event_type, "{state}");
    }
}

#[test]
fn what_arrived_in_part_or_went_back_is_not_the_price() {
    let body = |state: &str| {
        format!(
            r#"{{"payment_id":1,"payment_status":"{state}","price_amount":42.5,
            "price_currency":"eur","actually_paid":0.0000001,"pay_currency":"btc"}}"#
        )
    };
    assert_eq!(money(&body("finished")).as_deref(), Some("42.5 EUR"));
    assert_eq!(money(&body("partially_paid")).as_deref(), Some("0.0000001 BTC"));
    assert_eq!(money(&body("refunded")), None);
}

#[test]
fn a_payout_has_a_state_of_its_own() {
    for (state, event_type) in
        [("FINISHED", "payout.paid"), ("FAILED", "payout.failed"), ("REJECTED", "payout.rejected")]
    {
        let body = format!(r#"{{"id":"5","batch_withdrawal_id":"7","status":"{state}"}}"#);
        let event = parsed(&body);
        assert_eq!((event.type_.as_str(), event.subject.as_deref()), (event_type, Some("5")));
    }
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"payment_id":1,"payment_status":"waiting","order_id":"L-1001"}"#;
    let request = Request::post("/in/nowpayments", body);
    let event = send::<NowPayments>(&request, SECRET, 0).remove(0);
    assert_eq!(event.label("reference"), Some("L-1001"));
}

#[test]
fn a_body_that_would_take_long_to_sort_is_refused_unread() {
    let body = format!(r#"{{"payment_id":1,"order_id":"{}"}}"#, "x".repeat(64 << 10));
    let mut request = Request::post("/in/nowpayments", body);
    request.set_header("x-nowpayments-sig", "00".repeat(64));
    let refused = NowPayments::claim(&request).unwrap_err();
    assert_eq!(refused.reason, "the body has more than 65536 bytes");
}
