//! Xendit's requests, proven and parsed.

use hookgate_sdk::provider_tests;
use hookgate_sdk::testing::Suite;
use hookgate_xendit::Xendit;

const SECRET: &str = "xnd_cb_hookgate_lantern";

provider_tests!(
    Suite::<Xendit>::new("xendit", env!("CARGO_MANIFEST_DIR"), SECRET)
        .with_headers(|sample| vec![("webhook-id", format!("wh-{sample}"))])
);
