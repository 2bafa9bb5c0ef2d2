//! Paystack's requests, proven and parsed.

use hookgate_paystack::Paystack;
use hookgate_sdk::provider_tests;
use hookgate_sdk::testing::Suite;

const SECRET: &str = "sk_test_hookgate_lantern";

provider_tests!(Suite::<Paystack>::new("paystack", env!("CARGO_MANIFEST_DIR"), SECRET));
