//! What a handler plugin says of itself, and what it gets beside an event.
//!
//! Pure values, mirrors of `wit/handler.wit`. What a run asks for is in [`crate::effect`]; nothing
//! here calls a handler.

use std::time::Duration;

use crate::event::Timestamp;
use crate::route::Pattern;
use crate::setting::Setting;
use crate::tenant::Tenant;

/// What a handler plugin says of itself, once, at load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerInfo {
    /// The handler's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// The event types that it runs on.
    pub types: Vec<Pattern>,
    /// The event types that it may emit.
    pub emits: Vec<Pattern>,
    /// The settings that it reads.
    pub settings: Vec<Setting>,
    /// How long a subject may stay in which state.
    pub states: Vec<StateRule>,
}

/// How long a subject may stay in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRule {
    /// The key of the state.
    pub key: String,
    /// The value of the key in that state; none is any value.
    pub value: Option<String>,
    /// The time after which the subject counts as stuck.
    pub stuck_after: Duration,
}

/// What a handler gets beside the event.
#[derive(Debug, Clone)]
pub struct HandleContext {
    /// The source that the event came in by, or the handler that emitted it.
    pub source: String,
    /// The id of the event: `evt_...`.
    pub event_id: String,
    /// The id of the run: `run_...`.
    pub run_id: String,
    /// The number of this try, 1 for the first.
    pub attempt: u32,
    /// The time of this try.
    pub now: Timestamp,
    /// Who requested this run again; none if nobody did.
    pub replay_by: Option<String>,
    /// Whose the event is; none if it is the operator's.
    pub tenant: Option<Tenant>,
}
