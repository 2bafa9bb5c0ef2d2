//! A start: what is owed is found again, and the event ids that are known.
//!
//! Reads the rows of open works before the low-water mark, then the log from the mark on, and holds
//! each work against how it stands. What was committed is not redone, what was not is not
//! forgotten; claims that were not committed never happened. Writes nothing.

use std::collections::BTreeSet;
use std::ops::Bound;

use redb::{ReadOnlyTable, ReadTransaction};

use super::backlog::{Backlog, LaneKeys};
use super::file::{self, File};
use super::frontier::Frontier;
use super::known_ids::{IDS, IdIndex, IdKey, Shape};
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
    pub(super) ids: IdIndex,
    /// Where the log ends.
    pub(super) end: u64,
}

/// Reads what is owed.
pub(super) fn recover(file: &File, lanes: &LaneKeys, shape: Shape) -> Result<Recovered, Error> {
    Ok(recover_from(&file.read()?, file.tag, lanes, shape)?)
}

fn recover_from(
    transaction: &ReadTransaction,
    tag: u32,
    lanes: &LaneKeys,
    shape: Shape,
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

    let mut ids = IdIndex::load(&transaction.open_table(IDS)?, shape)?;
    let mut open = BTreeSet::new();
    let mut end = low_water;
    let from = low_water.min(ids.mark());
    for row in log.range((Bound::Included(from), Bound::Unbounded))? {
        let (first, packed) = row?;
        let segment = Segment::read(first.value(), packed.value())?;
        end = segment.next();
        for stored in stored_in(&segment, tag)? {
            let position = stored.id().position;
            if position >= ids.mark() {
                learn_ids(&mut ids, &stored);
            }
            let works = if position >= low_water { stored.works(lanes) } else { Vec::new() };
            for work in works {
                let standing = standing(&outcomes, work.entry.position)?;
                if standing.is_open() {
                    open.insert(work.entry.position);
                    backlog.push(work.standing(standing));
                }
            }
        }
    }
    backlog.count_dead(count_dead(transaction)?);
    Ok(Recovered { backlog, frontier: Frontier::new(low_water, end, open), ids, end })
}

fn stored_in(segment: &Segment, tag: u32) -> Result<Vec<Stored>, Failure> {
    let mut found = Vec::new();
    for entry in segment.entries() {
        if matches!(entry.kind, RecordKind::Receipt | RecordKind::Event | RecordKind::Parcel) {
            found.extend(Stored::of(Record::read(&entry, tag)?));
        }
    }
    Ok(found)
}

/// The ids that an append or a parse bound when it stored this.
fn learn_ids(ids: &mut IdIndex, stored: &Stored) {
    match stored {
        Stored::Receipt(receipt) => {
            for id in receipt.event_ids.iter().filter(|id| !receipt.taken.contains(id)) {
                ids.learn(IdKey::new(&receipt.source, id), receipt.id.position);
            }
        }
        Stored::Event(stored) if stored.cause.is_none() => {
            if let Some(receipt) = stored.receipt {
                ids.learn(IdKey::new(&stored.event.source, &stored.event.id), receipt.position);
            }
        }
        Stored::Event(_) | Stored::Parcel(_) => (),
    }
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
