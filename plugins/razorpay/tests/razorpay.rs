//! Razorpay's requests, proven and parsed.

use hookgate_razorpay::Razorpay;
use hookgate_sdk::testing::send;
use hookgate_sdk::{Request, provider_tests};

const SECRET: &str = "hookgate_razorpay_lantern";

provider_tests!(Razorpay);

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"event":"payment_link.paid","account_id":"acc_1","contains":["payment_link","payment"],
        "payload":{"payment_link":{"entity":{"id":"plink_1","reference_id":"L-1001"}},
        "payment":{"entity":{"id":"pay_1","notes":[]}}}}"#;
    let request = Request::post("/in/razorpay", body);
    let event = send::<Razorpay>(&request, SECRET, 0).remove(0);
    for (name, value) in [("account", "acc_1"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    assert!(event.data.contains(r#""envelope":{"account_id":"acc_1"}"#), "{}", event.data);
}
