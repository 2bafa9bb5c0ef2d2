//! Commits of tries: what a parse, a run or an attempt came to, with all that it asks for.
//!
//! Each is all or nothing within the transaction. Only a try whose verdict is done adds anything
//! but its own history.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashSet;

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use super::states::NoRoom;
use crate::effect::Parcel;
use crate::event::Event;
use crate::ids::{Id, IdKind, Name};
use crate::retry::Verdict;
use crate::store::error::Failure;
use crate::store::facts::{NewEvent, Receipt, StoredEvent, StoredParcel};
use crate::store::ids::IdKey;
use crate::store::kind::WorkKind;
use crate::store::log::record::{AttemptRecord, EventRecord, ParcelRecord, TryRecord};
use crate::store::log::segment::RecordKind;
use crate::store::owed::Life;
use crate::store::owed::backlog::InFlight;
use crate::store::owed::lease::{DeliveryWork, ParseWork, Payload, RunWork};
use crate::store::owed::standing::Standing;
use crate::store::owed::works::Stored;
use crate::store::promise::Promise;
use crate::store::report::{Attempt, Effects, Parsed, Refused, Try};
use crate::trace_context::TraceContext;

/// A try to parse a receipt, and the events that it came to.
#[derive(Debug)]
pub(in crate::store) struct CommitParse {
    pub(in crate::store) work: ParseWork,
    pub(in crate::store) report: Try,
    pub(in crate::store) events: Vec<NewEvent>,
    pub(in crate::store) reply: Reply<Result<Vec<Id>, Refused>>,
}

/// A try of a run, and its effects.
#[derive(Debug)]
pub(in crate::store) struct CommitRun {
    /// Until it is given back.
    run: Option<(RunWork, Try)>,
    effects: Effects,
    /// Of room for what it sets. Then nothing of that is refused, and somebody may have been told.
    promise: Option<Promise>,
    no_room: Option<NoRoom>,
    refused: Option<Refused>,
    /// If somebody waits for the commit.
    pub(in crate::store) reply: Option<Reply<Result<(), RunRefused>>>,
}

/// Why a try of a run is not committed though nothing is wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum RunRefused {
    /// Whoever made it drops it.
    #[error(transparent)]
    Try(#[from] Refused),
    /// Its handler has no room for what it sets.
    #[error("{}", .0.reason)]
    StateFull(Box<StateFull>),
}

/// A run that sets more than its handler has room for. It is given back, and did nothing: whoever
/// made it commits it as one that failed.
#[derive(Debug)]
pub struct StateFull {
    /// The work, on the same lease.
    pub work: RunWork,
    /// The try that was to be committed.
    pub report: Try,
    /// Why there is no room, for the operator.
    pub reason: String,
}

impl CommitRun {
    pub(in crate::store) fn new(
        work: RunWork,
        report: Try,
        effects: Effects,
        reply: Reply<Result<(), RunRefused>>,
    ) -> Self {
        let (run, reply) = (Some((work, report)), Some(reply));
        Self { run, effects, promise: None, no_room: None, refused: None, reply }
    }

    /// One for which nobody waits so far.
    pub(in crate::store) fn left(
        work: RunWork,
        report: Try,
        effects: Effects,
        promise: Promise,
    ) -> Self {
        let (run, promise) = (Some((work, report)), Some(promise));
        Self { run, effects, promise, no_room: None, refused: None, reply: None }
    }
}

/// An attempt of a delivery.
#[derive(Debug)]
pub(in crate::store) struct RecordAttempt {
    pub(in crate::store) work: DeliveryWork,
    pub(in crate::store) attempt: Attempt,
    refused: Option<Refused>,
    /// If somebody waits for the commit.
    pub(in crate::store) reply: Option<Reply<Result<(), Refused>>>,
}

impl RecordAttempt {
    pub(in crate::store) fn new(
        work: DeliveryWork,
        attempt: Attempt,
        reply: Option<Reply<Result<(), Refused>>>,
    ) -> Self {
        Self { work, attempt, refused: None, reply }
    }
}

impl Operation for CommitParse {
    fn bytes(&self) -> usize {
        data_bytes(&self.events)
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let added = match draft.admit(&self.work.lease) {
            Ok(()) => Ok(draft.parse(&self.work, &self.report, &self.events)?),
            Err(refused) => Err(refused),
        };
        self.reply.keep(Ok(added));
        Ok(())
    }

    fn end_try(&mut self) -> bool {
        let bytes = self.bytes() + self.work.receipt.request.body.len();
        self.work.lease.end_try(bytes)
    }

    fn end_lease(&mut self, life: Life) -> Option<InFlight> {
        self.work.lease.end(life)
    }

    fn is_outcome(&self) -> bool {
        true
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

impl Operation for CommitRun {
    fn bytes(&self) -> usize {
        let Effects { events, parcels, state, .. } = &self.effects;
        let bodies = parcels.iter().map(|parcel| parcel.body.len());
        let values = state.iter().flat_map(|(_, value)| value).map(Bytes::len);
        bodies.chain(values).sum::<usize>() + data_bytes(events)
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let Some((work, report)) = &self.run else { return Ok(()) };
        self.no_room = None;
        let admitted = draft.admit(&work.lease);
        if admitted.is_ok() {
            let is_promised = self.promise.is_some();
            self.no_room = draft.run(work, report, &self.effects, is_promised)?.err();
        }
        answer(&mut self.reply, &mut self.refused, admitted);
        Ok(())
    }

    fn end_try(&mut self) -> bool {
        let bytes = self.bytes();
        let Some((work, _)) = &mut self.run else { return false };
        let bytes = bytes + work.event.event.data.as_str().len();
        work.lease.end_try(bytes)
    }

    fn end_lease(&mut self, life: Life) -> Option<InFlight> {
        let (work, _) = self.run.as_mut().filter(|_| self.no_room.is_none())?;
        work.lease.end(life)
    }

    fn is_outcome(&self) -> bool {
        true
    }

    fn tell(&mut self) {
        // What it has set counts as taken by now.
        self.promise = None;
        if let Some((work, _)) = &self.run {
            say(work.id, &mut self.refused);
        }
        let Some(reply) = &mut self.reply else { return };
        if let Some(no_room) = self.no_room.take()
            && let Some((work, report)) = self.run.take()
        {
            let full = StateFull { work, report, reason: no_room.to_string() };
            reply.keep(Ok(Err(RunRefused::StateFull(Box::new(full)))));
        }
        reply.tell();
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        self.reply.as_mut().map(|reply| reply as &mut dyn Answer)
    }
}

impl Operation for RecordAttempt {
    fn bytes(&self) -> usize {
        let causes = self.attempt.detail.causes.iter();
        self.attempt.answer.len() + causes.map(String::len).sum::<usize>()
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let admitted = draft.admit(&self.work.lease);
        if admitted.is_ok() {
            draft.attempt(&self.work, &self.attempt)?;
        }
        answer(&mut self.reply, &mut self.refused, admitted);
        Ok(())
    }

    fn end_try(&mut self) -> bool {
        let bytes = match &self.work.payload {
            Payload::Event(stored) => stored.event.data.as_str().len(),
            Payload::Parcel(stored) => stored.parcel.body.len(),
        };
        let bytes = self.bytes() + bytes;
        self.work.lease.end_try(bytes)
    }

    fn is_patient(&self) -> bool {
        true
    }

    fn end_lease(&mut self, life: Life) -> Option<InFlight> {
        self.work.lease.end(life)
    }

    fn is_outcome(&self) -> bool {
        true
    }

    fn tell(&mut self) {
        say(self.work.id, &mut self.refused);
        if let Some(reply) = &mut self.reply {
            reply.tell();
        }
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        self.reply.as_mut().map(|reply| reply as &mut dyn Answer)
    }
}

/// Keeps whether a try is admitted: for whoever waits, and where nobody does, for the log if it is
/// not.
fn answer<E: From<Refused>>(
    reply: &mut Option<Reply<Result<(), E>>>,
    kept: &mut Option<Refused>,
    admitted: Result<(), Refused>,
) {
    match reply {
        Some(reply) => reply.keep(Ok(admitted.map_err(E::from))),
        None => *kept = admitted.err(),
    }
}

/// Logs a refusal that nobody waits for, once it is known to hold.
fn say(id: Id, refused: &mut Option<Refused>) {
    if let Some(refused) = refused.take() {
        tracing::warn!(work.id = %id, "the store refused the result of a work: {refused}");
    }
}

pub(super) fn data_bytes(events: &[NewEvent]) -> usize {
    events.iter().map(|new| new.event.data.as_str().len()).sum()
}

/// An event as a run adds it that was replayed so often. Whoever remembers the ids of what the run
/// emitted before must not take this for the same.
fn renamed(event: &Arc<Event>, replays: u32) -> Arc<Event> {
    if replays == 0 {
        return Arc::clone(event);
    }
    let id = format!("{}.r{replays}", event.id);
    Arc::new(Event { id, ..Event::clone(event) })
}

/// Where an event comes from.
#[derive(Debug, Clone, Copy)]
struct Origin<'o> {
    receipt: Option<Id>,
    cause: Option<Id>,
    depth: u8,
    /// The source of the receipt, where the event is not of that source itself.
    root_source: Option<&'o Name>,
    /// Of the run that emits it, how often that was replayed.
    replays: u32,
}

impl Draft<'_> {
    /// Commits a parse, and gives the ids of the events that it added: those whose ids belong to
    /// this receipt, each once.
    fn parse(
        &mut self,
        work: &ParseWork,
        report: &Try,
        events: &[NewEvent],
    ) -> Result<Vec<Id>, Failure> {
        let before = self.standing_of(&work.lease)?;
        let verdict = report.verdict;
        let mut record = TryRecord::of(report, work.id.position, before.last);
        let mut added = Vec::new();
        if verdict == Verdict::Done {
            added = self.add_events(&work.receipt, events)?;
            record.events = added.iter().map(|id| id.position).collect();
        }
        let position = self.record(RecordKind::Try, &record);
        let (source, stands) = (&work.receipt.source, (before, before.tried(verdict, position)));
        self.tried(&work.lease, (source, Some(source)), stands, report.into())?;
        Ok(added)
    }

    /// Commits the parse of a receipt that is stored in this commit.
    pub(super) fn parsed(&mut self, receipt: &Receipt, parsed: &Parsed) -> Result<(), Failure> {
        let Parsed { report, events } = parsed;
        let work = receipt.id.position;
        let mut record = TryRecord::of(report, work, None);
        let added = self.add_events(receipt, events)?;
        record.events = added.iter().map(|id| id.position).collect();
        let position = self.record(RecordKind::Try, &record);
        let done = Standing::default().tried(report.verdict, position);
        self.finish_unopened((WorkKind::Parse, work), done)
    }

    /// Adds the events that a parse of a receipt came to, as far as they are its to bring.
    fn add_events(&mut self, receipt: &Receipt, events: &[NewEvent]) -> Result<Vec<Id>, Failure> {
        let id = Some(receipt.id);
        let origin = Origin { receipt: id, cause: None, depth: 0, root_source: None, replays: 0 };
        // Keys are hashes already.
        let mut seen = FxHashSet::default();
        let mut added = Vec::new();
        for new in events {
            if self.is_first(receipt, &new.event, &mut seen)? {
                added.push(self.add_event(new, origin));
            }
        }
        Ok(added)
    }

    /// Commits a run with its effects; nothing if its handler has no room for what it sets, and was
    /// not promised any.
    fn run(
        &mut self,
        work: &RunWork,
        report: &Try,
        effects: &Effects,
        is_promised: bool,
    ) -> Result<Result<(), NoRoom>, Failure> {
        let before = self.standing_of(&work.lease)?;
        let verdict = report.verdict;
        let mut record = TryRecord::of(report, work.id.position, before.last);
        if verdict == Verdict::Done {
            let Effects { events, parcels, alerts, state, scope, .. } = effects;
            let whose = (&work.handler, scope.as_str());
            if let Err(no_room) = self.set_state(whose, state, is_promised)? {
                return Ok(Err(no_room));
            }
            let origin = Origin {
                receipt: work.event.receipt,
                cause: Some(work.id),
                depth: work.event.depth.saturating_add(1),
                root_source: work.event.root(),
                replays: before.reopened,
            };
            let add_event = |new| self.add_event(new, origin).position;
            record.events = events.iter().map(add_event).collect();
            let add_parcel = |parcel| self.add_parcel(parcel, work, effects.trace).position;
            record.parcels = parcels.iter().map(add_parcel).collect();
            record.alerts = Cow::Borrowed(alerts);
            record.note_state(effects);
        }
        let position = self.record(RecordKind::Try, &record);
        let group = (&work.handler, work.event.root());
        let stands = (before, before.tried(verdict, position));
        self.tried(&work.lease, group, stands, report.into())?;
        Ok(Ok(()))
    }

    /// Commits an attempt of a delivery.
    fn attempt(&mut self, work: &DeliveryWork, attempt: &Attempt) -> Result<(), Failure> {
        let before = self.standing_of(&work.lease)?;
        let verdict = attempt.verdict;
        let record = AttemptRecord::of(attempt, work.id.position, before.last);
        let position = self.record(RecordKind::Attempt, &record);
        let root = match &work.payload {
            Payload::Event(event) => event.root(),
            Payload::Parcel(parcel) => parcel.root_source.as_ref(),
        };
        let stands = (before, before.tried(verdict, position));
        self.tried(&work.lease, (&work.endpoint, root), stands, attempt.into())
    }

    /// Whether an event is this receipt's to bring, and is brought for the first time.
    fn is_first(
        &mut self,
        receipt: &Receipt,
        event: &Event,
        seen: &mut FxHashSet<IdKey>,
    ) -> Result<bool, Failure> {
        let key = IdKey::new(&event.source, &event.id);
        if !seen.insert(key) || receipt.taken.contains(&event.id) {
            return Ok(false);
        }
        match self.owner(key)? {
            Some(owner) => Ok(owner == receipt.id.position),
            None => {
                self.bind(key, &event.source, receipt.id.position);
                Ok(true)
            }
        }
    }

    /// Adds an event that neither a receipt brings nor a run emits, unless its id is known, and
    /// gives that of the event that has it.
    pub(super) fn raised(&mut self, new: &NewEvent) -> Result<Id, Failure> {
        let id = self.next_id(IdKind::Event);
        let key = IdKey::new(&new.event.source, &new.event.id);
        if let Some(position) = self.owner(key)? {
            return Ok(Id { position, ..id });
        }
        self.bind(key, &new.event.source, id.position);
        let (receipt, cause, root_source) = (None, None, None);
        Ok(self.add_event(new, Origin { receipt, cause, depth: 0, root_source, replays: 0 }))
    }

    fn add_event(&mut self, new: &NewEvent, origin: Origin<'_>) -> Id {
        let Origin { receipt, cause, depth, root_source, replays } = origin;
        let stored = Arc::new(StoredEvent {
            id: self.next_id(IdKind::Event),
            event: renamed(&new.event, replays),
            receipt,
            cause,
            depth,
            allowance: new.allowance,
            // Its record has no place for it without an allowance.
            root_source: new.allowance.and(root_source).cloned(),
            tenant: new.allowance.and_then(|_| new.tenant.clone()),
            trace: new.allowance.and(new.trace),
            recorded_at: self.now,
            routes: Arc::clone(&new.routes),
        });
        self.owe(
            Stored::Event(Arc::clone(&stored)),
            RecordKind::Event,
            stored.width(),
            &EventRecord::of(&stored),
        );
        stored.id
    }

    fn add_parcel(&mut self, parcel: &Parcel, work: &RunWork, trace: Option<TraceContext>) -> Id {
        let stored = Arc::new(StoredParcel {
            id: self.next_id(IdKind::Delivery),
            parcel: parcel.clone(),
            event: work.event.id,
            run: work.id,
            recorded_at: self.now,
            root_source: work.event.root().cloned(),
            trace: work.event.root().and(trace),
        });
        self.owe(
            Stored::Parcel(Arc::clone(&stored)),
            RecordKind::Parcel,
            1,
            &ParcelRecord::of(&stored),
        );
        stored.id
    }
}

#[cfg(test)]
mod tests;
