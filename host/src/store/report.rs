//! What is said to the store about a try: how it ended, what follows, and what it asks for.
//!
//! Values. The store keeps all of it as history and never judges: the verdict comes with the try.

use std::time::Duration;

use bytes::Bytes;

use super::facts::{NewEvent, PluginStamp};
use crate::effect::{Alert, LogLine, Parcel, StateHash};
use crate::event::Timestamp;
use crate::failure::{AttemptDetail, Reason};
use crate::retry::{Outcome, Verdict};
use crate::trace_context::TraceContext;

/// One try of a parse or a run.
#[derive(Debug, Clone)]
pub struct Try {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// The plugin that ran; `None` if none was loaded.
    pub plugin: Option<PluginStamp>,
    /// How it ended.
    pub outcome: Outcome,
    /// What follows.
    pub verdict: Verdict,
    /// What the plugin logged.
    pub log: Vec<LogLine>,
    /// Why it failed, if that is said. Kept of one that is dead.
    pub reason: Option<Reason>,
}

/// What came of a request that was parsed before it is stored.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The try, which is done.
    pub report: Try,
    /// Its events.
    pub events: Vec<NewEvent>,
}

/// One attempt of a delivery.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// The status of the answer, if one came.
    pub status: Option<u16>,
    /// An excerpt of the answer.
    pub answer: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What follows.
    pub verdict: Verdict,
    /// What else it saw; by default nothing.
    pub detail: AttemptDetail,
}

/// What a run asks for, all of it granted. Takes place together with the record of a run that is
/// done; of any other run none of it does.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// Events to add. The id of one that a replay of the run adds gets the number of the replay
    /// behind it.
    pub events: Vec<NewEvent>,
    /// Bytes to send.
    pub parcels: Vec<Parcel>,
    /// What the operator should see.
    pub alerts: Vec<Alert>,
    /// Keys to set, or to delete (`None`), in this order.
    pub state: Vec<(String, Option<Bytes>)>,
    /// Of what the run read of the state before, if it read any.
    pub state_read: Option<StateHash>,
    /// Whose state that is.
    pub scope: String,
    /// The span of the run, if it has one: what it sends is below it.
    pub trace: Option<TraceContext>,
}

/// Why a try is not committed though nothing is wrong with the store. Whoever made it drops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The work was taken before the store was opened, and whoever takes it now does it again.
    #[error("the gateway took this work from the store before it opened the store again")]
    OtherLife,
}
