//! The window of a lane: which of its works are in memory, and which are on disk only.
//!
//! Pure. The works of a lane go in the order of their keys: since when each may be tried, then its
//! position. All before the *bound* are in memory. Those from there on are *far*: they have rows on
//! disk, and are counted here. One that has no row yet waits in memory until it has. Never lets a
//! work be in memory and be read from the disk again.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, OrderKey, Tries};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::owed::tally::count::SourceNumber;

/// Where a work stands in its lane: since when it may be tried, by the store's count of time, and
/// its position.
pub(in crate::store) type Key = (Timestamp, u64);

/// Before all others.
pub(super) const FIRST: Key = (Timestamp(0), 0);

/// How much of what is owed is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// About as many works of a kind as may be ready or wait for a time in memory. It is shared by
    /// the lanes of which more is on disk.
    pub total: usize,
    /// A lane may have this many, however many lanes there are.
    pub least: usize,
    /// No lane has more, however few lanes there are.
    pub most: usize,
    /// While this many runs of a handler wait for a time or behind another of their subject, no
    /// more of that handler are read.
    pub held: usize,
}

impl Default for Windows {
    fn default() -> Self {
        Self { total: 262_144, least: 64, most: 4_096, held: 262_144 }
    }
}

/// Since when a work may be tried, and when that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct When {
    /// By the store's count of time: its place in the lane.
    pub(in crate::store) since: Timestamp,
    /// By what waits; zero is at once.
    pub(in crate::store) due: Timestamp,
}

impl When {
    /// At once.
    pub(in crate::store) fn at_once(since: Timestamp) -> Self {
        Self { since, due: Timestamp(0) }
    }

    pub(super) fn is_at_once(self) -> bool {
        self.due == Timestamp(0)
    }

    pub(super) fn key(self, position: u64) -> Key {
        (self.since, position)
    }
}

/// A work that was read in a lane.
#[derive(Debug, Clone)]
pub(in crate::store) struct FarWork {
    pub(in crate::store) key: Key,
    /// Whether it is counted as one that waits for a retry.
    pub(in crate::store) waits: bool,
    /// The source that it goes back to, if that is known.
    pub(in crate::store) root: Option<Name>,
    /// What it is and when it is due; `None` if it is not what its row says.
    pub(in crate::store) work: Option<(Entry, Timestamp)>,
}

/// A work that comes into memory.
#[derive(Debug, Clone)]
pub(super) enum Entering {
    /// From the disk.
    Far(FarWork),
    /// It was in memory behind the bound, and is known to all others.
    Later { key: Key, entry: Entry, due: Timestamp },
}

impl Entering {
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Far(FarWork { key, .. }) | Self::Later { key, .. } => *key,
        }
    }
}

/// Where a work was found that waits for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Behind the bound, in memory: it is taken out.
    Later(Entry),
    /// On disk only: it is counted no more.
    Far,
    /// Nowhere behind the bound.
    Here,
}

/// The window of one lane.
#[derive(Debug)]
pub(super) struct Window {
    /// All works with keys before this are in memory; without one, all works are.
    bound: Option<Key>,
    /// Works on disk only that may go at once, and those that wait for a retry.
    far_ready: usize,
    far_waiting: usize,
    /// Works behind the bound that are in memory: they have no rows yet, or got them while the
    /// lane was being read, so that whoever reads does not see them.
    later: BTreeMap<Key, Later>,
    /// Those of them that have rows.
    rowed: BTreeSet<Key>,
    /// The last key of all that was ever ready in memory, but for those in `early`. The bound never
    /// comes before it.
    highest: Key,
    /// Works in memory whose keys may lie behind the bound. Normally empty, but where deliveries go
    /// in order and wait.
    early: BTreeSet<u64>,
    /// While the lane is being read: whatever is read of these works does not count.
    passed_over: Option<BTreeSet<u64>>,
}

/// An [`Entry`] without its position, which is in the key, and when it is due. Small, because there
/// may be tens of thousands.
#[derive(Debug, Clone, Copy)]
struct Later {
    offset: u32,
    tries: Tries,
    source: SourceNumber,
    order: Option<OrderKey>,
    due: Timestamp,
}

impl Later {
    fn of(entry: Entry, due: Timestamp) -> Self {
        let Entry { position: _, offset, tries, source, order } = entry;
        Self { offset, tries, source, order, due }
    }

    fn entry(self, (_, position): Key) -> Entry {
        let Self { offset, tries, source, order, .. } = self;
        Entry { position, offset, tries, source, order }
    }

    fn waits(self) -> bool {
        self.due != Timestamp(0)
    }
}

impl Default for Window {
    fn default() -> Self {
        Self {
            bound: None,
            far_ready: 0,
            far_waiting: 0,
            later: BTreeMap::new(),
            rowed: BTreeSet::new(),
            highest: FIRST,
            early: BTreeSet::new(),
            passed_over: None,
        }
    }
}

impl Window {
    /// Works that a start found on disk.
    pub(super) fn add_far(&mut self, ready: usize, waiting: usize) {
        self.bound = Some(FIRST);
        self.far_ready += ready;
        self.far_waiting += waiting;
    }

    /// Whether a work with this key is not in memory, unless it is there by an exception.
    pub(super) fn is_beyond(&self, key: Key) -> bool {
        self.bound.is_some_and(|bound| key >= bound)
    }

    /// Whether the bound may come to this key.
    pub(super) fn may_end_at(&self, key: Key) -> bool {
        key > self.highest && !self.is_beyond(key)
    }

    /// The bound comes to the key of this work, which is the last in memory: it waits beyond.
    pub(super) fn end_at(&mut self, key: Key, entry: Entry, due: Timestamp, is_rowed: bool) {
        self.bound = Some(key);
        self.set_aside(key, entry, due, is_rowed);
    }

    /// A work waits beyond the bound.
    pub(super) fn set_aside(&mut self, key: Key, entry: Entry, due: Timestamp, is_rowed: bool) {
        if is_rowed && self.passed_over.is_none() {
            self.count_far(due != Timestamp(0), 1);
        } else {
            self.later.insert(key, Later::of(entry, due));
            if is_rowed {
                self.rowed.insert(key);
            }
        }
    }

    /// A work is ready in memory, or blocked there, whatever its key.
    pub(super) fn keeps(&mut self, key: Key) {
        if self.is_beyond(key) {
            self.early.insert(key.1);
        } else {
            self.highest = self.highest.max(key);
        }
    }

    /// A work in memory that waited for a time is ready. The store had counted up to `latest`: if
    /// that is before its key, the bound may come before it later.
    pub(super) fn fires(&mut self, key: Key, latest: Timestamp) {
        if key.0 > latest {
            self.early.insert(key.1);
        } else {
            self.keeps(key);
        }
    }

    /// What is read of this work never counts: nobody can do it, and its row stays, or it waits in
    /// memory whatever its key.
    pub(super) fn bars(&mut self, position: u64) {
        self.early.insert(position);
    }

    /// Whether a work is in memory whatever its key.
    pub(super) fn is_early(&self, position: u64) -> bool {
        self.early.contains(&position)
    }

    /// A work is finished, or joins anew.
    pub(super) fn leave(&mut self, position: u64) {
        self.early.remove(&position);
    }

    /// A work has a row from now on.
    pub(super) fn passed(&mut self, key: Key) {
        if self.passed_over.is_some() {
            if self.later.contains_key(&key) {
                self.rowed.insert(key);
            }
        } else if let Some(later) = self.later.remove(&key) {
            self.count_far(later.waits(), 1);
        }
    }

    /// Looks for a work that waited under this key and goes to another.
    pub(super) fn find(&mut self, key: Key, is_rowed: bool) -> Found {
        if let Some(later) = self.later.remove(&key) {
            self.rowed.remove(&key);
            self.pass_over(key.1);
            return Found::Later(later.entry(key));
        }
        if !is_rowed || !self.is_beyond(key) || self.early.contains(&key.1) {
            return Found::Here;
        }
        self.pass_over(key.1);
        self.count_far(true, -1);
        Found::Far
    }

    /// The key of a work that waits in memory behind the bound.
    pub(super) fn later_at(&self, position: u64) -> Option<Key> {
        self.later.keys().find(|key| key.1 == position).copied()
    }

    /// Takes a work with a row that waits on disk only under this key, if it does: from now on what
    /// is read of it does not count.
    pub(super) fn take_far(&mut self, key: Key, waits: bool) -> bool {
        if !self.is_beyond(key) || self.is_early(key.1) || self.later.contains_key(&key) {
            return false;
        }
        self.pass_over(key.1);
        self.early.insert(key.1);
        self.count_far(waits, -1);
        true
    }

    fn pass_over(&mut self, position: u64) {
        if let Some(passed_over) = &mut self.passed_over {
            passed_over.insert(position);
        }
    }

    /// Somebody reads the lane from here on, as it is on disk now.
    pub(super) fn begin_read(&mut self) -> Key {
        self.passed_over = Some(self.early.clone());
        self.bound.unwrap_or(FIRST)
    }

    pub(super) fn is_read(&self) -> bool {
        self.passed_over.is_some()
    }

    /// Nobody reads the lane any more, and nothing came of it.
    pub(super) fn give_up_read(&mut self) {
        self.passed_over = None;
        self.settle();
    }

    /// These works were read: all from the bound to `until`, without which it was the end of the
    /// lane. Gives what comes into memory, as far as there is room: of these, and of those that
    /// wait there.
    pub(super) fn fill(
        &mut self,
        rows: Vec<FarWork>,
        until: Option<Key>,
        room: usize,
    ) -> Vec<Entering> {
        let Some(passed_over) = self.passed_over.take() else { return Vec::new() };
        let rows = rows.into_iter().filter(|row| !passed_over.contains(&row.key.1));
        let entering = self.take_in(rows.collect(), until, room);
        self.settle();
        entering
    }

    /// The same without a look at the disk, where nothing is.
    pub(super) fn fill_from_memory(&mut self, room: usize) -> Vec<Entering> {
        if self.is_read() || self.far() > 0 {
            return Vec::new();
        }
        self.take_in(Vec::new(), None, room)
    }

    /// Moves the bound on, past as many works as there is room for. They come into memory.
    fn take_in(&mut self, rows: Vec<FarWork>, until: Option<Key>, room: usize) -> Vec<Entering> {
        let later = self.later.keys().copied().take(room.saturating_add(1));
        let mut keys: Vec<Key> = rows.iter().map(|row| row.key).chain(later).collect();
        keys.retain(|key| until.is_none_or(|until| *key < until));
        keys.sort_unstable();
        self.bound = keys.get(room).copied().or(until);

        let (entering, left): (Vec<FarWork>, Vec<FarWork>) =
            rows.into_iter().partition(|row| !self.is_beyond(row.key));
        entering.iter().for_each(|row| self.count_far(row.waits, -1));
        if until.is_none() {
            // Whatever was counted.
            (self.far_ready, self.far_waiting) = (0, 0);
            left.iter().for_each(|row| self.count_far(row.waits, 1));
        }
        let mut entering: Vec<Entering> = entering.into_iter().map(Entering::Far).collect();
        let rest = self.bound.map(|bound| self.later.split_off(&bound)).unwrap_or_default();
        self.rowed.retain(|key| rest.contains_key(key));
        let near = std::mem::replace(&mut self.later, rest).into_iter();
        let near = near.map(|(key, later)| Entering::Later {
            key,
            entry: later.entry(key),
            due: later.due,
        });
        entering.extend(near);
        entering.sort_unstable_by_key(Entering::key);
        entering
    }

    /// A work on disk comes into memory, whatever its key.
    pub(super) fn take_one(&mut self, row: &FarWork) {
        self.count_far(row.waits, -1);
    }

    /// What waits in memory and has a row is on disk.
    fn settle(&mut self) {
        for key in std::mem::take(&mut self.rowed) {
            if let Some(later) = self.later.remove(&key) {
                self.count_far(later.waits(), 1);
            }
        }
    }

    fn count_far(&mut self, waits: bool, more: isize) {
        let count = if waits { &mut self.far_waiting } else { &mut self.far_ready };
        *count = count.saturating_add_signed(more);
    }

    /// Works on disk only.
    pub(super) fn far(&self) -> usize {
        self.far_ready + self.far_waiting
    }

    /// Whether there are works behind the bound.
    pub(super) fn has_more(&self) -> bool {
        self.far() > 0 || !self.later.is_empty()
    }

    /// Works behind the bound that may go at once, and those that wait for a time.
    pub(super) fn beyond(&self) -> (usize, usize) {
        let ready = self.later.values().filter(|later| !later.waits()).count();
        (self.far_ready + ready, self.far_waiting + self.later.len() - ready)
    }

    /// Works behind the bound, but for those on disk only that wait for a retry.
    pub(super) fn behind(&self) -> usize {
        self.far_ready + self.later.len()
    }

    /// Works behind the bound that are in memory.
    pub(super) fn later(&self) -> usize {
        self.later.len()
    }

    /// Whether nothing is known of it that a new one would not know.
    pub(super) fn is_done(&self) -> bool {
        !self.has_more() && !self.is_read() && self.early.is_empty()
    }
}

#[cfg(test)]
mod tests;
