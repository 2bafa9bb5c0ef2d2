//! The open works that were opened again, and how many of these each source, handler and endpoint
//! has.
//!
//! Pure and in memory. Each counts once, however often it is read, and until it has ended. Never
//! knows what any of them waits for, but for whether it has failed since.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::{Backlog, Entry};
use crate::ids::Name;
use crate::store::kind::{PerKind, WorkKind};

/// With so many deliveries open that were opened again, and of which nobody knows when they end, an
/// endpoint is clogged.
const CLOGGED: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Reopened {
    /// The positions of all that are known, and whether each has failed since it was opened.
    works: FxHashMap<u64, bool>,
    /// How many of them each group has, by its number.
    groups: PerKind<FxHashMap<u32, Again>>,
}

/// Works of one group that were opened again.
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
        let again = self.groups[kind].entry(group).or_default();
        again.open += 1;
        again.failed += usize::from(has_failed);
    }

    /// The work at this position has failed, and waits for another try.
    pub(super) fn fail(&mut self, (kind, group): (WorkKind, u32), position: u64) {
        let Some(has_failed) = self.works.get_mut(&position) else { return };
        let is_first = !std::mem::replace(has_failed, true);
        if is_first && let Some(again) = self.groups[kind].get_mut(&group) {
            again.failed += 1;
        }
    }

    /// The work at this position has ended, or is out of everybody's way.
    pub(super) fn remove(&mut self, (kind, group): (WorkKind, u32), position: u64) {
        let Some(has_failed) = self.works.remove(&position) else { return };
        let again_of = &mut self.groups[kind];
        if let Some(again) = again_of.get_mut(&group) {
            again.open -= 1;
            again.failed -= usize::from(has_failed);
            if again.open == 0 {
                again_of.remove(&group);
            }
        }
    }
}

impl Backlog {
    /// How many works are open that were opened again and may end soon. Nobody knows that of
    /// deliveries to endpoints that are switched off or do not answer, nor of those that have
    /// failed since, nor of parses and runs of which none may be taken; and those that a start has
    /// left on disk are not known.
    pub(in crate::store) fn reopened_open(&self) -> usize {
        let left_out = |kind: WorkKind| {
            let groups = self.reopened.groups[kind].iter();
            let left_out = groups.map(|(group, again)| {
                if self.queues[kind].is_off(*group) {
                    return again.open;
                }
                match kind {
                    WorkKind::Delivery => self.lasting(*group, *again),
                    WorkKind::Parse | WorkKind::Run => 0,
                }
            });
            left_out.sum::<usize>()
        };
        self.reopened.works.len() - WorkKind::ALL.into_iter().map(left_out).sum::<usize>()
    }

    /// How many deliveries to each endpoint are open that were opened again, if there are any.
    pub(in crate::store) fn reopened_to(&self) -> BTreeMap<Name, usize> {
        let deliveries = &self.queues[WorkKind::Delivery];
        let again = self.reopened.groups[WorkKind::Delivery].iter();
        again.map(|(group, again)| (deliveries.name(*group), again.open)).collect()
    }

    /// The endpoints that are switched on, and to which so many deliveries are open that were
    /// opened again and may not end soon that there should be no more.
    pub(in crate::store) fn clogged(&self) -> BTreeSet<Name> {
        let deliveries = &self.queues[WorkKind::Delivery];
        let again = self.reopened.groups[WorkKind::Delivery].iter();
        let clogged = again.filter(|(group, again)| {
            !deliveries.is_off(**group) && self.lasting(**group, **again) >= CLOGGED
        });
        clogged.map(|(group, _)| deliveries.name(*group)).collect()
    }

    /// The endpoints that are switched off, if deliveries to them are open that were opened again.
    pub(in crate::store) fn switched_off(&self) -> BTreeSet<Name> {
        let deliveries = &self.queues[WorkKind::Delivery];
        let again = self.reopened.groups[WorkKind::Delivery].keys();
        again
            .filter(|group| deliveries.is_off(**group))
            .map(|group| deliveries.name(*group))
            .collect()
    }

    /// How many of these may not end soon.
    fn lasting(&self, group: u32, again: Again) -> usize {
        match self.queues[WorkKind::Delivery].is_trusted(group) {
            true => again.failed,
            false => again.open,
        }
    }
}
