//! Which lanes are long, and how much waits in each.
//!
//! Pure. Never says that one is too long.

use super::Backlog;
use crate::ids::Name;
use crate::store::kind::WorkKind;

impl Backlog {
    /// The lanes in which more works wait than this, and how many do in each.
    pub(in crate::store) fn longer_than(&self, works: usize) -> Vec<(WorkKind, Name, usize)> {
        let of = move |kind: WorkKind| {
            let lanes = self.queues[kind].longer_than(works);
            lanes.map(move |(name, waiting)| (kind, name.clone(), waiting))
        };
        WorkKind::ALL.into_iter().flat_map(of).collect()
    }

    /// How many works wait in one lane.
    pub(in crate::store) fn waiting_of(&self, kind: WorkKind, group: &Name) -> usize {
        self.queues[kind].waiting_of(group)
    }

    /// About the least position of a work of this kind that waits, of all lanes: where more of a
    /// lane is on disk only, it is that of the next in memory.
    pub(in crate::store) fn oldest_of(&self, kind: WorkKind) -> Option<u64> {
        self.queues[kind].oldest()
    }

    /// The lanes of this kind in which works wait, and how many do in each.
    pub(in crate::store) fn waiting(&self, kind: WorkKind) -> Vec<(Name, usize)> {
        let lanes = self.queues[kind].longer_than(0);
        lanes.map(|(name, waiting)| (name.clone(), waiting)).collect()
    }
}
