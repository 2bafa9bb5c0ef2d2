//! Which event ids are known, and which receipt brought each first.
//!
//! The one place that decides whether an event is new. Ids are kept as the first 128 bits of a
//! SHA-256 over source and id: two of ten billion ids meet with a chance of 1 in 10^18, far below
//! that of a disk that lies, and nobody can make an id that meets another's without 2^128 tries.
//! The latest are in memory and found again in the log at a start; older ones are in sorted runs,
//! which the writer folds into larger ones, each commit as much as its own ids pay for. A run has
//! ids of one term only, and goes when that is over. Nothing outside of this file and its folder
//! knows how they are kept.

mod filter;
mod index;
mod sorted;
mod step;
pub(super) mod terms;

use sha2::{Digest, Sha256};

use super::error::Failure;
use super::file::change::Change;
use super::file::id_rows::IdView;
use super::file::view::View;
use super::time::Times;
use super::time::line;
use crate::ids::Name;

pub(super) use self::index::IdIndex;
pub(super) use self::sorted::Shape;
use self::step::{Step, Task};

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

/// The receipt that one of these runs has for an id; one that is there no more has none.
pub(super) fn find_in(rows: &IdView, runs: &[u64], key: IdKey) -> Result<Option<u64>, Failure> {
    for run in runs {
        if let Some(receipt) = sorted::find(rows, *run, key)? {
            return Ok(Some(receipt));
        }
    }
    Ok(None)
}

/// What changes in the index when the transaction has committed, beside the ids that it binds.
#[derive(Debug, Default)]
pub(super) struct IdChanges {
    debt: usize,
    steps: Vec<Step>,
}

/// Goes on with what there is to tidy, as far as the share of a transaction goes that binds so many
/// ids, and so many groups further. Where a point joined the line of time, old ones may go.
pub(super) fn tidy(
    index: &IdIndex,
    change: &Change,
    bound: usize,
    further: usize,
    now: Times,
) -> Result<IdChanges, Failure> {
    if now.point.is_some() {
        line::trim(&mut change.ids()?)?;
    }
    let (share, debt) = index.share(bound);
    let groups = share + further;
    // Most transactions have no share yet, and need not look.
    let tasks = if groups == 0 { Vec::new() } else { index.tasks(now.counted) };
    Ok(IdChanges { debt, steps: perform(index, change, tasks, groups, now)? })
}

/// Writes all that is frozen.
pub(super) fn flush(index: &IdIndex, change: &Change, now: Times) -> Result<IdChanges, Failure> {
    let steps = perform(index, change, index.flushes(), usize::MAX, now)?;
    Ok(IdChanges { debt: 0, steps })
}

/// Does one task after the other, as far as so many groups go.
fn perform(
    index: &IdIndex,
    change: &Change,
    tasks: Vec<Task>,
    mut groups: usize,
    now: Times,
) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    if tasks.is_empty() {
        return Ok(steps);
    }
    let mut table = change.ids()?;
    for task in tasks {
        if groups == 0 {
            break;
        }
        let step = index.perform(&mut table, task, groups, now.counted)?;
        groups = groups.saturating_sub(step.cost);
        steps.push(step);
    }
    Ok(steps)
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
