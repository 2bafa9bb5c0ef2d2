//! What is counted of the rows as commits hold: what is live in each volume, and how many works are
//! open and dead.
//!
//! Keeps the counts of two kinds in step. Never counts anything itself.

use redb::{ReadTransaction, WriteTransaction};

use super::live::{self, Live};
use super::totals::{Moved, Sums, Totals};
use super::volumes::Point;
use crate::store::error::Failure;

/// All that is counted.
#[derive(Debug)]
pub(super) struct Counts {
    live: Live,
    sums: Sums,
}

/// What a change makes of what is counted, to be counted once it is committed.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) segments: live::Counted,
    pub(super) rows: Moved,
}

impl Counts {
    /// As they were written down; where that is not as of now, as they were left; else counted.
    pub(super) fn load(
        transaction: &ReadTransaction,
        left: Option<(Point, Self)>,
    ) -> Result<Self, Failure> {
        let left = left.map(|(as_of, Self { live, sums })| ((as_of, live), (as_of, sums)));
        let (live, sums) = left.unzip();
        Ok(Self { live: Live::load(transaction, live)?, sums: Sums::load(transaction, sums)? })
    }

    /// Counts a change that is committed.
    pub(super) fn apply(&mut self, counted: &Counted) {
        self.live.apply(&counted.segments);
        self.sums.apply(&counted.rows);
    }

    /// Writes down what has changed, with a checkpoint that makes this change too: the rows have
    /// the log up to `applied`. No checkpoint moves a segment.
    pub(super) fn write(
        &mut self,
        transaction: &WriteTransaction,
        applied: Point,
        counted: &Counted,
    ) -> Result<(), Failure> {
        self.live.write(transaction, applied)?;
        self.sums.write(transaction, applied, &counted.rows)
    }

    /// Whether a row points into this volume.
    pub(super) fn is_live(&self, volume: u32) -> bool {
        self.live.is_live(volume)
    }

    /// How many works are open before the low-water mark, and how many are dead.
    pub(super) fn totals(&self) -> Totals {
        self.sums.totals()
    }
}
