//! The open works that were opened again, and how many of these are owed to each endpoint.
//!
//! Pure and in memory. Each counts once, however often it is read, and until it has ended. Never
//! knows what any of them waits for, but for whether it has failed since.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::{Backlog, Entry};
use crate::ids::Name;
use crate::store::kind::WorkKind;

/// With so many deliveries open that were opened again, and of which nobody knows when they end, an
/// endpoint is clogged.
const CLOGGED: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Reopened {
    /// The positions of all that are known, and whether each has failed since it was opened.
    works: FxHashMap<u64, bool>,
    /// How many of them are deliveries, by the numbers of their groups.
    deliveries: FxHashMap<u32, Again>,
}

/// Deliveries to one endpoint that were opened again.
#[derive(Debug, Clone, Copy, Default)]
struct Again {
    open: usize,
    /// Of these, the ones that have failed since.
    failed: usize,
}

impl Reopened {
    /// A work was opened or read: whether it was opened before is known now.
    pub(super) fn add(&mut self, (kind, group): (WorkKind, u32), entry: Entry) {
        if !entry.tries.reopened() || self.works.contains_key(&entry.position) {
            return;
        }
        let has_failed = entry.tries.made() > 0;
        self.works.insert(entry.position, has_failed);
        if kind == WorkKind::Delivery {
            let again = self.deliveries.entry(group).or_default();
            again.open += 1;
            again.failed += usize::from(has_failed);
        }
    }

    /// The work at this position has failed, and waits for another try.
    pub(super) fn fail(&mut self, (kind, group): (WorkKind, u32), position: u64) {
        let Some(has_failed) = self.works.get_mut(&position) else { return };
        let is_first = !std::mem::replace(has_failed, true);
        if is_first
            && kind == WorkKind::Delivery
            && let Some(again) = self.deliveries.get_mut(&group)
        {
            again.failed += 1;
        }
    }

    /// The work at this position has ended, or is out of everybody's way.
    pub(super) fn remove(&mut self, (kind, group): (WorkKind, u32), position: u64) {
        let Some(has_failed) = self.works.remove(&position) else { return };
        if kind != WorkKind::Delivery {
            return;
        }
        if let Some(again) = self.deliveries.get_mut(&group) {
            again.open -= 1;
            again.failed -= usize::from(has_failed);
            if again.open == 0 {
                self.deliveries.remove(&group);
            }
        }
    }
}

impl Backlog {
    /// How many works are open that were opened again and may end soon. Nobody knows that of
    /// deliveries to endpoints that are switched off or do not answer, nor of those that have
    /// failed since; and those that a start has left on disk are not known.
    pub(in crate::store) fn reopened_open(&self) -> usize {
        let deliveries = self.reopened.deliveries.iter();
        let left_out = deliveries.map(|(group, again)| match self.is_off(*group) {
            true => again.open,
            false => self.lasting(*group, *again),
        });
        self.reopened.works.len() - left_out.sum::<usize>()
    }

    /// How many deliveries to each endpoint are open that were opened again, if there are any.
    pub(in crate::store) fn reopened_to(&self) -> BTreeMap<Name, usize> {
        let deliveries = &self.queues[WorkKind::Delivery];
        let again = self.reopened.deliveries.iter();
        again.map(|(group, again)| (deliveries.name(*group), again.open)).collect()
    }

    /// The endpoints that are switched on, and to which so many deliveries are open that were
    /// opened again and may not end soon that there should be no more.
    pub(in crate::store) fn clogged(&self) -> BTreeSet<Name> {
        let deliveries = &self.queues[WorkKind::Delivery];
        let again = self.reopened.deliveries.iter();
        let clogged = again.filter(|(group, again)| {
            !self.is_off(**group) && self.lasting(**group, **again) >= CLOGGED
        });
        clogged.map(|(group, _)| deliveries.name(*group)).collect()
    }

    /// The endpoints that are switched off, if deliveries to them are open that were opened again.
    pub(in crate::store) fn switched_off(&self) -> BTreeSet<Name> {
        let deliveries = &self.queues[WorkKind::Delivery];
        let off = self.reopened.deliveries.keys().filter(|group| self.is_off(**group));
        off.map(|group| deliveries.name(*group)).collect()
    }

    /// How many of these may not end soon.
    fn lasting(&self, group: u32, again: Again) -> usize {
        match self.queues[WorkKind::Delivery].is_trusted(group) {
            true => again.failed,
            false => again.open,
        }
    }

    fn is_off(&self, group: u32) -> bool {
        self.queues[WorkKind::Delivery].is_off(group)
    }
}
