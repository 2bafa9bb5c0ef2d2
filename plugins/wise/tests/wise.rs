//! Wise's requests, proven and parsed, with a key of our own in the place of Wise's.

use hookgate_sdk::testing::{Suite, sign};
use hookgate_sdk::{Provider, Request, provider_tests};
use hookgate_wise::Wise;

const KEY: &str = include_str!("private_key.pem");

provider_tests!(Suite::<Wise>::new("wise", env!("CARGO_MANIFEST_DIR"), KEY));

#[test]
fn a_retry_is_told_by_what_is_signed_and_not_by_when_it_was_sent() {
    let ids = |sent_at: &str, state: &str| {
        let body = format!(
            r#"{{"event_type":"transfers#state-change","subscription_id":"s","sent_at":"{sent_at}",
                "data":{{"resource":{{"id":7}},"current_state":"{state}"}}}}"#
        );
        Wise::claim(&sign::<Wise>(&Request::post("/in/wise", body), KEY, 0)).unwrap().event_ids
    };
    let first = ids("2026-01-01T00:00:00Z", "processing");
    assert_eq!(first, ids("2026-01-01T01:00:00Z", "processing"));
    assert_ne!(first, ids("2026-01-01T00:00:00Z", "cancelled"));
}
