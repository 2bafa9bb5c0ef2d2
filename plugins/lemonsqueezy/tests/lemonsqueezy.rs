//! Lemon Squeezy's requests, proven and parsed.

use hookgate_lemonsqueezy::LemonSqueezy;
use hookgate_sdk::provider_tests;
use hookgate_sdk::testing::Suite;

const SECRET: &str = "hookgate-lemon";

provider_tests!(Suite::<LemonSqueezy>::new("lemonsqueezy", env!("CARGO_MANIFEST_DIR"), SECRET));
