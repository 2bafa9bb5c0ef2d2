//! What is in memory of what was parsed before it was stored.

use super::*;

/// An endpoint may want the provider's own bytes.
#[tokio::test]
async fn a_receipt_that_was_parsed_before_is_in_memory_like_any_other() {
    let bench = Bench::new();
    let events = vec![event("evt_1", "").to(&[], &["crm"])];
    let parsed = Parsed { report: tried(Verdict::Done), events };
    let appended = bench.store.append_parsed(receipt(&["evt_1"]), Some(parsed)).await.unwrap();
    let (Appended::Stored(id), true) = appended else { panic!("{appended:?}") };
    assert!(bench.store.handle.shared.recent().get(id.position).is_some());
}
