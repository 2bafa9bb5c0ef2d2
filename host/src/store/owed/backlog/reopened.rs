//! The open works that were opened again, and how many of these are owed to each endpoint.
//!
//! Pure and in memory. Each counts once, however often it is read, and until it has ended. Never
//! knows what any of them waits for.

use rustc_hash::{FxHashMap, FxHashSet};

use super::Entry;
use crate::store::kind::WorkKind;

#[derive(Debug, Default)]
pub(super) struct Reopened {
    /// The positions of all that are known.
    works: FxHashSet<u64>,
    /// How many of them are deliveries, by the numbers of their groups.
    deliveries: FxHashMap<u32, usize>,
}

impl Reopened {
    /// A work was opened or read: whether it was opened before is known now.
    pub(super) fn add(&mut self, (kind, group): (WorkKind, u32), entry: Entry) {
        let is_new = entry.tries.reopened() && self.works.insert(entry.position);
        if is_new && kind == WorkKind::Delivery {
            *self.deliveries.entry(group).or_default() += 1;
        }
    }

    /// The work at this position has ended, or is out of everybody's way.
    pub(super) fn remove(&mut self, (kind, group): (WorkKind, u32), position: u64) {
        if !self.works.remove(&position) || kind != WorkKind::Delivery {
            return;
        }
        if let Some(open) = self.deliveries.get_mut(&group) {
            *open -= 1;
            if *open == 0 {
                self.deliveries.remove(&group);
            }
        }
    }

    /// How many there are, but for the deliveries of these groups.
    pub(super) fn but_to(&self, is_left_out: impl Fn(u32) -> bool) -> usize {
        let left_out = self.endpoints().filter(|(group, _)| is_left_out(*group));
        self.works.len() - left_out.map(|(_, open)| open).sum::<usize>()
    }

    /// The groups that deliveries are owed to, and how many of each there are.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = (u32, usize)> {
        self.deliveries.iter().map(|(group, open)| (*group, *open))
    }
}
