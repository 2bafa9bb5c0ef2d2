//! Slack's requests, proven and parsed.

use hookgate_sdk::provider_tests;
use hookgate_sdk::testing::Suite;
use hookgate_slack::Slack;

const SECRET: &str = "hookgate8slack8lantern";

provider_tests!(Suite::<Slack>::new("slack", env!("CARGO_MANIFEST_DIR"), SECRET));
