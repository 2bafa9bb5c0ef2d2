//! The index: where the receipts and events of a source, a type, a subject or a time stand, and
//! what goes to an endpoint.
//!
//! The newest are in memory (`tail`); from time to time a commit writes them to rows as a block,
//! and many small blocks become one large one. All of it follows from the log: it is in no redo,
//! and a start reads the log behind the last block. What has no block yet is read in the log. It
//! may name more than what is wanted, never less; whoever lists reads each record and decides.

mod block;
pub(in crate::store) mod hours;
mod key;
mod merge;
mod postings;
pub(in crate::store) mod rebuild;
mod row;
mod search;
mod spans;
mod tail;
mod wanted;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

pub(in crate::store) use self::block::{Block, IndexChange};
use self::hours::Counts;
pub(in crate::store) use self::merge::Merge;
pub(in crate::store) use self::search::{InTail, Next, Search};
pub(in crate::store) use self::tail::Tail;
pub(in crate::store) use self::wanted::{Kind, NewItem, Tried, Types, Wanted};
use crate::lock::lock;
use crate::store::error::Failure;
use crate::store::file::index_rows::IndexRows;

/// Receipts and events that are in memory and in the log only; more are written as a block.
pub(in crate::store) const BLOCK_ITEMS: usize = 16_384;
/// A block with few items is written too when the log has grown by so many positions for each that
/// it may have: a start reads all of that.
const POSITIONS_PER_ITEM: usize = 16;
/// So is one whose items go to so many endpoints for each that it may have.
const DELIVERIES_PER_ITEM: usize = 8;

/// What is in memory of the index.
#[derive(Debug)]
pub(in crate::store) struct Index {
    tail: Mutex<Tail>,
    block_items: usize,
    /// How often it was read again: rows that were written before may be gone.
    life: AtomicU64,
    /// Where blocks begin that a list found damaged: the next sweep writes them anew.
    damaged: Mutex<BTreeSet<u64>>,
}

impl Index {
    pub(in crate::store) fn new(tail: Tail, block_items: usize) -> Self {
        let block_items = block_items.max(1);
        let (tail, life, damaged) = (Mutex::new(tail), AtomicU64::new(0), Mutex::default());
        Self { tail, block_items, life, damaged }
    }

    /// The blocks that begin here are damaged.
    pub(in crate::store) fn distrust(&self, blocks: &[u64]) {
        if !blocks.is_empty() {
            lock(&self.damaged).extend(blocks);
        }
    }

    /// Where the blocks begin that are damaged, each once.
    pub(in crate::store) fn take_distrusted(&self) -> BTreeSet<u64> {
        std::mem::take(&mut *lock(&self.damaged))
    }

    /// Adds what was committed in records that end at `end`, unless a look at the log has found
    /// that already.
    pub(in crate::store) fn add<'i>(
        &self,
        end: u64,
        items: impl Iterator<Item = NewItem<'i>>,
        tries: impl Iterator<Item = Tried>,
    ) {
        let mut tail = lock(&self.tail);
        if tail.sees(end) {
            items.for_each(|item| tail.push(item));
            tries.for_each(|tried| tail.tried(tried));
        }
    }

    /// What came in each hour, as far as it is in no block yet, and from where on that is.
    pub(in crate::store) fn counts(&self) -> (u64, Counts) {
        let tail = lock(&self.tail);
        (tail.first(), tail.counts())
    }

    /// The block to write with a commit that begins at `end`, if there is enough for one.
    pub(in crate::store) fn due(&self, end: u64) -> Option<Vec<IndexChange>> {
        let tail = lock(&self.tail);
        let is_long = end.saturating_sub(tail.first()) >= positions_of(self.block_items);
        let is_wide = tail.owed() >= self.block_items.saturating_mul(DELIVERIES_PER_ITEM);
        (is_long || is_wide || tail.len() >= self.block_items).then(|| block_changes(&tail, end))
    }

    /// A block has all before this position.
    pub(in crate::store) fn written(&self, to: u64) {
        lock(&self.tail).written(to);
    }

    /// Takes the place of what was in memory: the rows may be older than that was.
    pub(in crate::store) fn renew(&self, tail: Tail) {
        *lock(&self.tail) = tail;
        self.life.fetch_add(1, Ordering::AcqRel);
    }

    /// How often it was read again.
    pub(in crate::store) fn life(&self) -> u64 {
        self.life.load(Ordering::Acquire)
    }

    /// What the tail has of what is wanted. To be asked after the view was opened: what came since
    /// is in no record of the view, and what went since is named as a stretch without an index.
    pub(in crate::store) fn find(&self, wanted: &Wanted) -> InTail {
        let tail = lock(&self.tail);
        InTail { first: tail.first(), positions: tail.find(wanted) }
    }

    /// From here on all is in memory.
    pub(in crate::store) fn tail_first(&self) -> u64 {
        lock(&self.tail).first()
    }

    pub(in crate::store) fn block_items(&self) -> usize {
        self.block_items
    }

    /// Forgets what is in memory, as if an older Hookgate had stored it.
    #[cfg(test)]
    pub(in crate::store) fn forget(&self, end: u64) {
        *lock(&self.tail) = Tail::new(end);
    }
}

/// The log has no longer stretch without a block than this, where a block has so many items.
fn positions_of(items: usize) -> u64 {
    items.saturating_mul(POSITIONS_PER_ITEM) as u64
}

/// What the rows of blocks count of each hour that is wanted, and where the last block ends. A
/// damaged row counts nothing.
pub(in crate::store) fn counted(
    rows: &impl IndexRows,
    is_wanted: impl Fn(u64) -> bool,
) -> Result<(u64, Counts), Failure> {
    let (mut from, until) = key::hours_of(0, u64::MAX);
    let mut counts = Counts::new();
    while let Some((key, row)) = rows.first_from(&from, &until)? {
        // Its sum is checked before anything of it counts.
        let _: Option<()> = hours::add(&row, &is_wanted, &mut counts);
        from = key;
        from.push(0);
    }
    Ok((Block::end_of(&Block::all(rows)?), counts))
}

/// What to write so that all items of a tail have a block, which ends at `end`.
fn block_changes(tail: &Tail, end: u64) -> Vec<IndexChange> {
    let (block, writer, spans) = tail.block(end);
    // A block that was there and was damaged may have left rows.
    let (from, until) = key::rows_of(block.id());
    let mut changes = vec![IndexChange::Remove { from, until, most: usize::MAX }];
    changes.extend(writer.finish());
    // So may one that began elsewhere: nothing is counted twice.
    let (from, until) = key::hours_of(block.first, block.end);
    changes.push(IndexChange::Remove { from, until, most: usize::MAX });
    for (number, row) in (0..=u16::MAX).zip(hours::write(&tail.counts())) {
        changes.push(IndexChange::Put { key: key::hours(block.first, number), row });
    }
    let spans = spans::write(&spans);
    changes.push(IndexChange::Put { key: key::spans(block.first), row: spans });
    changes.push(block.row());
    changes
}
