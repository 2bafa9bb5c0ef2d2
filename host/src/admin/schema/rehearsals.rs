//! The schemas of what rehearsals have found.
//!
//! Under names of their own: reloads have reports too. Never says what is compared.

use std::collections::BTreeMap;

use crate::ids::Id;
use crate::rehearsal::{
    Group as RehearsalGroup, Measured as RehearsalTimes, Report as RehearsalReport,
    Sample as RehearsalSample,
};

object! {
    /// What a rehearsal has found.
    RehearsalReport {
        /// The name of the plugin.
        plugin: String,
        /// The version that was tried.
        version: String,
        /// The digest of its file, SHA-256 in hexadecimal.
        digest: String,
        /// `provider` or `handler`.
        role: String,
        /// The receipts or runs that were compared.
        compared: u64,
        /// Those that came to the same.
        equal: u64,
        /// Those that did not.
        differing: u64,
        /// The number that could not be compared, by the reason.
        not_compared: BTreeMap<String, u64>,
        /// The most memory that a call of this version needed, in bytes.
        memory_bytes: u64,
        /// What differs: most frequent first.
        groups: Vec<RehearsalGroup>,
        /// How long the calls took.
        [maybe] measured: Option<RehearsalTimes>,
    }
}

object! {
    /// Differences of one kind.
    RehearsalGroup {
        /// `proof`, `event_ids`, `event_missing`, `event_added`, `event_field`, `effect_missing`,
        /// `effect_added`, `effect_field`, `alert`, `state_key`, `outcome`, `log`, or `other`.
        kind: String,
        /// What differs: `money.amount`, `data.lines[].price`.
        field: String,
        /// The receipts or runs that have it.
        count: u64,
        /// The oldest of them.
        samples: Vec<RehearsalSample>,
    }
}

object! {
    /// One difference.
    RehearsalSample {
        /// A receipt or a run.
        id: Id,
        /// The event that a run is on.
        [maybe] event: Option<Id>,
        /// What the gateway recorded.
        recorded: String,
        /// What this version came to.
        now: String,
    }
}

object! {
    /// How long calls took, in microseconds.
    RehearsalTimes {
        /// The median of this version.
        median_us: u64,
        /// The median of what the gateway recorded of the same, with what each waited for.
        recorded_median_us: u64,
    }
}
