//! A work as the backlog has it, and as it joins.
//!
//! Values. A backlog may hold millions, so one is small. Never knows where it waits.

use super::order::OrderKey;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::kind::WorkKind;
use crate::store::owed::tally::count::SourceNumber;

/// A work in the backlog; small, because a backlog may hold millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Entry {
    pub(in crate::store) position: u64,
    /// How far it stands behind the record that it works on.
    pub(in crate::store) offset: u32,
    pub(in crate::store) tries: Tries,
    /// The source that it goes back to; known once it has joined the backlog.
    pub(in crate::store) source: SourceNumber,
    /// What it must go in order with.
    pub(in crate::store) order: Option<OrderKey>,
}

/// How often a work was tried since it was opened, and whether it was opened again. In one number,
/// for an entry is small: no schedule has more than a hundred tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::store) struct Tries(u16);

/// Says of tries that the work was opened again.
const REOPENED: u16 = 1 << 15;

impl Tries {
    pub(in crate::store) fn new(made: u32, reopened: bool) -> Self {
        let made = u16::try_from(made).unwrap_or(u16::MAX).min(!REOPENED);
        Self(made | if reopened { REOPENED } else { 0 })
    }

    pub(in crate::store) fn made(self) -> u32 {
        u32::from(self.0 & !REOPENED)
    }

    pub(in crate::store) fn reopened(self) -> bool {
        self.0 & REOPENED != 0
    }

    pub(super) fn and_one(self) -> Self {
        Self::new(self.made().saturating_add(1), self.reopened())
    }
}

/// An open work, as it joins the backlog.
#[derive(Debug, Clone)]
pub(in crate::store) struct OpenWork {
    pub(in crate::store) kind: WorkKind,
    /// Its source, handler or endpoint: what limits and fairness go by.
    pub(in crate::store) group: Name,
    pub(in crate::store) entry: Entry,
    /// Not before this time; zero is at once.
    pub(in crate::store) due: Timestamp,
    /// Since when it may be tried, by the store's count of time: its place among those of its
    /// group.
    pub(in crate::store) since: Timestamp,
    /// The source whose receipt it goes back to, if that is known.
    pub(in crate::store) root: Option<Name>,
}
