//! A sorted run: some of the ids, in order, in one table with all the others.
//!
//! Ids lie in chunks of one page of the file each, and a group of chunks has one filter, again of
//! one page. All of it is kept under the run's number and the first id in it, so the table itself
//! leads to the one chunk that may hold an id. Never changes what is written; a run only grows at
//! its end until it is complete, and then goes as a whole. So its ids have one term, and came at
//! about the same time.

use serde::{Deserialize, Serialize};

use super::IdKey;
use super::filter::Filter;
use super::terms::Term;
use crate::event::Timestamp;
use crate::store::error::Failure;
use crate::store::file::id_rows::{IdRange, IdRow, IdRows, IdTable, IdsKey};

/// In this order they are removed: the row last, so that a run that is half gone has one.
pub(super) const CHUNK: u8 = 0;
pub(super) const FILTER: u8 = 1;
pub(super) const ROW: u8 = 2;

/// In the log, ids behind this position are in no run.
pub(super) const MARK: IdsKey = (0, ROW, 0);
/// No key is greater.
pub(super) const END: IdsKey = (u64::MAX, u8::MAX, u128::MAX);

/// What is kept of an id: itself and the position of its receipt.
pub(super) type Entry = (IdKey, u64);

pub(super) const ENTRY_BYTES: usize = 24;

/// What is known of a run as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) state: State,
    /// How many it has.
    pub(super) ids: u64,
    /// No id in it is newer.
    pub(super) newest: Timestamp,
    /// How long each of them is known.
    pub(super) term: Term,
    /// When the oldest were written to a run.
    pub(super) oldest: Timestamp,
}

/// The same as it was written before there was more than one term. An older Hookgate reads no
/// further in a newer one.
#[derive(Deserialize)]
struct Untermed {
    state: State,
    ids: u64,
    newest: Timestamp,
}

impl Row {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok().or_else(|| {
            let Untermed { state, ids, newest } = postcard::from_bytes(bytes).ok()?;
            Some(Self { state, ids, newest, term: Term::unsaid(), oldest: newest })
        })
    }
}

/// When the oldest and the newest ids of some runs were written to a run.
pub(super) fn times<'r>(rows: impl Iterator<Item = &'r Row> + Clone) -> (Timestamp, Timestamp) {
    let oldest = rows.clone().map(|row| row.oldest).min();
    let newest = rows.map(|row| row.newest).max();
    (oldest.unwrap_or_default(), newest.unwrap_or_default())
}

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// Is written: from memory, or from these runs, which count until it is complete.
    Growing { inputs: Vec<u64> },
    /// Counts.
    Complete,
    /// Counts no more and is removed.
    Going,
}

/// The sizes that runs are made of.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Shape {
    /// Ids in memory before they become a run.
    pub(in crate::store) fresh_ids: usize,
    /// With a key, a chunk fits a page of the file.
    pub(in crate::store) chunk_ids: usize,
    /// With a key, a filter fits a page of the file.
    pub(in crate::store) group_chunks: usize,
    /// As many runs of a level become one of the next.
    pub(in crate::store) fan_in: usize,
    /// Ids that are moved with a commit that brings none.
    pub(in crate::store) pace_idle: usize,
}

impl Shape {
    pub(in crate::store) const DEFAULT: Self =
        Self { fresh_ids: 65_536, chunk_ids: 168, group_chunks: 11, fan_in: 4, pace_idle: 64 };

    pub(super) fn group_ids(self) -> usize {
        self.chunk_ids * self.group_chunks
    }

    /// The level of a run. A bound is at half of what the level below makes when it is folded.
    pub(super) fn level(self, ids: u64) -> u32 {
        let fan_in = self.fan_in as u64;
        let mut bound = self.fresh_ids as u64 * fan_in / 2;
        let mut level = 0;
        while ids >= bound {
            bound = bound.saturating_mul(fan_in);
            level += 1;
        }
        level
    }
}

/// A run as memory knows it.
#[derive(Debug)]
pub(super) struct SortedRun {
    pub(super) row: Row,
    pub(super) groups: Vec<Group>,
    /// The last id that is written.
    pub(super) last: Option<IdKey>,
}

/// A part of a run that has one filter.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) first: IdKey,
    pub(super) filter: Filter,
}

impl SortedRun {
    pub(super) fn empty(row: Row) -> Self {
        Self { row, groups: Vec::new(), last: None }
    }

    pub(super) fn becomes(&mut self, row: Row) {
        if row.state == State::Going {
            self.groups = Vec::new();
        }
        self.row = row;
    }

    pub(super) fn may_hold(&self, key: IdKey) -> bool {
        // Ids are hashes and spread evenly: a group lies about where its share of all hashes does.
        // A search by halves would touch ten others first.
        let share = (key.0 >> 64) * self.groups.len() as u128;
        let mut behind = usize::try_from(share >> 64).expect("it is smaller than their number");
        while self.groups.get(behind).is_some_and(|group| group.first <= key) {
            behind += 1;
        }
        while behind > 0 && self.groups[behind - 1].first > key {
            behind -= 1;
        }
        behind > 0 && self.groups[behind - 1].filter.may_hold(key)
    }
}

pub(super) fn damaged(run: u64) -> Failure {
    Failure::DamagedIds { run }
}

/// Looks an id up in the one chunk of a run that may hold it.
pub(super) fn find(table: &impl IdRows, run: u64, key: IdKey) -> Result<Option<u64>, Failure> {
    let chunk = table.within((run, CHUNK, 0)..=(run, CHUNK, key.0))?.next_back();
    let Some(chunk) = chunk.transpose()? else { return Ok(None) };
    let (entries, rest) = chunk.bytes().as_chunks::<ENTRY_BYTES>();
    if entries.is_empty() || !rest.is_empty() {
        return Err(damaged(run));
    }
    let found = entries.binary_search_by_key(&key, |entry| read_entry(entry).0);
    Ok(found.ok().map(|index| read_entry(&entries[index]).1))
}

/// Writes sorted ids behind those that a run has.
pub(super) fn append(
    table: &mut IdTable<'_>,
    run: u64,
    entries: &[Entry],
    shape: Shape,
) -> Result<Vec<Group>, Failure> {
    let mut groups = Vec::new();
    let mut bytes = Vec::with_capacity(shape.chunk_ids * ENTRY_BYTES);
    for group in entries.chunks(shape.group_ids()) {
        for chunk in group.chunks(shape.chunk_ids) {
            bytes.clear();
            for (key, receipt) in chunk {
                bytes.extend(key.0.to_be_bytes());
                bytes.extend(receipt.to_be_bytes());
            }
            table.put((run, CHUNK, chunk[0].0.0), &bytes)?;
        }
        let first = group[0].0;
        let filter = Filter::of(group.iter().map(|(key, _)| *key));
        table.put((run, FILTER, first.0), filter.bytes())?;
        groups.push(Group { first, filter });
    }
    Ok(groups)
}

pub(super) fn write_row(table: &mut IdTable<'_>, run: u64, row: &Row) -> Result<(), Failure> {
    let bytes = postcard::to_stdvec(row).expect("a row can be written to memory");
    table.put((run, ROW, 0), &bytes)
}

/// The filters of a run, in order.
pub(super) fn read_groups(table: &impl IdRows, run: u64) -> Result<Vec<Group>, Failure> {
    let group = |stored: Result<IdRow<'_>, Failure>| {
        let stored = stored?;
        let filter = Filter::read(stored.bytes()).ok_or_else(|| damaged(run))?;
        let (.., first) = stored.key();
        Ok(Group { first: IdKey(first), filter })
    };
    table.within((run, FILTER, 0)..=(run, FILTER, u128::MAX))?.map(group).collect()
}

/// The last id of a run.
pub(super) fn last_key(table: &impl IdRows, run: u64) -> Result<Option<IdKey>, Failure> {
    let chunk = table.within((run, CHUNK, 0)..=(run, CHUNK, u128::MAX))?.next_back();
    let Some(chunk) = chunk.transpose()? else { return Ok(None) };
    let (entries, _) = chunk.bytes().as_chunks::<ENTRY_BYTES>();
    Ok(Some(read_entry(entries.last().ok_or_else(|| damaged(run))?).0))
}

fn read_entry(bytes: &[u8; ENTRY_BYTES]) -> Entry {
    let (key, receipt) = bytes.split_at(16);
    let key = u128::from_be_bytes(key.try_into().expect("16 bytes"));
    (IdKey(key), u64::from_be_bytes(receipt.try_into().expect("8 bytes")))
}

/// Reads a run from some id on.
pub(super) struct Cursor<'a> {
    run: u64,
    chunks: IdRange<'a>,
    /// The latest chunk, reversed.
    entries: Vec<Entry>,
}

impl<'a> Cursor<'a> {
    /// Right behind this id.
    pub(super) fn behind(
        table: &'a impl IdRows,
        run: u64,
        after: Option<IdKey>,
    ) -> Result<Self, Failure> {
        let mut from = (run, CHUNK, 0);
        if let Some(after) = after
            && let Some(chunk) = table.within(from..=(run, CHUNK, after.0))?.next_back()
        {
            from = chunk?.key();
        }
        let chunks = table.within(from..=(run, CHUNK, u128::MAX))?;
        let mut cursor = Self { run, chunks, entries: Vec::new() };
        while let Some((key, _)) = cursor.peek()?
            && after.is_some_and(|after| key <= after)
        {
            cursor.skip();
        }
        Ok(cursor)
    }

    /// The entry that it stands before.
    pub(super) fn peek(&mut self) -> Result<Option<Entry>, Failure> {
        if self.entries.is_empty()
            && let Some(chunk) = self.chunks.next()
        {
            let chunk = chunk?;
            let (entries, rest) = chunk.bytes().as_chunks::<ENTRY_BYTES>();
            if entries.is_empty() || !rest.is_empty() {
                return Err(damaged(self.run));
            }
            self.entries.extend(entries.iter().rev().map(read_entry));
        }
        Ok(self.entries.last().copied())
    }

    pub(super) fn skip(&mut self) {
        self.entries.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_back_and_one_of_an_older_gateway_has_the_term_that_there_was() {
        let newest = Timestamp(1_700_000_000_000);
        let old = postcard::to_stdvec(&(State::Complete, 7_u64, newest)).unwrap();
        let row = Row::read(&old).unwrap();
        let expected =
            Row { state: State::Complete, ids: 7, newest, term: Term::unsaid(), oldest: newest };
        assert_eq!(row, expected);

        let written = postcard::to_stdvec(&Row { oldest: Timestamp(1), ..row }).unwrap();
        assert_eq!(Row::read(&written).unwrap().oldest, Timestamp(1));
        let as_before: (State, u64, Timestamp) = postcard::from_bytes(&written).unwrap();
        assert_eq!(as_before, (State::Complete, 7, newest), "an older gateway reads it too");
        assert!(Row::read(&[9]).is_none());
    }
}
