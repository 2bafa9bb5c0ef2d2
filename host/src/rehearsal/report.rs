//! What a rehearsal has found: how much it compared, and what differs, in groups.
//!
//! Values, as JSON has them too. Everything in a report but the times follows from what is stored
//! and from the plugin: two rehearsals of the same give the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::Id;

/// What a rehearsal has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The name of the plugin.
    pub plugin: String,
    /// The version that was tried.
    pub version: String,
    /// The digest of its file, in hexadecimal.
    pub digest: String,
    /// `provider` or `handler`.
    pub role: String,
    /// How many receipts or runs were compared.
    pub compared: u64,
    /// How many of them came to the same.
    pub equal: u64,
    /// How many did not.
    pub differing: u64,
    /// How many could not be compared, by why: `unknown_state`, `not_tried_yet`, `result_expired`,
    /// `event_expired`, `body_expired`, `key_to_fetch`, `not_decrypted`, `not_routed_then`,
    /// `not_run`, `gateway_failed`, `damaged`.
    pub not_compared: BTreeMap<String, u64>,
    /// The most bytes of memory that a call of the version that was tried needed.
    pub memory_bytes: u64,
    /// What differs: most frequent first.
    pub groups: Vec<Group>,
    /// How long it took. Differs from one rehearsal to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// Differences of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// `proof`, `event_ids`, `event_missing`, `event_added`, `event_field`, `effect_missing`,
    /// `effect_added`, `effect_field`, `alert`, `state_key`, `outcome`, `log`; or `other`, for all
    /// that are in no group because there are too many.
    pub kind: String,
    /// What differs: `money.amount`, `data.lines[].price`, `success -> trap`.
    pub field: String,
    /// In how many receipts or runs.
    pub count: u64,
    /// The oldest of them.
    pub samples: Vec<Sample>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// `rcp_` or `run_`
    pub id: Id,
    /// The event that a run is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Id>,
    /// What is recorded, at most 200 characters.
    pub recorded: String,
    /// What the version came to that was tried, at most 200 characters.
    pub now: String,
}

/// How long calls took, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The median of the calls that were compared.
    pub median_us: u64,
    /// The median of what is recorded of the same. It includes what each waited for.
    pub recorded_median_us: u64,
}
