//! The `[retention]` table: how long what is finished is kept.
//!
//! Only durations and their defaults, which are the store's; the store does the rest.

use std::time::Duration;

use serde::Deserialize;

use super::file::HumanDuration;
use crate::store::Retention;

/// How long to keep what is finished. Every key may be left out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RetentionTable {
    /// Bodies and headers of receipts.
    bodies: HumanDuration,
    /// Events, and what is known of a receipt beside its body.
    events: HumanDuration,
    /// Attempts, and tries that added nothing.
    attempts: HumanDuration,
    /// Dead letters, with all that a replay needs.
    dead: HumanDuration,
    /// Bytes of what is packed, beyond which the oldest goes before its time.
    size_bytes: Option<u64>,
}

impl Default for RetentionTable {
    fn default() -> Self {
        let Retention { bodies, events, attempts, dead, size_bytes } = Retention::default();
        let [bodies, events, attempts, dead] = [bodies, events, attempts, dead].map(HumanDuration);
        Self { bodies, events, attempts, dead, size_bytes }
    }
}

impl RetentionTable {
    /// The name of a duration that is zero: nothing could be looked into, and no dead letter replayed.
    pub(super) fn zero(&self) -> Option<&'static str> {
        let times = [
            ("bodies", self.bodies),
            ("events", self.events),
            ("attempts", self.attempts),
            ("dead", self.dead),
        ];
        times.iter().find(|(_, time)| time.0 == Duration::ZERO).map(|(name, _)| *name)
    }
}

impl From<RetentionTable> for Retention {
    fn from(table: RetentionTable) -> Self {
        let RetentionTable { bodies, events, attempts, dead, size_bytes } = table;
        let [bodies, events, attempts, dead] = [bodies, events, attempts, dead].map(|time| time.0);
        Self { bodies, events, attempts, dead, size_bytes }
    }
}
