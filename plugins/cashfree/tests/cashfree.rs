//! Cashfree's requests, proven and parsed.

use hookgate_cashfree::Cashfree;
use hookgate_sdk::provider_tests;
use hookgate_sdk::testing::Suite;

const SECRET: &str = "hookgate-cashfree-lantern";

provider_tests!(
    Suite::<Cashfree>::new("cashfree", env!("CARGO_MANIFEST_DIR"), SECRET)
        .with_headers(|sample| vec![("x-idempotency-key", format!("idem-{sample}"))])
);
