//! The guest: what it is told to do through a running gateway, and what became of it.
//!
//! Each test waits for the store and not for the clock. Never says what should become of it.

use serde_json::Value;

use super::{Harness, reasons, run_of, stands, text, texts};

impl Harness {
    /// What became of a command that the guest got as a handler.
    pub(crate) async fn handled(&self, command: Value) -> Value {
        self.handled_by("guest", command).await
    }

    /// What became of a command, or of anything else that it is, that another handler of the
    /// guest's events got.
    pub(crate) async fn handled_by(&self, handler: &str, command: Value) -> Value {
        self.guest(&command).await.accepted();
        self.settle().await;
        run_of(&self.event(&text(&command["id"])).await, handler)
    }

    /// What became of a command that the guest got as a provider.
    pub(crate) async fn parsed(&self, command: Value) -> Value {
        let id = self.guest(&command).await.accepted();
        self.settle().await;
        self.receipt(&id).await
    }
}

/// It failed once, for this reason, and is tried again.
#[track_caller]
pub(crate) fn check_crashed(tried: &Value, reason: &str) {
    assert_eq!(stands(tried), ("pending", 1));
    check_reason(tried, reason);
}

/// It is dead after one try, for this reason: the same again would end as it did.
#[track_caller]
pub(crate) fn check_dead(tried: &Value, reason: &str) {
    assert_eq!(stands(tried), ("dead", 1));
    check_reason(tried, reason);
}

/// It was tried once, by the guest, and failed for this reason.
#[track_caller]
pub(crate) fn check_reason(tried: &Value, reason: &str) {
    let found = reasons(&tried["tries"]);
    assert!(found.len() == 1 && found[0].contains(reason), "{found:?}");
    assert_eq!(tried["tries"][0]["plugin"]["name"], "guest");
}

/// What it wrote when it was tried first.
pub(crate) fn log_of(tried: &Value) -> Vec<String> {
    texts(&tried["tries"][0]["log"], "message")
}
