//! What people see of a delivery in a list: where it goes, what it is about, how it stands and how
//! it went last.
//!
//! Values. Its endpoint is what deliveries call it: whoever shows it says more. Never has the event
//! itself.

use super::State;
use crate::event::Timestamp;
use crate::failure::{Phase, Reason};
use crate::ids::{Id, Name};
use crate::tenant::Tenant;

/// A delivery in a list.
#[derive(Debug, Clone)]
pub struct DeliverySummary {
    /// `dlv_`
    pub id: Id,
    /// Where it goes.
    pub endpoint: Name,
    /// The event that it is about.
    pub event_id: Id,
    /// Its type, if it is kept.
    pub event_type: Option<String>,
    /// The business entity that the event is about.
    pub subject: Option<String>,
    /// Whose event it is.
    pub tenant: Option<Tenant>,
    /// How far it has come.
    pub state: State,
    /// Why it is dead, if it is.
    pub reason: Option<Reason>,
    /// Attempts since it was opened or reopened.
    pub tries_made: u32,
    /// Not tried again before this time.
    pub retry_at: Option<Timestamp>,
    /// When it was stored.
    pub recorded_at: Timestamp,
    /// The last that is known of its attempts.
    pub last_attempt: Option<LastAttempt>,
}

/// How a delivery was attempted last, or ended without an attempt.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LastAttempt {
    /// When it began.
    pub at: Timestamp,
    /// The status of the answer, if one came.
    pub status: Option<u16>,
    /// The phase that it ended in.
    pub phase: Option<Phase>,
    /// Why it failed, if it did.
    pub reason: Option<Reason>,
}
