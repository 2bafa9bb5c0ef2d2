//! The list of deliveries, those of the newest events and parcels first; and what one delivers.
//!
//! The dead are found by their letters, and all others by the index, if few endpoints are named,
//! or else the log is read through. Each says by itself whether it fits. It goes on for a bounded
//! time, so a page may be short and still not be the last. Never gives one twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::times::{CLOCK_SLACK, OUTSIDE_MAX, Reach, SEGMENTS_MIN};
use super::{LIST_TIME, Listing, PAGE_ITEMS_MAX, Page, Snapshot};
use crate::event::{Timestamp, in_millis};
use crate::ids::{Id, Name};
use crate::retry::Verdict;
use crate::store::Store;
use crate::store::error::{Error, Failure};
use crate::store::index::{Next, Search};
use crate::store::kind::WorkKind;
use crate::store::log::record::{AttemptRecord, DetailRecord, Record};
use crate::store::log::segment::{Entry, RecordKind};
use crate::store::owed::backlog::OpenWork;
use crate::store::owed::lease::Payload;
use crate::store::owed::standing::{Progress, Standing};
use crate::store::owed::works::{Stored, work_id};
use crate::store::read::cursor::Cursor;
use crate::store::read::filter::DeliveryFilter;
use crate::store::read::view::{DeliverySummary, LastAttempt, State};
use crate::store::reasons::Account;

/// So far back the last attempt is looked for: a delivery may have been replayed several times
/// since.
const BACK_MAX: usize = 8;

impl Store {
    /// What a delivery takes to which endpoint; `None` if there is no such delivery.
    pub async fn carried(&self, id: Id) -> Result<Option<(Name, Payload)>, Error> {
        self.ask_view(move |snapshot| {
            let Some(stored) = snapshot.find(id)? else { return Ok(None) };
            let work = stored.work_at(id.position, &snapshot.shared.order_keys);
            let work = work.filter(|work| work.kind == WorkKind::Delivery);
            let payload = match stored {
                Stored::Event(event) => Some(Payload::Event(event)),
                Stored::Parcel(parcel) => Some(Payload::Parcel(parcel)),
                Stored::Receipt(_) => None,
            };
            Ok(work.map(|work| work.group).zip(payload))
        })
        .await
    }

    /// The deliveries that match, those of the newest events and parcels first.
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page,
    ) -> Result<Listing<DeliverySummary>, Error> {
        page.check(filter.list())?;
        let filter = filter.clone();
        self.ask_view(move |snapshot| snapshot.deliveries(&filter, page, LIST_TIME)).await
    }
}

/// A list on its way.
struct Walk<'s> {
    snapshot: &'s Snapshot<'s>,
    filter: &'s DeliveryFilter,
    listing: Listing<DeliverySummary>,
    limit: usize,
    /// All from here on was looked at.
    before: u64,
    /// Nothing before this is wanted.
    first: u64,
    /// How many segments, rows or letters were read.
    read: usize,
    time: Duration,
    started: Instant,
}

/// How it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    On,
    /// The page is full, or it took long enough.
    Enough,
    /// There is nothing more.
    Over,
}

impl Snapshot<'_> {
    /// The deliveries that match, newest first, for a time.
    pub(in crate::store) fn deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page,
        time: Duration,
    ) -> Result<Listing<DeliverySummary>, Failure> {
        let mut walk = Walk {
            snapshot: self,
            filter,
            listing: Listing { items: Vec::new(), damaged: Vec::new(), next: None },
            limit: page.limit.clamp(1, PAGE_ITEMS_MAX),
            before: page.before(),
            first: 0,
            read: 0,
            time,
            started: Instant::now(),
        };
        walk.seek()?;
        let went = match (filter.state, filter.reason) {
            // Only what is dead died of something.
            (Some(State::Pending | State::Done), Some(_)) => Went::Over,
            (Some(State::Dead), _) | (None, Some(_)) => walk.dead()?,
            (Some(State::Pending | State::Done) | None, None) => walk.all()?,
        };
        if went == Went::Enough {
            walk.listing.next = Some(Cursor::new(filter.list(), walk.before));
        }
        Ok(walk.listing)
    }

    /// The delivery whose attempt this record tells of, as it stood then, if it matches.
    pub(super) fn attempted(
        &self,
        position: u64,
        record: &AttemptRecord<'_>,
        filter: &DeliveryFilter,
    ) -> Result<Option<DeliverySummary>, Failure> {
        let ended_at = record.at.after(record.duration);
        if filter.after.is_some_and(|after| ended_at < after) {
            return Ok(None);
        }
        let id = work_id(WorkKind::Delivery, record.work, self.tag());
        let Some(stored) = self.find(id)? else { return Ok(None) };
        let work = stored.work_at(id.position, &self.shared.order_keys);
        let Some(work) = work else { return Ok(None) };
        let progress = match record.verdict {
            Verdict::Done => Progress::Done,
            Verdict::RetryAt(due) => Progress::RetryAt(due),
            Verdict::Dead => Progress::Dead,
        };
        let now = self.standing(id.position)?;
        let then = Standing { progress, last: Some(position), ..now };
        let filter = DeliveryFilter { after: None, ..filter.clone() };
        self.delivery_summary((&stored, &work), then, &filter)
    }

    /// The delivery in short that stands so, if it matches.
    fn delivery_summary(
        &self,
        (stored, work): (&Stored, &OpenWork),
        standing: Standing,
        filter: &DeliveryFilter,
    ) -> Result<Option<DeliverySummary>, Failure> {
        let (state, recorded_at) = (State::of(standing), stored.written_at());
        let is_wanted = filter.state.is_none_or(|wanted| wanted == state);
        if !is_wanted || !filter.goes_to(&work.group) || !filter.is_within(recorded_at) {
            return Ok(None);
        }
        let (event_id, event) = match stored {
            Stored::Receipt(_) => return Ok(None),
            Stored::Event(event) => (event.id, Some(Arc::clone(event))),
            Stored::Parcel(parcel) => {
                // The event may be gone, or can't be read.
                match self.shared.damages.pass(self.find(parcel.event))?.flatten() {
                    Some(Stored::Event(event)) => (parcel.event, Some(event)),
                    _ => (parcel.event, None),
                }
            }
        };
        if !filter.is_of(event.as_deref()) {
            return Ok(None);
        }
        let last_attempt = self.last_attempt(standing)?;
        let of_last = last_attempt.as_ref().and_then(|attempt| attempt.reason);
        let reason = of_last.filter(|_| state == State::Dead);
        if filter.reason.is_some() && filter.reason != reason {
            return Ok(None);
        }
        let retry_at = match standing.progress {
            Progress::RetryAt(due) => Some(due),
            Progress::Ready | Progress::Done | Progress::Dead => None,
        };
        let about = event.as_ref().map(|stored| &stored.event);
        Ok(Some(DeliverySummary {
            id: work.id(self.tag()),
            endpoint: work.group.clone(),
            event_id,
            event_type: about.map(|event| event.event_type.clone()),
            subject: about.and_then(|event| event.subject.clone().filter(|it| !it.is_empty())),
            tenant: event.as_ref().and_then(|stored| stored.tenant.clone()),
            state,
            reason,
            tries_made: standing.tries_made,
            retry_at,
            recorded_at,
            last_attempt,
        }))
    }

    /// How a delivery that stands so went last, as far as that can be read.
    fn last_attempt(&self, standing: Standing) -> Result<Option<LastAttempt>, Failure> {
        let mut next = standing.last;
        for _ in 0..BACK_MAX {
            let Some(position) = next else { break };
            let record = self.shared.log.record(&self.log, position);
            next = match self.shared.damages.pass(record)?.flatten() {
                Some(Record::Attempt(record)) => return Ok(Some(LastAttempt::from(&record))),
                Some(Record::Reopening(record)) => record.previous,
                // What is older may be gone.
                _ => break,
            };
        }
        Ok(None)
    }
}

impl From<&AttemptRecord<'_>> for LastAttempt {
    fn from(record: &AttemptRecord<'_>) -> Self {
        let has_failed = record.outcome.reason().is_some();
        let phase = record.detail.as_deref().and_then(|DetailRecord::V1(detail)| detail.phase);
        let reason = has_failed.then(|| Account::from(record).reason(WorkKind::Delivery));
        Self { at: record.at, status: record.status, phase, reason }
    }
}

impl Walk<'_> {
    /// Goes to where its times begin, and sees where they end.
    fn seek(&mut self) -> Result<(), Failure> {
        if let Some(end) = self.filter.before
            && let Reach::At(behind) = self.snapshot.first_at(end.after(CLOCK_SLACK))?
        {
            self.before = self.before.min(behind);
        }
        if let Some(begin) = self.filter.after {
            let earliest = Timestamp(begin.0.saturating_sub(in_millis(CLOCK_SLACK)));
            self.first = self.snapshot.begin_at(earliest)?;
        }
        Ok(())
    }

    /// By the endpoints that are named, if few are, or else all that there is.
    fn all(&mut self) -> Result<Went, Failure> {
        let Some(wanted) = self.filter.wanted() else { return self.through(self.first) };
        let snapshot = self.snapshot;
        let tail = snapshot.shared.index.find(&wanted);
        let mut search = Search::new(snapshot.view.index()?, wanted, tail)?;
        let went = loop {
            let went = match search.before(self.before)? {
                Next::Position(position) if position < self.first => Went::Over,
                Next::Position(position) => self.record_at(position)?,
                Next::Unindexed { first, end } => {
                    self.before = self.before.min(end);
                    match self.through(first.max(self.first))? {
                        Went::On if first <= self.first => Went::Over,
                        went => went,
                    }
                }
                Next::End => Went::Over,
            };
            if went != Went::On {
                break went;
            }
        };
        snapshot.shared.index.distrust(search.damaged());
        Ok(went)
    }

    /// Looks at the record that begins at a position, if one does.
    fn record_at(&mut self, position: u64) -> Result<Went, Failure> {
        if self.is_enough() {
            return Ok(Went::Enough);
        }
        self.read += 1;
        let snapshot = self.snapshot;
        let record = snapshot.shared.log.skim(&snapshot.log, position);
        let record = snapshot.readable(record, None, &mut self.listing.damaged)?.flatten();
        let stored = record.and_then(Stored::of).filter(|it| it.id().position == position);
        if let Some(stored) = stored
            && self.deliveries_of(&stored, position)? == Went::Enough
        {
            return Ok(Went::Enough);
        }
        self.before = self.before.min(position);
        Ok(Went::On)
    }

    /// By the letters of the dead.
    fn dead(&mut self) -> Result<Went, Failure> {
        let ways = self.snapshot.ways(&self.filter.letters())?;
        while let Some(position) = self.snapshot.letter_before(&ways, self.before)? {
            if position < self.first {
                break;
            }
            if self.is_enough() {
                return Ok(Went::Enough);
            }
            self.read += 1;
            self.before = position;
            if self.snapshot.dead.letter(position)? == Some(WorkKind::Delivery as u8) {
                self.look_at(position)?;
            }
        }
        Ok(Went::Over)
    }

    /// Looks at the delivery at a position, if it is one.
    fn look_at(&mut self, position: u64) -> Result<(), Failure> {
        let snapshot = self.snapshot;
        let id = work_id(WorkKind::Delivery, position, snapshot.tag());
        let found = snapshot.find(id);
        let found = snapshot.readable(found, Some(id), &mut self.listing.damaged)?.flatten();
        let work = found.as_ref().and_then(|it| it.work_at(position, &snapshot.shared.order_keys));
        if let (Some(stored), Some(work)) = (&found, work) {
            self.add(id, (stored, &work))?;
        }
        Ok(())
    }

    fn add(&mut self, id: Id, of: (&Stored, &OpenWork)) -> Result<(), Failure> {
        let standing = self.snapshot.standing(id.position);
        let summary = |standing| self.snapshot.delivery_summary(of, standing, self.filter);
        let shown = standing.and_then(summary);
        let damaged = &mut self.listing.damaged;
        let shown = self.snapshot.readable(shown, Some(id), damaged)?;
        self.listing.items.extend(shown.flatten());
        Ok(())
    }

    /// Reads the log through from where it is back to a position.
    fn through(&mut self, first: u64) -> Result<Went, Failure> {
        let snapshot = self.snapshot;
        let mut too_old = 0;
        if self.before <= first {
            return Ok(Went::On);
        }
        for row in snapshot.log.within(..self.before)?.rev() {
            if self.is_enough() {
                return Ok(Went::Enough);
            }
            let (key, segment) = row?;
            self.read += 1;
            let segment = snapshot.readable(segment, None, &mut self.listing.damaged)?;
            if let Some(segment) = segment {
                let is_old = snapshot.is_before(&segment, self.filter.after);
                too_old = if is_old { too_old + 1 } else { 0 };
                if too_old > OUTSIDE_MAX {
                    return Ok(Went::Over);
                }
                let entries: Vec<_> = segment.entries().collect();
                for entry in entries.iter().rev() {
                    if self.entry(entry, first)? == Went::Enough {
                        return Ok(Went::Enough);
                    }
                }
            }
            self.before = self.before.min(key);
            if key <= first {
                break;
            }
        }
        self.before = self.before.min(first);
        Ok(Went::On)
    }

    /// Takes the deliveries of a record into the list that stand there or behind, the last first.
    fn entry(&mut self, entry: &Entry<'_>, first: u64) -> Result<Went, Failure> {
        let snapshot = self.snapshot;
        let has_any = matches!(entry.kind, RecordKind::Event | RecordKind::Parcel);
        if !has_any || entry.position >= self.before {
            return Ok(Went::On);
        }
        let record = Record::skim(entry, snapshot.tag());
        let record = snapshot.readable(record, None, &mut self.listing.damaged)?;
        let Some(stored) = record.and_then(Stored::of) else { return Ok(Went::On) };
        self.deliveries_of(&stored, first)
    }

    /// The same of what is stored.
    fn deliveries_of(&mut self, stored: &Stored, first: u64) -> Result<Went, Failure> {
        let snapshot = self.snapshot;
        if let Stored::Event(event) = stored
            && !self.filter.is_of(Some(event))
        {
            return Ok(Went::On);
        }
        for work in stored.works(&snapshot.shared.order_keys).into_iter().rev() {
            let position = work.entry.position;
            let is_here = (first..self.before).contains(&position);
            if work.kind != WorkKind::Delivery || !is_here {
                continue;
            }
            if self.listing.items.len() == self.limit {
                return Ok(Went::Enough);
            }
            self.before = position;
            if self.filter.goes_to(&work.group) {
                self.add(work.id(snapshot.tag()), (stored, &work))?;
            }
        }
        Ok(Went::On)
    }

    fn is_enough(&self) -> bool {
        let is_late = self.read >= SEGMENTS_MIN && self.started.elapsed() >= self.time;
        is_late || self.listing.items.len() == self.limit
    }
}
