//! Razorpay's requests, proven and parsed.

use hookgate_razorpay::Razorpay;
use hookgate_sdk::provider_tests;
use hookgate_sdk::testing::Suite;

const SECRET: &str = "hookgate_razorpay_lantern";

provider_tests!(
    Suite::<Razorpay>::new("razorpay", env!("CARGO_MANIFEST_DIR"), SECRET)
        .with_headers(|sample| vec![("x-razorpay-event-id", format!("evhg_{sample}"))])
);
