//! Which event ids are known, and which receipt brought each first.
//!
//! The one place that decides whether an event is new. Ids are kept as the first 128 bits of a
//! SHA-256 over source and id: two of ten billion ids meet with a chance of 1 in 10^18, far below
//! that of a disk that lies, and nobody can make an id that meets another's without 2^128 tries.
//! The latest are in memory and found again in the log at a start; older ones are in sorted runs,
//! which the writer folds into larger ones a step at a time. Nothing outside of this file and its
//! folder knows how they are kept.

mod filter;
mod index;
mod sorted;
mod step;

use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use super::error::Failure;
use super::file::change::Change;
use super::file::id_rows::IdTable;
use super::file::view::View;
use super::time::Bounds;
use crate::ids::Name;

pub(super) use self::index::IdIndex;
pub(super) use self::sorted::Shape;
use self::sorted::find;
use self::step::Step;

/// Sets these hashes apart from all others.
const DOMAIN: &[u8] = b"hookgate event id 1\0";

/// An event id of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct IdKey(u128);

impl IdKey {
    pub(super) fn new(source: &Name, event_id: &str) -> Self {
        // A name has no zero byte, so no two pairs are written alike.
        let hash = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(source.as_str())
            .chain_update([0])
            .chain_update(event_id)
            .finalize();
        let half: [u8; 16] = hash[..16].try_into().expect("a SHA-256 has 32 bytes");
        Self(u128::from_be_bytes(half))
    }
}

/// What is known of the ids at a start; the rest is in the log, from [`IdIndex::mark`] on.
pub(super) fn load(view: &View, shape: Shape) -> Result<IdIndex, Failure> {
    IdIndex::load(&view.ids()?, shape)
}

/// The known ids, within one change.
#[derive(Debug)]
pub(super) struct KnownIds<'t> {
    index: &'t IdIndex,
    table: IdTable<'t>,
    bound: FxHashMap<IdKey, u64>,
    /// Groups to tidy beside this transaction's share.
    hurry: usize,
}

/// What changes in the index when the transaction has committed.
#[derive(Debug, Default)]
pub(super) struct IdChanges {
    bound: FxHashMap<IdKey, u64>,
    debt: usize,
    step: Option<Step>,
}

impl<'t> KnownIds<'t> {
    pub(super) fn open(index: &'t IdIndex, change: &'t Change) -> Result<Self, Failure> {
        Ok(Self { index, table: change.ids()?, bound: FxHashMap::default(), hurry: 0 })
    }

    /// The position of the receipt that this id belongs to.
    pub(super) fn owner(&self, key: IdKey) -> Result<Option<u64>, Failure> {
        if let Some(receipt) = self.bound.get(&key).copied().or_else(|| self.index.fresh(key)) {
            return Ok(Some(receipt));
        }
        for run in self.index.runs_that_may_hold(key) {
            if let Some(receipt) = find(&self.table, run, key)? {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }

    /// Gives an id that nobody owns to a receipt. The receipt's record, or the record of an event
    /// of it with this id, must be in the log of the same transaction.
    pub(super) fn bind(&mut self, key: IdKey, receipt: u64) {
        self.bound.insert(key, receipt);
    }

    /// So many groups more are tidied with this transaction.
    pub(super) fn hurry(&mut self, groups: usize) {
        self.hurry += groups;
    }

    /// Goes on with what there is to tidy, as far as this transaction's share goes.
    pub(super) fn finish(mut self, now: Bounds) -> Result<IdChanges, Failure> {
        let Some(task) = self.index.next_task(now.earliest) else {
            return Ok(IdChanges { bound: self.bound, ..IdChanges::default() });
        };
        let (groups, debt) = self.index.share(self.bound.len());
        let step = match groups + self.hurry {
            0 => None,
            groups => Some(self.index.perform(&mut self.table, task, groups, now.latest)?),
        };
        Ok(IdChanges { bound: self.bound, debt, step })
    }

    /// Writes all that is frozen.
    pub(super) fn flush(mut self, now: Bounds) -> Result<IdChanges, Failure> {
        let flush = self.index.flush();
        let all = usize::MAX;
        let flush = flush.map(|task| self.index.perform(&mut self.table, task, all, now.latest));
        Ok(IdChanges { bound: self.bound, debt: 0, step: flush.transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_two_sources_never_meet() {
        let key = |source: &str, id: &str| IdKey::new(&source.parse().unwrap(), id);
        assert_eq!(key("stripe", "evt_1"), key("stripe", "evt_1"));
        assert_ne!(key("stripe", "evt_1"), key("stripe2", "evt_1"));
        assert_ne!(key("stripe", "2evt"), key("stripe2", "evt"));
    }
}
