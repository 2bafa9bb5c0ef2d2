//! What one commit writes, wherever that is: records, the ids that receipts get, and what is said
//! of works and handlers.
//!
//! Pure: values, in the order in which operations added them. Never knows a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::event::Timestamp;
use crate::store::access::Puts;
use crate::store::file;
use crate::store::file::blank_rows::Blank;
use crate::store::file::death_rows::DeathRow;
use crate::store::ids::IdKey;
use crate::store::ids::terms::Owner;
use crate::store::index::IndexChange;
use crate::store::kind::WorkKind;
use crate::store::log::low_water::{Move, Waiting};
use crate::store::log::segment::SegmentWriter;
use crate::store::owed::standing::{Progress, Standing};
use crate::store::state::AllUsed;
use crate::store::time::Times;

/// One commit in the making. Its memory is used again for the next.
#[derive(Debug)]
pub(in crate::store) struct Batch {
    pub(super) records: SegmentWriter,
    /// The ids that it gives to receipts.
    pub(super) keys: FxHashMap<IdKey, Owner>,
    /// Open works that the low-water mark passes, where each waits.
    pub(super) passed: Vec<(u64, Waiting)>,
    /// All else, in order.
    pub(super) updates: Vec<Update>,
    /// What changes of the index, beside what this commit adds to it.
    pub(super) index: Vec<Arc<[IndexChange]>>,
    /// Segments that change places.
    pub(super) replaced: Vec<Replacement>,
    /// What it adds goes to new volumes.
    pub(super) leaves_volumes: bool,
    /// What it does to the rows of zeros that overwrite free pages.
    pub(super) blank: Option<Blank>,
    /// Groups of ids to write beside its share, of those that are in memory before it.
    pub(super) settles: usize,
    /// Works before this that are open have rows.
    pub(super) low_water: u64,
    /// When it was drafted.
    pub(super) time: Times,
    /// Since when what it opens may be tried: how far the store has counted, but never before any
    /// commit before it.
    pub(super) since: Timestamp,
    /// How each work stands by the updates.
    pub(super) standings: FxHashMap<u64, Standing>,
    /// By the updates, the number of the kind of each dead work; `None` if its letter is gone.
    pub(super) letters: FxHashMap<u64, Option<u8>>,
    /// By the updates, the rows of state; `None` if one is gone.
    pub(super) states: FxHashMap<Vec<u8>, Option<Bytes>>,
    /// What the rows of handlers take with it. Each has one row, however many runs change it.
    pub(super) used: AllUsed,
    /// By the updates, the rows of replays by filter; `None` if one is gone.
    pub(super) replays: BTreeMap<u64, Option<Bytes>>,
    /// Rows of which the log says nothing; `None` if one goes. They are durable by a checkpoint.
    pub(super) kept: Puts,
}

/// What a commit changes beside adding records.
///
/// The records of format 1 say less than that: none tells of a work's kind, of state, or of a work
/// that was hastened. So it stands beside them.
#[derive(Debug)]
pub(in crate::store) enum Update {
    /// A work stands otherwise than before. If it is open, it waits so.
    Stands {
        kind: WorkKind,
        work: u64,
        before: Standing,
        after: Standing,
        waiting: Option<Waiting>,
    },
    /// A row of state is this, or is gone.
    State { key: Vec<u8>, value: Option<Bytes> },
    /// The record of a work goes.
    Forgotten { work: u64 },
    /// A work that is dead has a letter that is found by this.
    Died { work: u64, row: DeathRow },
    /// The letter of a dead work goes.
    LetterDropped { work: u64 },
    /// The row of a replay by filter is this, or is gone.
    Replay { number: u64, row: Option<Bytes> },
    /// A fact of the store itself.
    Fact { name: &'static str, value: u64 },
}

/// Packed segments in the place of others.
#[derive(Debug, Clone)]
pub(in crate::store) struct Replacement {
    /// The keys of those that go.
    pub(in crate::store) gone: Vec<u64>,
    pub(in crate::store) packed: Vec<Repacked>,
}

/// A segment that takes the place of others.
#[derive(Debug, Clone)]
pub(in crate::store) struct Repacked {
    /// Its key.
    pub(in crate::store) first: u64,
    pub(in crate::store) bytes: Bytes,
    /// When to look at it again.
    pub(in crate::store) due: Timestamp,
}

impl Batch {
    /// An empty batch whose first record will stand at `first`.
    pub(in crate::store) fn new(first: u64) -> Self {
        let zero = Timestamp(0);
        Self {
            records: SegmentWriter::new(first),
            keys: FxHashMap::default(),
            passed: Vec::new(),
            updates: Vec::new(),
            index: Vec::new(),
            replaced: Vec::new(),
            leaves_volumes: false,
            blank: None,
            settles: 0,
            low_water: 0,
            time: Times { now: zero, counted: zero, point: None },
            since: zero,
            standings: FxHashMap::default(),
            letters: FxHashMap::default(),
            states: FxHashMap::default(),
            used: AllUsed::new(),
            replays: BTreeMap::new(),
            kept: Puts::new(),
        }
    }

    /// Begins an empty batch whose first record will stand at `first`.
    pub(in crate::store) fn begin(&mut self, first: u64, low_water: u64, time: Times) {
        let Self { records, keys, updates, replaced, settles, standings, letters, .. } = self;
        records.begin(first);
        keys.clear();
        updates.clear();
        replaced.clear();
        *settles = 0;
        standings.clear();
        letters.clear();
        self.passed.clear();
        self.index.clear();
        self.states.clear();
        self.used.clear();
        self.replays.clear();
        self.kept.clear();
        (self.leaves_volumes, self.blank) = (false, None);
        (self.low_water, self.time) = (low_water, time);
        self.since = self.since.max(time.counted);
    }

    /// What is ready may be tried since then, whoever made it ready.
    pub(in crate::store) fn not_before(&mut self, since: Timestamp) {
        self.since = self.since.max(since);
    }

    /// Since when a work may be tried that stands so by this, and goes by its position alone or
    /// does not.
    pub(in crate::store) fn since(&self, by_position: bool, standing: Standing) -> Timestamp {
        match standing.progress {
            // Only what may go at once is before all others.
            Progress::RetryAt(due) => {
                self.time.counted.after(due.since(self.time.now)).max(Timestamp(1))
            }
            _ if by_position => Timestamp(0),
            Progress::Ready | Progress::Done | Progress::Dead => self.since,
        }
    }

    /// Where its first record stands.
    pub(in crate::store) fn first(&self) -> u64 {
        self.records.first()
    }

    /// Where the next record will stand.
    pub(in crate::store) fn next(&self) -> u64 {
        self.records.next()
    }

    /// Whether there is nothing to commit: each commit leaves a record, by which it is told
    /// whether one that failed holds.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Moves the low-water mark, and gives every open work that it passes a row.
    pub(in crate::store) fn advance(&mut self, Move { mark, passed }: Move) {
        self.passed = passed;
        self.remember(file::LOW_WATER, mark);
        self.tell_time();
        self.low_water = mark;
    }

    /// Remembers a fact of the store itself.
    pub(in crate::store) fn remember(&mut self, name: &'static str, value: u64) {
        self.updates.push(Update::Fact { name, value });
    }

    /// Remembers how far the store has counted, for the next start.
    pub(in crate::store) fn tell_time(&mut self) {
        self.remember(file::TOLD, self.time.counted.0);
    }
}
