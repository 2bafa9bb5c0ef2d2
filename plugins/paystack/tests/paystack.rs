//! Paystack's requests, proven and parsed.

use hookgate_paystack::Paystack;
use hookgate_sdk::testing::{Suite, send};
use hookgate_sdk::{Request, provider_tests};

const SECRET: &str = "sk_test_hookgate_lantern";

provider_tests!(Suite::<Paystack>::new("paystack", env!("CARGO_MANIFEST_DIR"), SECRET));

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
