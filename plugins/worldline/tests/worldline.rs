//! Worldline's requests, proven and parsed.

use hookgate_sdk::provider_tests;
use hookgate_sdk::testing::Suite;
use hookgate_worldline::Worldline;

const SECRET: &str = "hookgate-worldline-lantern";

provider_tests!(
    Suite::<Worldline>::new("worldline", env!("CARGO_MANIFEST_DIR"), SECRET)
        .with_headers(|_| vec![("x-gcs-keyid", "hg-key-1".to_owned())])
);
