//! Queries: one receipt or event with its history, and lists of events and dead letters.
//!
//! Each reads one unchanging view of the file and holds up no writer. A list reads a bounded part
//! of the log and says where to go on, so a page may be short and still not be the last. They
//! block: call them where that is allowed.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redb::ReadOnlyTable;

use super::owed::{Stored, work_id};
use super::record::{Record, RecordKind};
use super::segment::{Damaged, Segment};
use super::standing::{Progress, Standing, WorkKind};
use super::stored::{Receipt, StoredEvent, StoredParcel};
use super::view::{
    AttemptView, DeadLetter, DeliveryView, EventSummary, EventView, Progressed, ReceiptView,
    RunView, State, TryView,
};
use super::{Error, Failure, Shared, Store, file};
use crate::event::Timestamp;
use crate::ids::{Id, Name};
use crate::route::Pattern;

/// Most items of a page.
pub const PAGE_ITEMS_MAX: usize = 1000;
/// Most segments that one page looks through.
const PAGE_SEGMENTS_MAX: usize = 256;
/// Most records of one work's history that are shown; older ones are not.
const HISTORY_MAX: usize = 200;

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this source or handler.
    pub source: Option<Name>,
    /// Of these types.
    pub event_type: Option<Pattern>,
    /// About this business entity.
    pub subject: Option<String>,
    /// In this state.
    pub state: Option<State>,
    /// Stored at this time or later.
    pub after: Option<Timestamp>,
    /// Stored before this time.
    pub before: Option<Timestamp>,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Where the last page said to go on; `None` at the newest.
    pub cursor: Option<u64>,
    /// Most items, up to [`PAGE_ITEMS_MAX`].
    pub limit: usize,
}

/// A part of a list, newest first.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Listing<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where to go on; `None` if this is the end.
    pub next: Option<u64>,
}

impl Store {
    /// A receipt with its history; `None` if there is no such receipt.
    pub fn receipt(&self, id: Id) -> Result<Option<ReceiptView>, Error> {
        let snapshot = self.handle.shared.snapshot()?;
        let Some(Stored::Receipt(receipt)) = snapshot.find(id)? else { return Ok(None) };
        Ok(Some(snapshot.receipt(&receipt)?))
    }

    /// An event with its runs and deliveries, by its own id or that of a run or delivery on it;
    /// `None` if there is no such event.
    pub fn event(&self, id: Id) -> Result<Option<EventView>, Error> {
        let snapshot = self.handle.shared.snapshot()?;
        match snapshot.find(id)? {
            None | Some(Stored::Receipt(_)) => Ok(None),
            Some(Stored::Event(event)) => Ok(Some(snapshot.event(&event)?)),
            Some(Stored::Parcel(parcel)) => self.event(parcel.event),
        }
    }

    /// The events that match, newest first.
    pub fn events(&self, filter: &EventFilter, page: Page) -> Result<Listing<EventSummary>, Error> {
        Ok(self.handle.shared.snapshot()?.events(filter, page)?)
    }

    /// An accepted request as it is stored; `None` also if its body has expired.
    pub fn read_receipt(&self, id: Id) -> Result<Option<Arc<Receipt>>, Error> {
        let found = self.handle.shared.snapshot()?.find(id).map_err(Error::from);
        match self.noting(found)? {
            Some(Stored::Receipt(receipt)) if !receipt.body_expired => Ok(Some(receipt)),
            _ => Ok(None),
        }
    }

    /// The dead letters, those of the newest receipts, runs and deliveries first.
    pub fn dead(&self, page: Page) -> Result<Listing<DeadLetter>, Error> {
        Ok(self.handle.shared.snapshot()?.dead(page)?)
    }
}

/// One unchanging view of the file.
struct Snapshot<'s> {
    shared: &'s Shared,
    log: ReadOnlyTable<u64, &'static [u8]>,
    outcomes: ReadOnlyTable<u64, &'static [u8]>,
    dead: ReadOnlyTable<u64, u8>,
}

/// What a work has behind it.
struct History {
    progress: Progressed,
    tries: Vec<TryView>,
    attempts: Vec<AttemptView>,
}

impl Shared {
    fn snapshot(&self) -> Result<Snapshot<'_>, Error> {
        let transaction = self.file.read()?;
        let open = || -> Result<Snapshot<'_>, Failure> {
            Ok(Snapshot {
                shared: self,
                log: transaction.open_table(file::LOG)?,
                outcomes: transaction.open_table(file::OUTCOMES)?,
                dead: transaction.open_table(file::DEAD)?,
            })
        };
        Ok(open()?)
    }
}

impl Snapshot<'_> {
    fn tag(&self) -> u32 {
        self.shared.file.tag
    }

    fn find(&self, id: Id) -> Result<Option<Stored>, Failure> {
        if id.tag != self.tag() {
            return Ok(None);
        }
        let stored = self.shared.log.record(&self.log, id.position)?.and_then(Stored::of);
        Ok(stored.filter(|stored| stored.works_of(id, &self.shared.lanes).is_some()))
    }

    fn standing(&self, position: u64) -> Result<Standing, Failure> {
        let Some(stored) = self.outcomes.get(position)? else { return Ok(Standing::default()) };
        Ok(Standing::read(position, stored.value())?)
    }

    fn receipt(&self, receipt: &Receipt) -> Result<ReceiptView, Failure> {
        let History { progress, tries, .. } = self.history(receipt.id.position)?;
        let request = &receipt.request;
        let text = std::str::from_utf8(&request.body).ok();
        Ok(ReceiptView {
            id: receipt.id,
            source: receipt.source.clone(),
            received_at: request.received_at,
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body_expired: receipt.body_expired,
            body: text.filter(|_| !receipt.body_expired).map(str::to_owned),
            body_base64: text.is_none().then(|| STANDARD.encode(&request.body)),
            progress,
            events: tries.iter().flat_map(|tried| tried.events.iter().copied()).collect(),
            tries,
        })
    }

    fn event(&self, stored: &StoredEvent) -> Result<EventView, Failure> {
        let mut runs = Vec::new();
        let mut deliveries = Vec::new();
        for work in Stored::Event(stored.clone().into()).works(&self.shared.lanes) {
            let id = work.id(self.tag());
            match work.kind {
                WorkKind::Delivery => deliveries.push(self.delivery(id, work.group, None)?),
                WorkKind::Parse | WorkKind::Run => {
                    let History { progress, tries, .. } = self.history(id.position)?;
                    runs.push(RunView { id, handler: work.group, progress, tries });
                }
            }
        }
        let parcels = runs.iter().flat_map(|run| &run.tries).flat_map(|tried| &tried.parcels);
        for id in parcels {
            let record = self.shared.log.record(&self.log, id.position)?;
            let Some(Record::Parcel(StoredParcel { parcel, run, .. })) = record else {
                continue; // It was kept long enough.
            };
            deliveries.push(self.delivery(*id, parcel.endpoint, Some(run))?);
        }
        let run_states = runs.iter().map(|run| run.progress.state);
        let states = run_states.chain(deliveries.iter().map(|delivery| delivery.progress.state));
        Ok(EventView {
            id: stored.id,
            event: stored.event.as_ref().into(),
            receipt: stored.receipt,
            cause: stored.cause,
            depth: stored.depth,
            recorded_at: stored.recorded_at,
            state: State::of_all(states),
            runs,
            deliveries,
        })
    }

    fn delivery(&self, id: Id, endpoint: Name, run: Option<Id>) -> Result<DeliveryView, Failure> {
        let History { progress, attempts, .. } = self.history(id.position)?;
        Ok(DeliveryView { id, endpoint, run, progress, attempts })
    }

    /// Follows a work's history back from its latest record, and gives it oldest first.
    fn history(&self, position: u64) -> Result<History, Failure> {
        let standing = self.standing(position)?;
        let (mut tries, mut attempts, mut reopened_at) = (Vec::new(), Vec::new(), Vec::new());
        let mut next = standing.last;
        for _ in 0..HISTORY_MAX {
            let Some(position) = next else { break };
            // What is older may be gone.
            let Some(record) = self.shared.log.record(&self.log, position)? else { break };
            next = match record {
                Record::Gap => break,
                Record::Try(record) => {
                    let previous = record.previous;
                    tries.push(TryView::new(record, self.tag()));
                    previous
                }
                Record::Attempt(record) => {
                    let previous = record.previous;
                    attempts.push(AttemptView::from(record));
                    previous
                }
                Record::Reopening(record) => {
                    reopened_at.push(record.at);
                    record.previous
                }
                Record::Receipt(_) | Record::Event(_) | Record::Parcel(_) => {
                    return Err(Damaged { position }.into());
                }
            };
        }
        tries.reverse();
        attempts.reverse();
        reopened_at.reverse();
        let retry_at = match standing.progress {
            Progress::RetryAt(due) => Some(due),
            Progress::Ready | Progress::Done | Progress::Dead => None,
        };
        let (state, tries_made) = (State::of(standing), standing.tries_made);
        let progress = Progressed { state, tries_made, retry_at, reopened_at };
        Ok(History { progress, tries, attempts })
    }

    fn events(&self, filter: &EventFilter, page: Page) -> Result<Listing<EventSummary>, Failure> {
        let before = page.cursor.unwrap_or(u64::MAX);
        let limit = page.limit.clamp(1, PAGE_ITEMS_MAX);
        let mut items = Vec::new();
        let mut next = None;
        for (looked_at, row) in self.log.range(..before)?.rev().enumerate() {
            if looked_at == PAGE_SEGMENTS_MAX {
                return Ok(Listing { items, next });
            }
            let (first, packed) = row?;
            let segment = Segment::read(first.value(), packed.value())?;
            let entries: Vec<_> =
                segment.entries().filter(|entry| entry.position < before).collect();
            for entry in entries.iter().rev() {
                if entry.kind != RecordKind::Event {
                    continue;
                }
                let Record::Event(event) = Record::read(entry, self.tag())? else { continue };
                let Some(summary) = self.summary(&event, filter)? else { continue };
                items.push(summary);
                if items.len() == limit {
                    return Ok(Listing { items, next: Some(entry.position) });
                }
            }
            next = Some(first.value());
        }
        Ok(Listing { items, next: None })
    }

    /// The event in short, if it matches.
    fn summary(
        &self,
        stored: &StoredEvent,
        filter: &EventFilter,
    ) -> Result<Option<EventSummary>, Failure> {
        let state = |stored: &StoredEvent| -> Result<State, Failure> {
            let owed = 1..u64::from(stored.width());
            let states: Result<Vec<State>, Failure> = owed
                .map(|offset| self.standing(stored.id.position + offset).map(State::of))
                .collect();
            Ok(State::of_all(states?))
        };
        if !filter.matches(stored) {
            return Ok(None);
        }
        let state = state(stored)?;
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
            state,
        }))
    }

    fn dead(&self, page: Page) -> Result<Listing<DeadLetter>, Failure> {
        let before = page.cursor.unwrap_or(u64::MAX);
        let limit = page.limit.clamp(1, PAGE_ITEMS_MAX);
        let mut items = Vec::new();
        for row in self.dead.range(..before)?.rev() {
            let (position, kind) = row?;
            let position = position.value();
            if items.len() == limit {
                return Ok(Listing { items, next: Some(position + 1) });
            }
            let kind = WorkKind::read(kind.value()).ok_or(Damaged { position })?;
            items.push(self.dead_letter(kind, position)?);
        }
        Ok(Listing { items, next: None })
    }

    fn dead_letter(&self, kind: WorkKind, position: u64) -> Result<DeadLetter, Failure> {
        let damaged = || Damaged { position };
        let id = work_id(kind, position, self.tag());
        let stored = self.find(id)?.ok_or_else(damaged)?;
        let work = stored.works_of(id, &self.shared.lanes).and_then(|mut works| works.pop());
        let (receipt, event) = match &stored {
            Stored::Receipt(receipt) => (Some(receipt.id), None),
            Stored::Event(event) => (event.receipt, Some(event.id)),
            Stored::Parcel(parcel) => (None, Some(parcel.event)),
        };
        let standing = self.standing(position)?;
        let last = standing.last.ok_or_else(damaged)?;
        let (outcome, died_at) = match self.shared.log.expect(&self.log, last)? {
            Record::Try(tried) => (tried.outcome, tried.at.after(tried.duration)),
            Record::Attempt(attempt) => (attempt.outcome, attempt.at.after(attempt.duration)),
            _ => return Err(damaged().into()),
        };
        Ok(DeadLetter {
            id,
            kind,
            name: work.ok_or_else(damaged)?.group,
            reason: outcome.reason().unwrap_or_default().to_owned(),
            died_at,
            tries_made: standing.tries_made,
            receipt,
            event,
        })
    }
}

impl EventFilter {
    /// Whether all but the state fits.
    fn matches(&self, stored: &StoredEvent) -> bool {
        let event = &stored.event;
        self.source.as_ref().is_none_or(|source| *source == event.source)
            && self.event_type.as_ref().is_none_or(|types| types.matches(&event.event_type))
            && self.subject.as_ref().is_none_or(|it| Some(it) == event.subject.as_ref())
            && self.after.is_none_or(|after| stored.recorded_at >= after)
            && self.before.is_none_or(|before| stored.recorded_at < before)
    }
}
