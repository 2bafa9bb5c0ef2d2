//! Paddle's requests, proven and parsed.

use hookgate_paddle::Paddle;
use hookgate_sdk::provider_tests;
use hookgate_sdk::testing::Suite;

const SECRET: &str = "pdl_ntfset_hookgate_lantern";

provider_tests!(Suite::<Paddle>::new("paddle", env!("CARGO_MANIFEST_DIR"), SECRET)
    .with_payloads(|name, payload| match name.strip_prefix("entity.") {
        // The object alone, as it stands in `data`.
        Some(event) => format!(
            r#"{{"event_id":"evt_1","event_type":"{event}","occurred_at":"2026-01-01T00:00:00Z","data":{payload}}}"#
        ),
        None => payload,
    }));
