//! Zoom's requests, proven and parsed.

use hookgate_sdk::provider_tests;
use hookgate_sdk::testing::Suite;
use hookgate_zoom::Zoom;

const SECRET: &str = "hookgate-zoom-lantern";

provider_tests!(Suite::<Zoom>::new("zoom", env!("CARGO_MANIFEST_DIR"), SECRET));
