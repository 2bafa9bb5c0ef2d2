//! A start: what is owed is found again.
//!
//! Reads the rows of open works before the low-water mark, then the log from the mark on, and holds
//! each work against how it stands. What was committed is not redone, what was not is not
//! forgotten; claims that were not committed never happened. Writes nothing.

use std::collections::BTreeSet;
use std::ops::Bound;

use redb::{ReadOnlyTable, ReadTransaction};

use super::backlog::{Backlog, LaneKeys, OpenWork};
use super::file::{self, File};
use super::frontier::Frontier;
use super::log::LogReader;
use super::owed::Stored;
use super::record::{Record, RecordKind};
use super::segment::{Damaged, Segment};
use super::standing::{Standing, WorkKind};
use super::{Error, Failure};

/// What a start found.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) backlog: Backlog,
    pub(super) frontier: Frontier,
    /// Where the log ends.
    pub(super) end: u64,
}

/// Reads what is owed.
pub(super) fn recover(file: &File, lanes: &LaneKeys) -> Result<Recovered, Error> {
    Ok(recover_from(&file.read()?, file.tag, lanes)?)
}

fn recover_from(
    transaction: &ReadTransaction,
    tag: u32,
    lanes: &LaneKeys,
) -> Result<Recovered, Failure> {
    let log = transaction.open_table(file::LOG)?;
    let outcomes = transaction.open_table(file::OUTCOMES)?;
    let meta = transaction.open_table(file::META)?;
    let low_water = meta.get(file::LOW_WATER)?.map_or(0, |mark| mark.value());
    let mut backlog = Backlog::default();

    // Those before the mark are older: first, so that subjects keep their order.
    let reader = LogReader::new(tag);
    for row in transaction.open_table(file::OPEN)?.range::<u64>(..)? {
        let position = row?.0.value();
        let stored = Stored::of(reader.expect(&log, position)?).ok_or(Damaged { position })?;
        let mut works = stored.works(lanes).into_iter();
        let work = works.find(|work| work.entry.position == position);
        let work = work.ok_or(Damaged { position })?;
        backlog.push(work.standing(standing(&outcomes, position)?));
    }

    let mut open = BTreeSet::new();
    let mut end = low_water;
    for row in log.range((Bound::Included(low_water), Bound::Unbounded))? {
        let (first, packed) = row?;
        let segment = Segment::read(first.value(), packed.value())?;
        for work in works_in(&segment, tag, lanes)? {
            let standing = standing(&outcomes, work.entry.position)?;
            if standing.is_open() {
                open.insert(work.entry.position);
                backlog.push(work.standing(standing));
            }
        }
        end = segment.next();
    }
    backlog.count_dead(count_dead(transaction)?);
    Ok(Recovered { backlog, frontier: Frontier::new(low_water, end, open), end })
}

fn works_in(segment: &Segment, tag: u32, lanes: &LaneKeys) -> Result<Vec<OpenWork>, Failure> {
    let mut works = Vec::new();
    for entry in segment.entries() {
        if matches!(entry.kind, RecordKind::Receipt | RecordKind::Event | RecordKind::Parcel) {
            let stored = Stored::of(Record::read(&entry, tag)?);
            works.extend(stored.into_iter().flat_map(|stored| stored.works(lanes)));
        }
    }
    Ok(works)
}

fn standing(
    outcomes: &ReadOnlyTable<u64, &'static [u8]>,
    position: u64,
) -> Result<Standing, Failure> {
    let Some(stored) = outcomes.get(position)? else { return Ok(Standing::default()) };
    Ok(Standing::read(position, stored.value())?)
}

fn count_dead(transaction: &ReadTransaction) -> Result<[i64; 3], Failure> {
    let mut dead = [0; 3];
    for row in transaction.open_table(file::DEAD)?.range::<u64>(..)? {
        let (position, kind) = row?;
        let damaged = Damaged { position: position.value() };
        let kind = WorkKind::read(kind.value()).ok_or(damaged)?;
        dead[kind as usize] += 1;
    }
    Ok(dead)
}
