//! A start: what is owed is found again, and the event ids that are known.
//!
//! Reads the rows of open works before the low-water mark, then the log from the mark on, and holds
//! each work against how it stands. What was committed is not redone, what was not is not
//! forgotten; leases that were not committed never were. Writes nothing.

use std::collections::BTreeSet;

use super::backlog::{Backlog, OpenWork, OrderKeys};
use super::owing::Owing;
use super::standing::Standing;
use super::works::Stored;
use crate::clock::Clock;
use crate::event::Timestamp;
use crate::ids::{Id, Name};
use crate::store::damage::Damages;
use crate::store::error::{Damaged, Error, Failure};
use crate::store::file::view::{Outcomes, Segments, View};
use crate::store::file::{self, File, UNREAD_WIDTH};
use crate::store::ids::terms::{Owner, Terms};
use crate::store::ids::{self, IdIndex, IdKey, Shape};
use crate::store::kind::{PerKind, WorkKind};
use crate::store::log::low_water::LowWater;
use crate::store::log::record::{Record, first_written};
use crate::store::log::segment::{RecordKind, Segment};
use crate::store::state::{self, AllUsed, Used};
use crate::store::time::line::{Line, LineEnd};
use crate::store::time::{StoreClock, Told};

/// What a start found.
#[derive(Debug)]
pub(in crate::store) struct Recovered {
    pub(in crate::store) backlog: Backlog,
    pub(in crate::store) low_water: LowWater,
    pub(in crate::store) ids: IdIndex,
    /// Where the log ends.
    pub(in crate::store) end: u64,
    /// It goes on counting where it was.
    pub(in crate::store) clock: StoreClock,
    pub(in crate::store) line: LineEnd,
    /// What the state of each handler takes.
    pub(in crate::store) used: AllUsed,
}

/// Segments at the end that are asked for the time.
const ASKED_MAX: usize = 64;

/// Reads what is owed. A work whose record is damaged is left where it is, and nothing else.
pub(in crate::store) fn recover(
    file: &File,
    keys: &OrderKeys,
    (shape, terms): (Shape, &Terms),
    damages: &Damages,
    clock: Clock,
) -> Result<Recovered, Error> {
    let view = file.read()?;
    let (log, outcomes) = (view.log()?, view.outcomes()?);
    let start = Start { tag: file.tag, keys, terms, damages, log, outcomes };
    Ok(start.recover(&view, shape, clock)?)
}

/// The known event ids alone, as a start would find them.
pub(in crate::store) fn recover_ids(
    file: &File,
    (shape, terms): (Shape, &Terms),
    damages: &Damages,
) -> Result<IdIndex, Error> {
    let view = file.read()?;
    let (log, outcomes) = (view.log()?, view.outcomes()?);
    let keys = OrderKeys::default();
    let start = Start { tag: file.tag, keys: &keys, terms, damages, log, outcomes };
    Ok(start.ids(&view, shape)?)
}

/// What a start reads from.
struct Start<'a> {
    tag: u32,
    keys: &'a OrderKeys,
    terms: &'a Terms,
    damages: &'a Damages,
    log: Segments,
    outcomes: Outcomes,
}

impl Start<'_> {
    fn recover(&self, view: &View, shape: Shape, clock: Clock) -> Result<Recovered, Failure> {
        let mark = view.fact(file::LOW_WATER)?.unwrap_or(0);
        // A start asks it for no age, so it need not know how far the store has counted now.
        let line = Line::read(view, Timestamp::MAX)?;
        let clock = StoreClock::new(clock, self.told(view, &line)?);
        let waits = Waits { line, clock };
        let mut backlog = Backlog::default();
        // Those before the mark are older: first, so that subjects keep their order.
        let mut owing = Owing::new(self.tag);
        for row in view.owed_within(..)? {
            let work = row.and_then(|(position, _)| self.before_mark(&mut owing, position));
            let work = self.damages.pass(work)?;
            work.into_iter().for_each(|(work, standing)| backlog.push(waits.open(work, standing)));
        }

        let mut ids = ids::load(view, shape)?;
        let mut open = BTreeSet::new();
        // Positions whose records can't be read any more were given out too.
        let known = view.fact(file::END)?.unwrap_or(0).max(mark);
        let mut end = known;
        for row in self.log.within(self.segment_at(mark.min(ids.mark()))?..)? {
            let (first, segment) = row?;
            let Some(segment) = self.damages.pass(segment)? else {
                // Neither is ever in the middle of a segment.
                end = if first < known { known } else { first + UNREAD_WIDTH };
                continue;
            };
            end = segment.next().max(known);
            for stored in self.stored_in(&segment)? {
                let position = stored.id().position;
                if position >= ids.mark() {
                    learn_ids(&mut ids, &stored, self.terms);
                }
                let works = if position >= mark { stored.works(self.keys) } else { Vec::new() };
                for work in works {
                    let standing =
                        self.damages.pass(Standing::at(&self.outcomes, work.entry.position))?;
                    if let Some(standing) = standing.filter(|standing| standing.is_open()) {
                        open.insert(work.entry.position);
                        backlog.push(waits.open(work, standing));
                    }
                }
            }
        }
        backlog.count_dead(self.count_dead(view)?);
        let low_water = LowWater::new(mark, end, open);
        let Waits { line, clock } = waits;
        let (line, used) = (line.end(), used(view)?);
        Ok(Recovered { backlog, low_water, ids, end, clock, line, used })
    }

    /// The known ids, those in the log with them.
    fn ids(&self, view: &View, shape: Shape) -> Result<IdIndex, Failure> {
        let mut ids = ids::load(view, shape)?;
        for row in self.log.within(self.segment_at(ids.mark())?..)? {
            let (_, segment) = row?;
            let Some(segment) = self.damages.pass(segment)? else { continue };
            for stored in self.stored_in(&segment)? {
                if stored.id().position >= ids.mark() {
                    learn_ids(&mut ids, &stored, self.terms);
                }
            }
        }
        Ok(ids)
    }

    /// The key of the segment that takes this position, or of none before it.
    fn segment_at(&self, position: u64) -> Result<u64, Failure> {
        Ok(self.log.key_up_to(position)?.unwrap_or(position))
    }

    /// An open work before the low-water mark.
    fn before_mark(
        &self,
        owing: &mut Owing,
        position: u64,
    ) -> Result<(OpenWork, Standing), Failure> {
        let work = owing.work(&self.log, position, self.keys)?;
        Ok((work, Standing::at(&self.outcomes, position)?))
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

    /// How far the store had counted.
    fn told(&self, view: &View, line: &Line) -> Result<Option<Told>, Failure> {
        let told = view.fact(file::TOLD)?.map(Timestamp);
        if let Some((last, shift)) = line.told() {
            return Ok(Some(Told { time: told.map_or(last, |told| told.max(last)), shift }));
        }
        // An older Hookgate wrote it, and counted as the clock does.
        let time = told.map_or_else(|| self.last_written(), |told| Ok(Some(told)))?;
        Ok(time.map(|time| Told { time, shift: 0 }))
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

/// What the state of each handler takes.
fn used(view: &View) -> Result<AllUsed, Failure> {
    let mut used = AllUsed::new();
    // These rows are the last of their table.
    for row in view.states(state::ALL_USED, Used::read)? {
        used.extend(row?);
    }
    Ok(used)
}

/// When works are due that wait for a time.
struct Waits {
    line: Line,
    clock: StoreClock,
}

impl Waits {
    /// A work as it joins the backlog.
    fn open(&self, work: OpenWork, standing: Standing) -> OpenWork {
        let put_off_at = standing.last.unwrap_or(work.entry.position);
        let mut work = work.standing(standing);
        if work.due != Timestamp(0) {
            work.due = self.clock.due_since(work.due, self.line.shift(put_off_at));
        }
        work
    }
}

/// The ids that an append or a parse bound when it stored this.
fn learn_ids(ids: &mut IdIndex, stored: &Stored, terms: &Terms) {
    let mut learn = |source: &Name, id: &str, receipt: Id| {
        let owner = Owner { receipt: receipt.position, term: terms.term(source) };
        ids.learn(IdKey::new(source, id), owner);
    };
    match stored {
        Stored::Receipt(receipt) => {
            for id in receipt.event_ids.iter().filter(|id| !receipt.taken.contains(id)) {
                learn(&receipt.source, id, receipt.id);
            }
        }
        Stored::Event(stored) if stored.cause.is_none() => {
            if let Some(receipt) = stored.receipt {
                learn(&stored.event.source, &stored.event.id, receipt);
            }
        }
        Stored::Event(_) | Stored::Parcel(_) => (),
    }
}
