//! The replays by filter that are not finished: whose turn is next, and who waits for a mark.
//!
//! In memory; their rows say how far each has come. Never reads the file, and opens no work.

use super::tally::Tallies;
use crate::ids::{Id, Name};

/// A replay by filter that is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct OpenReplay {
    pub(in crate::store) id: Id,
    /// Its filter's source.
    pub(in crate::store) source: Option<Name>,
    /// Whether it may open works, beside those that it hastens.
    pub(in crate::store) opens: bool,
}

impl OpenReplay {
    /// Whether it waits, because what it would open comes on top of too much. One of all sources
    /// waits for the mark of all only: one source may be over its own mark for weeks.
    pub(super) fn waits(&self, tallies: &Tallies) -> bool {
        self.opens && tallies.are_full(self.source.as_ref())
    }
}

/// Whose turn it is behind this one; the replays are in the order of their ids.
pub(super) fn next(open: &[OpenReplay], after: Option<Id>, tallies: &Tallies) -> Option<Id> {
    let mut going = open.iter().filter(|replay| !replay.waits(tallies)).map(|replay| replay.id);
    let first = going.next()?;
    if after.is_none_or(|after| first > after) {
        return Some(first);
    }
    Some(going.find(|id| Some(*id) > after).unwrap_or(first))
}
