//! How much waits in each group: for whoever looks whether it grows.
//!
//! Pure. Never says that it is too much.

use super::{Group, Queue};
use crate::ids::Name;

impl Queue {
    /// The groups with more works than this, without those in flight, and how many each has.
    pub(in crate::store::owed::backlog) fn longer_than(
        &self,
        works: usize,
    ) -> impl Iterator<Item = (&Name, usize)> {
        let groups = self.by_name.iter();
        let counted = groups.map(move |(name, number)| (name, self.waiting(*number)));
        counted.filter(move |(_, waiting)| *waiting > works)
    }

    /// About the least position of what is ready or waits for a time: of each group that of the
    /// next. What was opened again is older than its wait, and does not count.
    pub(in crate::store::owed::backlog) fn oldest(&self) -> Option<u64> {
        let next = |group: &Group| {
            let timed = group.timed.values().next().map(|(_, entry)| entry);
            let next = group.ready.first().into_iter().chain(timed);
            next.filter(|entry| !entry.tries.reopened()).map(|entry| entry.position).min()
        };
        self.groups.iter().filter_map(next).min()
    }

    /// How many works wait in one group.
    pub(in crate::store::owed::backlog) fn waiting_of(&self, name: &Name) -> usize {
        self.by_name.get(name).map_or(0, |number| self.waiting(*number))
    }
}
