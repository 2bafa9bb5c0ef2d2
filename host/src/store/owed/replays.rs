//! The replays by filter that are not finished: whose turn is next, and who waits for a mark or for
//! the end of what was opened again.
//!
//! In memory; their rows say how far each has come. Never reads the file, and opens no work.

use super::tally::Tallies;
use crate::ids::{Id, Name};

/// With so many works open that were opened again, no replay by filter opens more: those that it
/// opens stand in the lanes of all others, and are to be in memory.
pub(in crate::store) const REOPENED_MAX: usize = 1024;

/// A replay by filter that is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct OpenReplay {
    pub(in crate::store) id: Id,
    /// Its filter's source.
    pub(in crate::store) source: Option<Name>,
    /// Whether it may open works, beside those that it hastens.
    pub(in crate::store) opens: bool,
    /// Whether an operator has it stand still.
    pub(in crate::store) is_paused: bool,
}

/// What may keep replays from opening works.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits<'l> {
    pub(super) tallies: &'l Tallies,
    /// Whether fewer works than may be are open that were opened again.
    pub(super) has_room: bool,
}

impl OpenReplay {
    /// Whether it waits, because what it would open comes on top of too much. One of all sources
    /// waits for the mark of all only: one source may be over its own mark for weeks.
    pub(super) fn waits(&self, limits: Limits<'_>) -> bool {
        let is_full = || !limits.has_room || limits.tallies.are_full(self.source.as_ref());
        self.opens && !self.is_paused && is_full()
    }

    fn goes(&self, limits: Limits<'_>) -> bool {
        !self.is_paused && !self.waits(limits)
    }
}

/// Whose turn it is behind this one; the replays are in the order of their ids.
pub(super) fn next(open: &[OpenReplay], after: Option<Id>, limits: Limits<'_>) -> Option<Id> {
    let mut going = open.iter().filter(|replay| replay.goes(limits)).map(|replay| replay.id);
    let first = going.next()?;
    if after.is_none_or(|after| first > after) {
        return Some(first);
    }
    Some(going.find(|id| Some(*id) > after).unwrap_or(first))
}
