//! Lists: events and receipts newest first, and all that is stored oldest first.
//!
//! What can't be read is left out and named. Positions are in the order of time, give or take what
//! a clock was set by: so where the log is read through, a list begins where its times begin and
//! ends where they end. Never waits for the writer.

use std::time::{Duration, Instant};

use super::times::{CLOCK_SLACK, OUTSIDE_MAX, SEGMENTS_MIN};
use super::walk::Asked;
use super::{Listing, Page, Part, Snapshot};
use crate::event::{Timestamp, in_millis};
use crate::ids::{Id, IdKind};
use crate::store::error::Failure;
use crate::store::facts::{Receipt, StoredEvent};
use crate::store::log::record::Record;
use crate::store::log::segment::RecordKind;
use crate::store::owed::standing::Standing;
use crate::store::read::filter::{EventFilter, ReceiptFilter};
use crate::store::read::view::{DamagedItem, EventSummary, ReceiptSummary, State};

/// A part of the log has no more events once they have so many works together: whoever opens the
/// works of a part does so in one commit. One event alone may have more.
const WORKS_MAX: u32 = 4096;

/// Events oldest first.
#[derive(Debug, Default)]
pub(in crate::store) struct Found {
    pub(in crate::store) events: Vec<(Id, u32)>,
    /// Where to go on; `None` at the end.
    pub(in crate::store) next: Option<u64>,
    /// Where the log is damaged.
    pub(in crate::store) damaged: usize,
}

impl Snapshot<'_> {
    /// The events that match, newest first, for a time.
    pub(in crate::store) fn events(
        &self,
        filter: &EventFilter,
        page: Page,
        time: Duration,
    ) -> Result<Listing<EventSummary>, Failure> {
        let (wanted, state, list) = (filter.wanted(), filter.state, filter.list());
        self.walk(&Asked { wanted, state, list, page, time }, |record| match record {
            Record::Event(event) => self.summary(event, filter),
            _ => Ok(None),
        })
    }

    /// The receipts that match, newest first, for a time.
    pub(super) fn receipts(
        &self,
        filter: &ReceiptFilter,
        page: Page,
        time: Duration,
    ) -> Result<Listing<ReceiptSummary>, Failure> {
        let (wanted, state, list) = (filter.wanted(), filter.state, filter.list());
        self.walk(&Asked { wanted, state, list, page, time }, |record| match record {
            Record::Receipt(receipt) => self.receipt_summary(receipt, filter),
            _ => Ok(None),
        })
    }

    /// The events in a part of the log for which all but the state fits, oldest first, for a time.
    pub(in crate::store) fn events_within(
        &self,
        filter: &EventFilter,
        part: std::ops::Range<u64>,
        limit: usize,
        time: Duration,
    ) -> Result<Found, Failure> {
        let started = Instant::now();
        let mut found = Found::default();
        let mut from = part.start;
        if let Some(begin) = filter.after {
            let earliest = Timestamp(begin.0.saturating_sub(in_millis(CLOCK_SLACK)));
            from = from.max(self.begin_at(earliest)?);
        }
        let mut too_new = 0;
        let mut works = 0;
        for (looked_at, row) in self.log.within(self.key_at(from)?..part.end)?.enumerate() {
            let (first, segment) = row?;
            if looked_at >= SEGMENTS_MIN && started.elapsed() >= time {
                found.next = Some(first);
                return Ok(found);
            }
            let Some(segment) = self.shared.damages.pass(segment)? else {
                found.damaged += 1;
                continue;
            };
            too_new = if self.is_behind(&segment, filter.before) { too_new + 1 } else { 0 };
            if too_new > OUTSIDE_MAX {
                break;
            }
            let within = |position| (from..part.end).contains(&position);
            for entry in segment.entries().filter(|entry| within(entry.position)) {
                if entry.kind != RecordKind::Event {
                    continue;
                }
                if found.events.len() == limit || works >= WORKS_MAX {
                    found.next = Some(entry.position);
                    return Ok(found);
                }
                match self.shared.damages.pass(Record::skim(&entry, self.tag()))? {
                    Some(Record::Event(event)) if filter.matches(&event) => {
                        found.events.push((event.id, event.width()));
                        works += event.width();
                    }
                    Some(_) => (),
                    None => found.damaged += 1,
                }
            }
        }
        Ok(found)
    }

    /// All receipts and events from a position on, oldest first.
    pub(super) fn stored_from(&self, from: u64, limit: usize) -> Result<Part, Failure> {
        let mut part = Part::default();
        for row in self.log.within(self.key_at(from)?..)? {
            let (first, segment) = row?;
            if part.ids.len() + part.damaged.len() >= limit {
                part.next = Some(first);
                break;
            }
            let Some(segment) = self.readable(segment, None, &mut part.damaged)? else { continue };
            for entry in segment.entries().filter(|entry| entry.position >= from) {
                let kind = match entry.kind {
                    RecordKind::Receipt | RecordKind::BareReceipt => IdKind::Receipt,
                    RecordKind::Event => IdKind::Event,
                    _ => continue,
                };
                part.ids.push(Id { kind, position: entry.position, tag: self.tag() });
            }
        }
        Ok(part)
    }

    /// What was read; what is damaged is noted and named.
    pub(super) fn readable<T, E>(
        &self,
        read: Result<T, E>,
        id: Option<crate::ids::Id>,
        damaged: &mut Vec<DamagedItem>,
    ) -> Result<Option<T>, Failure>
    where
        Failure: From<E>,
    {
        match read.map_err(Failure::from) {
            Err(Failure::Damaged(found)) => {
                self.shared.damages.note(found);
                damaged.push(DamagedItem { id, position: found.position });
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// The event in short, if it matches.
    pub(super) fn summary(
        &self,
        stored: &StoredEvent,
        filter: &EventFilter,
    ) -> Result<Option<EventSummary>, Failure> {
        if !filter.matches(stored) {
            return Ok(None);
        }
        let states = (1..u64::from(stored.width()))
            .map(|offset| self.standing(stored.id.position + offset).map(State::of))
            .collect::<Result<Vec<State>, Failure>>()?;
        let state = State::of_all(states);
        if filter.state.is_some_and(|wanted| wanted != state) {
            return Ok(None);
        }
        Ok(Some(EventSummary {
            id: stored.id,
            source: stored.event.source.clone(),
            event_id: stored.event.id.clone(),
            event_type: stored.event.event_type.clone(),
            subject: stored.event.subject.clone(),
            time: stored.event.time,
            recorded_at: stored.recorded_at,
            receipt: stored.receipt,
            tenant: stored.tenant.clone(),
            state,
        }))
    }

    /// The receipt in short, if it matches.
    fn receipt_summary(
        &self,
        receipt: &Receipt,
        filter: &ReceiptFilter,
    ) -> Result<Option<ReceiptSummary>, Failure> {
        if !filter.matches(receipt) {
            return Ok(None);
        }
        let standing = self.standing(receipt.id.position)?;
        let state = State::of(standing);
        if filter.state.is_some_and(|wanted| wanted != state) {
            return Ok(None);
        }
        Ok(Some(ReceiptSummary {
            id: receipt.id,
            source: receipt.source.clone(),
            received_at: receipt.request.received_at,
            body_expired: receipt.body_expired,
            state,
            tries_made: standing.tries_made,
        }))
    }

    /// Whether some work of the event stands so.
    pub(in crate::store) fn has_work(
        &self,
        (id, width): (Id, u32),
        is_so: impl Fn(Standing) -> bool,
    ) -> Result<bool, Failure> {
        for offset in 1..u64::from(width) {
            let standing = self.shared.damages.pass(self.standing(id.position + offset))?;
            if standing.is_some_and(&is_so) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
