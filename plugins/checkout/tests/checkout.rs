//! Checkout.com's requests, proven and parsed.

use hookgate_checkout::Checkout;
use hookgate_sdk::testing::send;
use hookgate_sdk::{Request, provider_tests};

const SECRET: &str = "hookgate-checkout-lantern";

provider_tests!(Checkout);

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"id":"evt_1","type":"payment_captured","version":"1.0.0","data":{"id":"pay_1",
        "reference":"L-1001","processing_channel_id":"pc_1"},
        "_links":{"self":{"href":"https://api.sandbox.checkout.com/workflows/events/evt_1"}}}"#;
    let request = Request::post("/in/checkout", body);
    let event = send::<Checkout>(&request, SECRET, 0).remove(0);
    for (name, value) in [("account", "pc_1"), ("livemode", "false"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    assert!(event.data.contains(r#""version":"1.0.0""#), "{}", event.data);
}
