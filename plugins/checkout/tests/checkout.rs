//! Checkout.com's requests, proven and parsed.

use hookgate_checkout::Checkout;
use hookgate_sdk::provider_tests;
use hookgate_sdk::testing::Suite;

const SECRET: &str = "hookgate-checkout-lantern";

provider_tests!(Suite::<Checkout>::new("checkout", env!("CARGO_MANIFEST_DIR"), SECRET));
