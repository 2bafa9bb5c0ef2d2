//! Order: the runs of one handler on one subject, one at a time.
//!
//! Pure. An order key is a hash of handler and subject: two subjects that share a key only wait for
//! each other now and then, and a key costs no texts. Never knows what is due or in flight.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;

use rustc_hash::FxHashMap;

use super::Entry;
use super::window::When;
use crate::ids::Name;

/// What goes in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::store) struct OrderKey(NonZeroU64);

/// Gives order keys; keyed anew in every process, so that nobody outside can make subjects meet.
#[derive(Debug, Default)]
pub(in crate::store) struct OrderKeys(RandomState);

impl OrderKeys {
    /// The key of a handler's runs on this subject.
    pub(in crate::store) fn key(&self, handler: &Name, subject: &str) -> OrderKey {
        OrderKey(NonZeroU64::MIN.saturating_add(self.0.hash_one((handler, subject))))
    }
}

/// Who waits behind whom.
#[derive(Debug, Default)]
pub(super) struct SubjectOrder {
    /// A key is here while a work of it may go; the queue holds those behind, and when they may.
    /// It is a keyed hash already.
    waiting: FxHashMap<OrderKey, VecDeque<(Entry, When)>>,
}

impl SubjectOrder {
    /// Whether it may go now; if not, it waits in here for its turn: behind what is older, before
    /// what is newer, so that what is opened again keeps its place among what waits.
    pub(super) fn enter(&mut self, entry: Entry, when: When) -> bool {
        let Some(key) = entry.order else { return true };
        match self.waiting.get_mut(&key) {
            Some(behind) => {
                let older = |waiting: &(Entry, When)| waiting.0.position < entry.position;
                behind.insert(behind.partition_point(older), (entry, when));
                false
            }
            None => {
                self.waiting.insert(key, VecDeque::new());
                true
            }
        }
    }

    /// Whether it waits in here; then it may go as soon as its turn comes.
    pub(super) fn hasten(&mut self, entry: Entry, now: When) -> bool {
        let behind = entry.order.and_then(|key| self.waiting.get_mut(&key));
        let found =
            behind.into_iter().flatten().find(|(waiting, _)| waiting.position == entry.position);
        found.is_some_and(|(_, when)| {
            *when = now;
            true
        })
    }

    /// The one in front is finished; gives the next.
    pub(super) fn leave(&mut self, entry: Entry) -> Option<(Entry, When)> {
        let key = entry.order?;
        let next = self.waiting.get_mut(&key)?.pop_front();
        if next.is_none() {
            self.waiting.remove(&key);
        }
        next
    }
    /// Takes up to `most` of those that wait behind the one in front, which stays there.
    pub(super) fn draw(&mut self, key: OrderKey, most: usize) -> Vec<Entry> {
        let Some(behind) = self.waiting.get_mut(&key) else { return Vec::new() };
        let drawn = behind.drain(..most.min(behind.len()));
        drawn.map(|(entry, _)| Entry { order: None, ..entry }).collect()
    }
}
