//! Lists: events and receipts newest first, and all that is stored oldest first.
//!
//! What can't be read is left out and named. Positions are in the order of time, give or take what
//! a clock was set by: so where the log is read through, a list begins where its times begin and
//! ends where they end. Never waits for the writer.

use std::collections::BTreeSet;
use std::time::Duration;

use super::walk::Asked;
use super::{Listing, Page, Part, Snapshot};
use crate::ids::{Id, IdKind, Name};
use crate::store::error::Failure;
use crate::store::facts::{Receipt, Routes, StoredEvent};
use crate::store::log::record::Record;
use crate::store::log::segment::RecordKind;
use crate::store::read::filter::{EventFilter, ReceiptFilter};
use crate::store::read::view::{DamagedItem, EventSummary, ReceiptSummary, State};

impl Snapshot<'_> {
    /// The events that match, newest first, for a time.
    pub(in crate::store) fn events(
        &self,
        filter: &EventFilter,
        page: Page,
        time: Duration,
    ) -> Result<Listing<EventSummary>, Failure> {
        let (wanted, list) = (filter.wanted(), filter.list());
        // What is done for some may be pending for others, so nothing is passed over for that.
        let is_of_some = filter.counted.is_some();
        let state = filter.state.filter(|state| !is_of_some || *state != State::Done);
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
        let state = State::of_all(self.states(stored, filter.counted.as_deref())?);
        if filter.state.is_some_and(|wanted| wanted != state) {
            return Ok(None);
        }
        Ok(Some(EventSummary {
            id: stored.id,
            source: stored.event.source.clone(),
            event_id: stored.event.id.clone(),
            event_type: stored.event.event_type.clone(),
            subject: stored.event.subject.clone().filter(|_| !stored.is_erased()),
            time: stored.event.time,
            recorded_at: stored.recorded_at,
            receipt: stored.receipt,
            tenant: stored.tenant.clone(),
            state,
        }))
    }

    /// How the works of an event stand, or only its deliveries to these endpoints.
    fn states(
        &self,
        stored: &StoredEvent,
        counted: Option<&BTreeSet<Name>>,
    ) -> Result<Vec<State>, Failure> {
        let Routes { handlers, endpoints } = &*stored.routes;
        let runs = handlers.iter().map(|_| None);
        let works = (1_u64..).zip(runs.chain(endpoints.iter().map(Some)));
        let counts = |endpoint: Option<&Name>| match counted {
            Some(counted) => endpoint.is_some_and(|endpoint| counted.contains(endpoint)),
            None => true,
        };
        works
            .filter(|(_, endpoint)| counts(*endpoint))
            .map(|(offset, _)| self.standing(stored.id.position + offset).map(State::of))
            .collect()
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
}
