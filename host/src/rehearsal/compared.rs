//! What came of one receipt or run that was run again.
//!
//! Values between the threads that run guests and the one that counts. Never shown as they are.

use std::time::Duration;

use super::difference::Difference;
use crate::ids::Id;
use crate::plugin::Spent;

/// What came of one receipt or run.
#[derive(Debug)]
pub(super) struct Compared {
    /// The receipt or the run.
    pub(super) id: Id,
    /// The event that a run is on.
    pub(super) event: Option<Id>,
    pub(super) ended: Ended,
    /// What the call took; nothing if there was none.
    pub(super) spent: Spent,
    /// How long the recorded try took.
    pub(super) recorded: Duration,
    /// Whether the call ran into its deadline.
    pub(super) is_late: bool,
}

/// How a comparison ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// With these differences; with none if all is equal.
    Compared(Vec<Difference>),
    /// There is none, for this reason.
    Not(&'static str),
}
