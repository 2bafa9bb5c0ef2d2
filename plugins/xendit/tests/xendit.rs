//! Xendit's requests, proven and parsed.

use hookgate_sdk::testing::Suite;
use hookgate_sdk::{Provider, Request, provider_tests};
use hookgate_xendit::Xendit;

const SECRET: &str = "xnd_cb_hookgate_lantern";

provider_tests!(
    Suite::<Xendit>::new("xendit", env!("CARGO_MANIFEST_DIR"), SECRET)
        .with_headers(|sample| vec![("webhook-id", format!("wh-{sample}"))])
);

#[test]
fn a_retry_without_an_id_is_known_by_what_it_is_about() {
    let id = |sent: &str, status: &str| {
        let body = format!(
            r#"{{"event":"payment.capture","created":"{sent}","data":{{"status":"{status}"}}}}"#
        );
        Xendit::parse(&Request::post("/in/xendit", body)).unwrap()[0].id.clone()
    };
    let first = id("2026-01-01T00:00:00Z", "SUCCEEDED");
    assert_eq!(first, id("2026-01-01T00:15:00Z", "SUCCEEDED"));
    assert_ne!(first, id("2026-01-01T00:00:00Z", "FAILED"));
}
