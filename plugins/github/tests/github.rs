//! GitHub's requests, proven and parsed.

use hookgate_github::GitHub;
use hookgate_sdk::provider_tests;
use hookgate_sdk::testing::Suite;

const SECRET: &str = "hookgate's lantern";

provider_tests!(Suite::<GitHub>::new("github", env!("CARGO_MANIFEST_DIR"), SECRET).with_headers(
    |sample| {
        let event = sample.split('.').next().unwrap_or_default().to_owned();
        vec![("x-github-event", event), ("x-github-delivery", format!("delivery-of-{sample}"))]
    }
));
