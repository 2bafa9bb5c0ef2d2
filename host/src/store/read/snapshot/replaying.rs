//! The works that a replay by filter is for, oldest first: the dead ones by their letters, all
//! others by the log.
//!
//! Each look takes a bounded time and says where to go on. A work is named by how it stood then:
//! whoever opens it looks again. Never opens one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::times::{CLOCK_SLACK, Reach, SEGMENTS_MIN};
use super::{Snapshot, State};
use crate::event::{Timestamp, in_millis};
use crate::ids::{Id, Name};
use crate::store::error::{Damaged, Failure};
use crate::store::file::death_rows::{By, hash};
use crate::store::kind::WorkKind;
use crate::store::log::record::Record;
use crate::store::log::segment::{Entry, RecordKind};
use crate::store::owed::works::{Stored, work_id};
use crate::store::read::filter::{EventFilter, ReplayFilter};

/// Letters between two looks at the clock: a look always gets on.
const LETTERS_MIN: usize = 64;

/// A work that a replay is for.
#[derive(Debug, Clone)]
pub(in crate::store) struct FoundWork {
    pub(in crate::store) kind: WorkKind,
    pub(in crate::store) position: u64,
    /// Its source, handler or endpoint, if nobody had to read a record for that.
    pub(in crate::store) group: Option<Name>,
}

/// Some of the works that a replay is for, oldest first.
#[derive(Debug, Default)]
pub(in crate::store) struct Works {
    pub(in crate::store) works: Vec<FoundWork>,
    /// Where to go on; `None` at the end.
    pub(in crate::store) next: Option<u64>,
    /// How much could not be read.
    pub(in crate::store) damaged: usize,
    /// The endpoints that were passed over, each with the first delivery that was.
    pub(in crate::store) aside: BTreeMap<Name, u64>,
}

/// To which endpoints the deliveries are that a look is for.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Course<'c> {
    /// To all but these, which it passes over.
    Past(&'c BTreeSet<Name>),
    /// To this one, and nothing else.
    To(&'c Name),
}

/// How far one look goes.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Bounds {
    /// It finds no more works.
    pub(in crate::store) most: usize,
    /// It takes about this time.
    pub(in crate::store) time: Duration,
}

/// A dead work, with the number of its kind if that was told with it.
type Letter = Result<(u64, Option<u8>), Failure>;

impl Works {
    fn pass_over(&mut self, endpoint: &Name, position: u64) {
        self.aside.entry(endpoint.clone()).or_insert(position);
    }
}

impl<'c> Course<'c> {
    /// The endpoint of a work, if it is passed over.
    fn passed(self, kind: WorkKind, group: &Name) -> Option<&'c Name> {
        match self {
            Self::Past(endpoints) if kind == WorkKind::Delivery => endpoints.get(group),
            Self::Past(_) | Self::To(_) => None,
        }
    }

    /// Whether the look is for such works.
    fn is_for(self, kind: WorkKind, group: &Name) -> bool {
        match self {
            Self::Past(_) => true,
            Self::To(endpoint) => kind == WorkKind::Delivery && endpoint == group,
        }
    }
}

impl Snapshot<'_> {
    /// Some of the works in a part of the log that a replay is for.
    pub(in crate::store) fn works_for(
        &self,
        filter: &ReplayFilter,
        part: Range<u64>,
        bounds: Bounds,
    ) -> Result<Works, Failure> {
        self.works_on(Course::Past(&BTreeSet::new()), filter, part, bounds)
    }

    /// The same of those that this course leads to.
    pub(in crate::store) fn works_on(
        &self,
        course: Course<'_>,
        filter: &ReplayFilter,
        part: Range<u64>,
        bounds: Bounds,
    ) -> Result<Works, Failure> {
        let span = self.span(&filter.events, part)?;
        match (filter.events.state, course) {
            (Some(State::Dead), Course::Past(passed)) => {
                self.dead_for(filter, span, bounds, passed)
            }
            (Some(State::Dead), Course::To(endpoint)) => {
                // Letters have rows by their endpoints.
                let endpoint = Some(endpoint.clone());
                let filter = ReplayFilter { endpoint, ..filter.clone() };
                self.dead_for(&filter, span, bounds, &BTreeSet::new())
            }
            (Some(State::Pending | State::Done) | None, course) => {
                self.logged_for((filter, course), span, bounds)
            }
        }
    }

    /// The source, handler or endpoint of a work, and what it is owed on; `None` also if that can't
    /// be read.
    pub(in crate::store) fn read_about(
        &self,
        work: &FoundWork,
    ) -> Result<Option<(Name, Stored)>, Failure> {
        let id = work_id(work.kind, work.position, self.tag());
        let stored = self.shared.damages.pass(self.find(id))?.flatten();
        let Some(stored) = stored else { return Ok(None) };
        let found = stored.work_at(work.position, &self.shared.order_keys);
        Ok(found.map(|found| (found.group, stored)))
    }

    /// What stands for the name that a dead work is found by, if there is a row that says it.
    pub(in crate::store) fn letter_name(&self, work: u64) -> Result<Option<u64>, Failure> {
        Ok(self.view.death(work)?.map(|row| row.name))
    }

    /// The part of a part of the log in which something may be of these times.
    fn span(&self, events: &EventFilter, part: Range<u64>) -> Result<Range<u64>, Failure> {
        let Range { mut start, mut end } = part;
        if let Some(after) = events.after {
            let earliest = Timestamp(after.0.saturating_sub(in_millis(CLOCK_SLACK)));
            start = start.max(self.begin_at(earliest)?);
        }
        if let Some(before) = events.before
            && let Reach::At(behind) = self.first_at(before.after(CLOCK_SLACK))?
        {
            end = end.min(behind);
        }
        Ok(start..end)
    }

    fn dead_for(
        &self,
        filter: &ReplayFilter,
        span: Range<u64>,
        Bounds { most, time }: Bounds,
        passed: &BTreeSet<Name>,
    ) -> Result<Works, Failure> {
        let started = Instant::now();
        let mut found = Works::default();
        let passed: Vec<_> = passed.iter().map(|name| (hash(name.as_str()), name)).collect();
        let is_filed = self.are_letters_filed()?;
        let has_reasons = self.shared.have_letters_reasons.load(Ordering::Relaxed);
        let by_rows = is_filed && (filter.reason.is_none() || has_reasons);
        for (looked_at, letter) in self.letters_from(filter, span.start, by_rows)?.enumerate() {
            let (position, number) = letter?;
            if position >= span.end {
                break;
            }
            let is_time = looked_at > 0 && looked_at.is_multiple_of(LETTERS_MIN);
            if found.works.len() >= most || is_time && started.elapsed() >= time {
                found.next = Some(position);
                break;
            }
            let fits = self.is_dead_for(filter, (position, number), by_rows);
            let fits = fits.and_then(|kind| {
                let Some(kind) = kind else { return Ok(None) };
                Ok(Some((kind, self.passed_of((kind, position), &passed, by_rows)?)))
            });
            match self.shared.damages.pass(fits)? {
                Some(Some((_, Some(endpoint)))) => found.pass_over(endpoint, position),
                Some(Some((kind, None))) => {
                    found.works.push(FoundWork { kind, position, group: None });
                }
                Some(None) => (),
                None => found.damaged += 1,
            }
        }
        Ok(found)
    }

    /// The endpoint of a dead work, if it is one of these; each stands behind its hash.
    fn passed_of<'p>(
        &self,
        (kind, position): (WorkKind, u64),
        passed: &[(u64, &'p Name)],
        by_rows: bool,
    ) -> Result<Option<&'p Name>, Failure> {
        if passed.is_empty() || kind != WorkKind::Delivery {
            return Ok(None);
        }
        let row = if by_rows { self.view.death(position)? } else { None };
        let name = match row {
            Some(row) => row.name,
            None => hash(self.dead_letter(kind, position)?.name.as_str()),
        };
        Ok(passed.iter().find(|(hash, _)| *hash == name).map(|(_, endpoint)| *endpoint))
    }

    /// The letters from a position on, oldest first: those that the rows find by the endpoint or by
    /// the reason, or all.
    fn letters_from(
        &self,
        filter: &ReplayFilter,
        from: u64,
        by_rows: bool,
    ) -> Result<Box<dyn Iterator<Item = Letter>>, Failure> {
        let by_endpoint = filter.endpoint.as_ref().map(|name| By::Name(hash(name.as_str())));
        let by_reason = filter.reason.map(|reason| By::Reason(hash(reason.as_str())));
        match by_endpoint.or(by_reason).filter(|_| by_rows) {
            Some(way) => {
                let works = self.view.died_from(way, from)?;
                Ok(Box::new(works.map(|work| -> Letter { Ok((work?, None)) })))
            }
            None => {
                let letters = self.dead.within(from..)?;
                Ok(Box::new(letters.map(|letter| -> Letter {
                    let (work, kind) = letter?;
                    Ok((work, Some(kind)))
                })))
            }
        }
    }

    /// The kind of a dead work, if a replay is for it.
    fn is_dead_for(
        &self,
        filter: &ReplayFilter,
        (position, number): (u64, Option<u8>),
        by_rows: bool,
    ) -> Result<Option<WorkKind>, Failure> {
        let number = match number {
            None => self.dead.letter(position)?,
            number => number,
        };
        let Some(number) = number else { return Ok(None) };
        let kind = WorkKind::read(number).ok_or(Damaged { position })?;
        if !filter.has_kind(kind) || !self.is_named_for(filter, (kind, position), by_rows)? {
            return Ok(None);
        }
        if !filter.is_of_events() {
            return Ok(Some(kind));
        }
        let stored = self.find(work_id(kind, position, self.tag()))?;
        let is_wanted = stored.map(|stored| self.is_wanted(filter, &stored)).transpose()?;
        Ok(is_wanted.unwrap_or(false).then_some(kind))
    }

    /// Whether the endpoint and the reason are those that a replay is for.
    fn is_named_for(
        &self,
        filter: &ReplayFilter,
        (kind, position): (WorkKind, u64),
        by_rows: bool,
    ) -> Result<bool, Failure> {
        let ReplayFilter { endpoint, reason, .. } = filter;
        // With one of both it was found by that.
        let is_known = endpoint.is_none() || reason.is_none();
        if endpoint.is_none() && reason.is_none() || by_rows && is_known {
            return Ok(true);
        }
        let row = if by_rows { self.view.death(position)? } else { None };
        let Some(row) = row else {
            let letter = self.dead_letter(kind, position)?;
            return Ok(endpoint.as_ref().is_none_or(|name| *name == letter.name)
                && reason.is_none_or(|reason| reason == letter.reason));
        };
        Ok(endpoint.as_ref().is_none_or(|name| hash(name.as_str()) == row.name)
            && reason.is_none_or(|reason| hash(reason.as_str()) == row.reason))
    }

    fn logged_for(
        &self,
        (filter, course): (&ReplayFilter, Course<'_>),
        span: Range<u64>,
        bounds: Bounds,
    ) -> Result<Works, Failure> {
        let started = Instant::now();
        let mut found = Works::default();
        let segments = self.log.within(self.key_at(span.start)?..span.end)?;
        for (looked_at, row) in segments.enumerate() {
            let (first, segment) = row?;
            if looked_at >= SEGMENTS_MIN && started.elapsed() >= bounds.time {
                found.next = Some(first);
                return Ok(found);
            }
            let Some(segment) = self.shared.damages.pass(segment)? else {
                found.damaged += 1;
                continue;
            };
            for entry in segment.entries().filter(|entry| has_works(filter, entry)) {
                let behind = entry.position + u64::from(entry.width);
                if behind <= span.start || entry.position >= span.end {
                    continue;
                }
                let from = (course, span.start);
                self.add_works_of(&entry, (filter, from), bounds.most, &mut found)?;
                if found.next.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// Adds the works on a record that a replay is for, from a position on, as far as there is
    /// room.
    fn add_works_of(
        &self,
        entry: &Entry<'_>,
        (filter, (course, from)): (&ReplayFilter, (Course<'_>, u64)),
        most: usize,
        found: &mut Works,
    ) -> Result<(), Failure> {
        let damages = &self.shared.damages;
        let Some(record) = damages.pass(Record::skim(entry, self.tag()))? else {
            found.damaged += 1;
            return Ok(());
        };
        let Some(stored) = Stored::of(record) else { return Ok(()) };
        match damages.pass(self.is_wanted(filter, &stored))? {
            Some(true) => (),
            Some(false) => return Ok(()),
            None => {
                found.damaged += 1;
                return Ok(());
            }
        }
        for work in stored.works(&self.shared.order_keys) {
            let position = work.entry.position;
            let is_meant = course.is_for(work.kind, &work.group);
            if position < from || !is_meant || !filter.is_for(work.kind, &work.group) {
                continue;
            }
            if found.works.len() >= most {
                found.next = Some(position);
                return Ok(());
            }
            let passed = course.passed(work.kind, &work.group);
            // A receipt that was parsed is not parsed again.
            if filter.events.state.is_some() || work.kind == WorkKind::Parse || passed.is_some() {
                let Some(standing) = damages.pass(self.standing(position))? else {
                    found.damaged += 1;
                    continue;
                };
                let state = State::of(standing);
                let is_parsed = work.kind == WorkKind::Parse && state == State::Done;
                if is_parsed || filter.events.state.is_some_and(|wanted| wanted != state) {
                    continue;
                }
                // What waits for another try is open already.
                if let Some(endpoint) = passed.filter(|_| state != State::Pending) {
                    found.pass_over(endpoint, position);
                    continue;
                }
            }
            found.works.push(FoundWork { kind: work.kind, position, group: Some(work.group) });
        }
        Ok(())
    }

    /// Whether what is said of events holds for what the works are about.
    fn is_wanted(&self, filter: &ReplayFilter, stored: &Stored) -> Result<bool, Failure> {
        let events = &filter.events;
        Ok(match stored {
            Stored::Event(event) => events.matches(event),
            Stored::Receipt(receipt) => {
                events.is_of_time(receipt.request.received_at)
                    && events.source.as_ref().is_none_or(|source| *source == receipt.source)
                    && events.event_type.is_none()
                    && events.subject.is_none()
                    && events.tenant.is_none()
            }
            Stored::Parcel(parcel) => {
                events.is_of_time(parcel.recorded_at)
                    && (!events.says_what() || self.is_about(events, parcel.event)?)
            }
        })
    }

    /// Whether the event with this id is one of those, whatever its time.
    fn is_about(&self, events: &EventFilter, id: Id) -> Result<bool, Failure> {
        Ok(match self.find(id)? {
            Some(Stored::Event(event)) => events.is_about(&event),
            // It is gone, and nobody knows.
            _ => false,
        })
    }
}

/// Whether there may be works on a record that a replay is for.
fn has_works(filter: &ReplayFilter, entry: &Entry<'_>) -> bool {
    match entry.kind {
        RecordKind::Event => filter.has_kind(WorkKind::Run) || filter.has_kind(WorkKind::Delivery),
        RecordKind::Parcel => filter.has_parcels() && filter.has_kind(WorkKind::Delivery),
        RecordKind::Receipt => filter.has_kind(WorkKind::Parse),
        RecordKind::Try
        | RecordKind::Attempt
        | RecordKind::Reopening
        | RecordKind::Gap
        | RecordKind::BareReceipt => false,
    }
}
