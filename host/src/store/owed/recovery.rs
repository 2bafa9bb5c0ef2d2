//! A start: what is owed is found again, and the event ids that are known.
//!
//! Reads the rows of open works before the low-water mark, then the log from the mark on, and holds
//! each work against how it stands. What was committed is not redone, what was not is not
//! forgotten; leases that were not committed never were. Writes nothing.

use std::collections::BTreeSet;

use super::backlog::{Backlog, OpenWork, OrderKeys};
use super::standing::Standing;
use super::works::Stored;
use crate::event::Timestamp;
use crate::store::damage::Damages;
use crate::store::error::{Damaged, Error, Failure};
use crate::store::file::view::{Outcomes, Segments, View};
use crate::store::file::{self, File};
use crate::store::ids::{self, IdIndex, IdKey, Shape};
use crate::store::kind::{PerKind, WorkKind};
use crate::store::log::low_water::LowWater;
use crate::store::log::reader::LogReader;
use crate::store::log::record::{Record, first_written};
use crate::store::log::segment::{RecordKind, Segment};

/// What a start found.
#[derive(Debug)]
pub(in crate::store) struct Recovered {
    pub(in crate::store) backlog: Backlog,
    pub(in crate::store) low_water: LowWater,
    pub(in crate::store) ids: IdIndex,
    /// Where the log ends.
    pub(in crate::store) end: u64,
    /// The time as it was believed last, if ever.
    pub(in crate::store) told: Option<Timestamp>,
}

/// A damaged segment at the end of the log takes at most so many positions.
const UNREAD_WIDTH: u64 = 1 << 32;
/// Segments at the end that are asked for the time.
const ASKED_MAX: usize = 64;

/// Reads what is owed. A work whose record is damaged is left where it is, and nothing else.
pub(in crate::store) fn recover(
    file: &File,
    keys: &OrderKeys,
    shape: Shape,
    damages: &Damages,
) -> Result<Recovered, Error> {
    let view = file.read()?;
    let start =
        Start { tag: file.tag, keys, damages, log: view.log()?, outcomes: view.outcomes()? };
    Ok(start.recover(&view, shape)?)
}

/// What a start reads from.
struct Start<'a> {
    tag: u32,
    keys: &'a OrderKeys,
    damages: &'a Damages,
    log: Segments,
    outcomes: Outcomes,
}

impl Start<'_> {
    fn recover(&self, view: &View, shape: Shape) -> Result<Recovered, Failure> {
        let mark = view.fact(file::LOW_WATER)?.unwrap_or(0);
        let told = match view.fact(file::TOLD)? {
            Some(told) => Some(Timestamp(told)),
            None => self.last_written()?,
        };
        let mut backlog = Backlog::default();
        // Those before the mark are older: first, so that subjects keep their order.
        let reader = LogReader::new(self.tag);
        for position in view.open_works()? {
            let work = self.damages.pass(self.before_mark(&reader, position?))?;
            work.into_iter().for_each(|work| backlog.push(work));
        }

        let mut ids = ids::load(view, shape)?;
        let mut open = BTreeSet::new();
        let mut end = mark;
        for row in self.log.within(self.segment_at(mark.min(ids.mark()))?..)? {
            let (first, segment) = row?;
            let Some(segment) = self.damages.pass(segment)? else {
                // The mark is never in the middle of a segment.
                end = if first < mark { mark } else { first + UNREAD_WIDTH };
                continue;
            };
            end = segment.next().max(mark);
            for stored in self.stored_in(&segment)? {
                let position = stored.id().position;
                if position >= ids.mark() {
                    learn_ids(&mut ids, &stored);
                }
                let works = if position >= mark { stored.works(self.keys) } else { Vec::new() };
                for work in works {
                    let standing =
                        self.damages.pass(Standing::at(&self.outcomes, work.entry.position))?;
                    if let Some(standing) = standing.filter(|standing| standing.is_open()) {
                        open.insert(work.entry.position);
                        backlog.push(work.standing(standing));
                    }
                }
            }
        }
        backlog.count_dead(self.count_dead(view)?);
        Ok(Recovered { backlog, low_water: LowWater::new(mark, end, open), ids, end, told })
    }

    /// The key of the segment that takes this position, or of none before it.
    fn segment_at(&self, position: u64) -> Result<u64, Failure> {
        Ok(self.log.key_up_to(position)?.unwrap_or(position))
    }

    /// An open work before the low-water mark.
    fn before_mark(&self, reader: &LogReader, position: u64) -> Result<OpenWork, Failure> {
        let damaged = || Damaged { position };
        let record = reader.skim(&self.log, position)?;
        let stored = record.and_then(Stored::of).ok_or_else(damaged)?;
        let mut works = stored.works(self.keys).into_iter();
        let work = works.find(|work| work.entry.position == position).ok_or_else(damaged)?;
        Ok(work.standing(Standing::at(&self.outcomes, position)?))
    }

    fn stored_in(&self, segment: &Segment) -> Result<Vec<Stored>, Failure> {
        let mut found = Vec::new();
        for entry in segment.entries() {
            if matches!(entry.kind, RecordKind::Receipt | RecordKind::Event | RecordKind::Parcel) {
                let record = self.damages.pass(Record::skim(&entry, self.tag))?;
                found.extend(record.and_then(Stored::of));
            }
        }
        Ok(found)
    }

    fn count_dead(&self, view: &View) -> Result<PerKind<i64>, Failure> {
        let mut dead = PerKind::<i64>::default();
        for row in view.dead()?.within(..)? {
            let (position, kind) = row?;
            let kind = WorkKind::read(kind).ok_or(Damaged { position });
            self.damages.pass(kind)?.into_iter().for_each(|kind| dead[kind] += 1);
        }
        Ok(dead)
    }

    /// When the latest record was written that says so.
    fn last_written(&self) -> Result<Option<Timestamp>, Failure> {
        for row in self.log.within(..)?.rev().take(ASKED_MAX) {
            let (_, segment) = row?;
            let segment = self.damages.pass(segment)?;
            if let Some(at) = segment.and_then(|segment| first_written(&segment, self.tag)) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }
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
