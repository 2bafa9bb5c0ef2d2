//! Paystack's requests, proven and parsed.

use hookgate_paystack::Paystack;
use hookgate_sdk::testing::send;
use hookgate_sdk::{Request, provider_tests};

const SECRET: &str = "sk_test_hookgate_lantern";

provider_tests!(Paystack);

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"event":"charge.success","data":{"id":1,"domain":"test","integration":7,
        "reference":"L-1001","amount":4250,"currency":"NGN"}}"#;
    let request = Request::post("/in/paystack", body);
    let event = send::<Paystack>(&request, SECRET, 0).remove(0);
    for (name, value) in [("account", "7"), ("livemode", "false"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
}

#[test]
fn an_amount_that_cannot_be_read_is_not_taken_from_what_is_to_be_given_back() {
    let money = |amount: &str| {
        let body = format!(
            r#"{{"event":"charge.dispute.create","data":{{"id":1,"domain":"test","currency":"NGN",
                "amount":{amount},"refund_amount":4250}}}}"#
        );
        let request = Request::post("/in/paystack", body);
        let money = send::<Paystack>(&request, SECRET, 0).remove(0).money;
        money.map(|money| format!("{} {}", money.amount, money.currency))
    };

    assert_eq!(money("null").as_deref(), Some("42.50 NGN"));
    assert_eq!(money("100").as_deref(), Some("1.00 NGN"));
    assert_eq!(money("1.5"), None);
    assert_eq!(money("{}"), None);
    assert_eq!(money(&"9".repeat(300)), None);
}
