//! How much waits in each group: for whoever looks whether it grows.
//!
//! Pure. Never says that it is too much.

use super::Queue;
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

    /// The same of one group.
    pub(in crate::store::owed::backlog) fn waiting_of(&self, name: &Name) -> usize {
        self.by_name.get(name).map_or(0, |number| self.waiting(*number))
    }
}
