//! A start: what is owed is found again, and the event ids that are known.
//!
//! Of the open works before the low-water mark it knows how many there are in each lane, and reads
//! the first. Then it reads the log from the mark on, and holds each work against how it stands.
//! What was committed is not redone, what was not is not forgotten; leases that were not committed
//! never were. Writes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use super::backlog::{Backlog, Most, OpenWork, OrderKeys, Windows};
use super::lane::{read_lane, read_note};
use super::reading::LaneReader;
use super::standing::Standing;
use super::standings::Standings;
use super::works::Stored;
use crate::clock::Clock;
use crate::event::Timestamp;
use crate::ids::{Id, Name};
use crate::store::ages::Ages;
use crate::store::damage::Damages;
use crate::store::error::{Damaged, Error, Failure};
use crate::store::file::totals::Totals;
use crate::store::file::view::{Outcomes, Segments, View};
use crate::store::file::{self, File, UNREAD_WIDTH};
use crate::store::ids::terms::{Owner, Terms};
use crate::store::ids::{self, IdIndex, IdKey, Shape};
use crate::store::kind::{PerKind, WorkKind};
use crate::store::log::low_water::{Added, LowWater};
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
    /// How old what waits is.
    pub(in crate::store) ages: Ages,
}

/// What a start is told.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Known<'a> {
    pub(in crate::store) keys: &'a OrderKeys,
    pub(in crate::store) terms: &'a Terms,
    pub(in crate::store) damages: &'a Damages,
}

/// Segments at the end that are asked for the time.
const ASKED_MAX: usize = 64;

/// Places before the mark at which a start asks how old what stands there is.
const AGES_MAX: u64 = 32;

/// What a start reads of lanes: with fewer works all are in memory at once, and with more it does
/// not take longer for that. At least one of each lane.
const READ_MAX: Most = Most { lanes: usize::MAX, works: 8_192 };

/// Reads what is owed. A work whose record is damaged is left where it is, and nothing else.
pub(in crate::store) fn recover(
    file: &File,
    Known { keys, terms, damages }: Known<'_>,
    (shape, windows, lag): (Shape, Windows, Duration),
    clock: Clock,
) -> Result<Recovered, Error> {
    let view = file.read()?;
    let (log, outcomes) = (view.log()?, view.outcomes()?);
    let start = Start { tag: file.tag, keys, terms, damages, log, outcomes };
    let backlog = Backlog::new(windows);
    Ok(start.recover(&view, (backlog, file.totals()), (shape, lag), clock)?)
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
    fn recover(
        &self,
        view: &View,
        (mut backlog, totals): (Backlog, Totals),
        (shape, lag): (Shape, Duration),
        clock: Clock,
    ) -> Result<Recovered, Failure> {
        let mark = view.fact(file::LOW_WATER)?.unwrap_or(0);
        // How far the store has counted now, only the clock knows that is made of the line.
        let line = Line::read(view, Timestamp::MAX)?;
        let clock = StoreClock::new(clock, self.told(view, &line)?);
        let waits = Waits { line, clock };
        for (endpoint, order) in &*self.keys.ordered() {
            backlog.set_order(endpoint, *order);
        }
        backlog.set_mark(mark);
        backlog.seen(waits.clock.times().counted);
        backlog.count_dead(self.count_dead(&totals)?);
        self.add_far(&mut backlog, &totals)?;
        // Those before the mark are older: first, so that subjects keep their order.
        self.read_first(view, &mut backlog, &waits.clock)?;

        let mut ids = ids::load(view, shape)?;
        let mut ages = self.far_ages(&backlog, &waits, mark.min(ids.mark()))?;
        let mut behind = Behind {
            low_water: LowWater::new(mark, lag),
            // How long ago all of it was added, nobody knows: as if it was now.
            at: waits.clock.times().counted,
            standings: Standings::within(&self.outcomes, mark)?,
        };
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
            let stored = self.stored_in(&segment)?;
            waits.note_age(&mut ages, &segment, &stored);
            let id_mark = ids.mark();
            for stored in stored.iter().filter(|stored| stored.id().position >= id_mark) {
                learn_ids(&mut ids, stored, self.terms);
            }
            if segment.next() > mark {
                self.read_behind(&mut behind, (&segment, &stored), &waits, &mut backlog)?;
            }
        }
        let Behind { mut low_water, at, .. } = behind;
        if end > low_water.end() {
            low_water.committed(mark, Added { end, at, bytes: 0, works: 0 });
        }
        let Waits { line, clock } = waits;
        let (line, used) = (line.end(), used(view)?);
        Ok(Recovered { backlog, low_water, ids, end, clock, line, used, ages })
    }

    /// Adds what is open of a segment that lies behind the mark, or of which some does.
    fn read_behind(
        &self,
        Behind { low_water, at, standings }: &mut Behind<'_>,
        (segment, stored): (&Segment, &[Stored]),
        waits: &Waits,
        backlog: &mut Backlog,
    ) -> Result<(), Failure> {
        let mark = low_water.mark();
        let behind = || stored.iter().filter(|stored| stored.id().position >= mark);
        let works = behind().map(Stored::works_max).sum();
        let (end, bytes) = (segment.next(), segment.raw_bytes());
        low_water.committed(mark, Added { end, at: *at, bytes, works });
        for stored in behind() {
            for work in self.open_works(stored, waits, standings)? {
                low_water.opened(work.entry.position, &work.waiting());
                backlog.push(work);
            }
        }
        Ok(())
    }

    /// The works on what stands at the mark or later that are open.
    fn open_works(
        &self,
        stored: &Stored,
        waits: &Waits,
        standings: &mut Standings<'_>,
    ) -> Result<Vec<OpenWork>, Failure> {
        let mut open = Vec::new();
        for work in stored.works(self.keys) {
            let standing = self.damages.pass(standings.at(work.entry.position))?;
            let standing = standing.filter(|standing| standing.is_open());
            let by_position = self.keys.by_position(work.kind, &work.group);
            open.extend(standing.map(|standing| {
                let mut work = waits.open(work, standing, by_position);
                self.keys.let_pass(&mut work);
                work
            }));
        }
        Ok(open)
    }

    /// Counts the works that have rows.
    fn add_far(&self, backlog: &mut Backlog, totals: &Totals) -> Result<(), Failure> {
        for ((lane, note), works) in &totals.owed {
            // What rows there are of such a lane can't be named by any position.
            let read = read_lane(lane).zip(read_note(note)).ok_or(Damaged { position: 0 });
            let Some(((kind, group), (waits, root))) = self.damages.pass(read)? else { continue };
            let works = usize::try_from(*works).unwrap_or(usize::MAX);
            let counts = if waits { (0, works) } else { (works, 0) };
            backlog.add_far((kind, &group), root.as_ref(), counts);
        }
        Ok(())
    }

    /// Reads the first works of each lane.
    fn read_first(
        &self,
        view: &View,
        backlog: &mut Backlog,
        clock: &StoreClock,
    ) -> Result<(), Failure> {
        let Self { tag, keys, damages, .. } = *self;
        let reader = LaneReader { view, tag, keys, damages, clock };
        for kind in WorkKind::ALL {
            let wanted = backlog.begin_read(kind, READ_MAX);
            for lane in reader.read_first(kind, &wanted)? {
                backlog.fill(kind, lane);
            }
        }
        Ok(())
    }

    /// How old what lies before this position is, from the oldest work of each kind that waits on.
    fn far_ages(&self, backlog: &Backlog, waits: &Waits, until: u64) -> Result<Ages, Failure> {
        let oldest = WorkKind::ALL.into_iter().filter_map(|kind| backlog.oldest_of(kind));
        let mut places: BTreeSet<u64> = oldest.filter(|place| *place < until).collect();
        if let Some(first) = places.first().copied() {
            let step = ((until - first) / AGES_MAX).max(1);
            let between = (1..AGES_MAX).map(|number| first + number * step);
            places.extend(between.filter(|place| *place < until));
        }
        let mut segments = BTreeSet::new();
        for place in places {
            segments.insert(self.segment_at(place)?);
        }
        let mut ages = Ages::default();
        for key in segments {
            for row in self.log.within(key..=key)? {
                let (_, segment) = row?;
                let Some(segment) = self.damages.pass(segment)? else { continue };
                waits.note_age(&mut ages, &segment, &self.stored_in(&segment)?);
            }
        }
        Ok(ages)
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

    fn stored_in(&self, segment: &Segment) -> Result<Vec<Stored>, Failure> {
        let mut found = Vec::new();
        for entry in segment.entries() {
            // A bare receipt owes nothing; behind a repair the ids of it are here only.
            if matches!(
                entry.kind,
                RecordKind::Receipt
                    | RecordKind::BareReceipt
                    | RecordKind::Event
                    | RecordKind::Parcel
            ) {
                let record = self.damages.pass(Record::skim(&entry, self.tag))?;
                found.extend(record.and_then(Stored::of));
            }
        }
        Ok(found)
    }

    fn count_dead(&self, totals: &Totals) -> Result<PerKind<i64>, Failure> {
        let mut dead = PerKind::<i64>::default();
        for (number, letters) in &totals.dead {
            // Of a kind that there is not the letters can't be named by any position either.
            let kind = WorkKind::read(*number).ok_or(Damaged { position: 0 });
            if let Some(kind) = self.damages.pass(kind)? {
                dead[kind] += i64::try_from(*letters).unwrap_or(i64::MAX);
            }
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

/// What is behind the mark, as far as it was read.
struct Behind<'o> {
    low_water: LowWater,
    at: Timestamp,
    standings: Standings<'o>,
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
    /// What stands in this segment is as old as the first of it says, as far as that can be.
    fn note_age(&self, ages: &mut Ages, segment: &Segment, stored: &[Stored]) {
        let Some(first) = stored.first() else { return };
        let at = self.line.counted(first.id().position, first.written_at());
        ages.grown(segment.next(), at.min(self.clock.times().counted));
    }

    /// A work as it joins the backlog. It has no row yet, so it may be in any place of its lane: if
    /// it may go at once, in that of one that was opened now, if it does not go by its position.
    fn open(&self, work: OpenWork, standing: Standing, by_position: bool) -> OpenWork {
        let put_off_at = standing.last.unwrap_or(work.entry.position);
        let mut work = work.standing(standing);
        if work.due != Timestamp(0) {
            let (due, shift) = (work.due, self.line.shift(put_off_at));
            work.due = self.clock.due_since(due, shift).max(Timestamp(1));
            work.since = StoreClock::counted_at(due, shift);
        } else if !by_position {
            work.since = self.clock.times().counted;
        }
        work
    }
}

/// The ids that an append, a parse or a raise bound when it stored this.
fn learn_ids(ids: &mut IdIndex, stored: &Stored, terms: &Terms) {
    let mut learn = |source: &Name, id: &str, owner: Id| {
        let owner = Owner { receipt: owner.position, term: terms.term(source) };
        ids.learn(IdKey::new(source, id), owner);
    };
    match stored {
        Stored::Receipt(receipt) => {
            for id in receipt.event_ids.iter().filter(|id| !receipt.taken.contains(id)) {
                learn(&receipt.source, id, receipt.id);
            }
        }
        Stored::Event(stored) if stored.cause.is_none() => {
            // What the gateway raised has no receipt.
            let owner = stored.receipt.unwrap_or(stored.id);
            learn(&stored.event.source, &stored.event.id, owner);
        }
        Stored::Event(_) | Stored::Parcel(_) => (),
    }
}
