//! How the log spells what is stored: one binary record for each receipt, event, parcel and try.
//!
//! Pure. Records refer to each other by position; the store's tag and the kinds of ids are put back
//! on reading. A change of any of these types is a new segment format.

mod state;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

pub(in crate::store) use self::state::StateRecord;
use super::segment::{Entry, RecordKind, Segment};
use crate::effect::{Alert, Allowance, LogLine, Parcel, StateHash};
use crate::event::{Event, Money, Request, Timestamp};
use crate::failure::{AttemptDetail, Reason};
use crate::headers::Headers;
use crate::ids::{Id, IdKind, Name};
use crate::json_text::JsonText;
use crate::provider::Proven;
use crate::retry::{Outcome, Verdict, milliseconds};
use crate::store::error::Damaged;
use crate::store::facts::{PluginStamp, Receipt, Routes, StoredEvent, StoredParcel};
use crate::store::report::{Attempt, Effects, Try};
use crate::trace_context::TraceContext;

/// A record, read back.
#[derive(Debug)]
pub(in crate::store) enum Record {
    Receipt(Receipt),
    Event(StoredEvent),
    Parcel(StoredParcel),
    Try(TryRecord<'static>),
    Attempt(AttemptRecord<'static>),
    Reopening(ReopeningRecord),
    Gap,
}

impl Record {
    /// Reads a record of the store with this tag.
    pub(in crate::store) fn read(entry: &Entry<'_>, tag: u32) -> Result<Self, Damaged> {
        let Entry { position, bytes, .. } = *entry;
        let damaged = |_| Damaged { position };
        let id = |kind, position| Id { kind, position, tag };
        let record = match entry.kind {
            RecordKind::Receipt | RecordKind::BareReceipt => {
                let record: ReceiptRecord<'_> = postcard::from_bytes(bytes).map_err(damaged)?;
                let mut receipt = record.with_id(id(IdKind::Receipt, position));
                receipt.body_expired = entry.kind == RecordKind::BareReceipt;
                Self::Receipt(receipt)
            }
            RecordKind::Event => {
                let record: EventRecord<'_> = postcard::from_bytes(bytes).map_err(damaged)?;
                Self::Event(record.with_id(id(IdKind::Event, position), Cow::into_owned))
            }
            RecordKind::Parcel => {
                let record: ParcelRecord<'_> = postcard::from_bytes(bytes).map_err(damaged)?;
                Self::Parcel(record.with_id(id(IdKind::Delivery, position)))
            }
            RecordKind::Try => Self::Try(postcard::from_bytes(bytes).map_err(damaged)?),
            RecordKind::Attempt => Self::Attempt(postcard::from_bytes(bytes).map_err(damaged)?),
            RecordKind::Reopening => Self::Reopening(postcard::from_bytes(bytes).map_err(damaged)?),
            RecordKind::Gap => Self::Gap,
        };
        Ok(record)
    }

    /// The same, but leaves out an event's data, without looking whether that is JSON: a start, a
    /// sweep and a list read a million events, and of none what it says.
    pub(in crate::store) fn skim(entry: &Entry<'_>, tag: u32) -> Result<Self, Damaged> {
        let Entry { position, kind: RecordKind::Event, bytes, .. } = *entry else {
            return Self::read(entry, tag);
        };
        let record: EventRecord<'_, Skimmed> =
            postcard::from_bytes(bytes).map_err(|_| Damaged { position })?;
        let id = Id { kind: IdKind::Event, position, tag };
        Ok(Self::Event(record.with_id(id, |Skimmed(event)| event)))
    }

    /// When it was written, by its own account.
    pub(in crate::store) fn written_at(&self) -> Option<Timestamp> {
        Some(match self {
            Self::Receipt(receipt) => receipt.request.received_at,
            Self::Event(event) => event.recorded_at,
            Self::Parcel(parcel) => parcel.recorded_at,
            Self::Try(tried) => tried.at,
            Self::Attempt(attempt) => attempt.at,
            Self::Reopening(reopening) => reopening.at,
            Self::Gap => return None,
        })
    }
}

/// When the first of these was written that says so; what is damaged says nothing.
pub(in crate::store) fn first_written(segment: &Segment, tag: u32) -> Option<Timestamp> {
    segment.entries().find_map(|entry| Record::skim(&entry, tag).ok()?.written_at())
}

/// A [`Receipt`] without its id.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct ReceiptRecord<'a> {
    source: Cow<'a, Name>,
    request: Cow<'a, Request>,
    event_ids: Cow<'a, [String]>,
    taken: Cow<'a, [String]>,
    /// Came later, like the allowance of an event, and is at the end for the same reason.
    #[serde(with = "at_the_end")]
    proven: Option<Proven>,
    /// Came later still: the plugin that claimed it. Is only there behind what it proved, as which
    /// it would read otherwise.
    #[serde(with = "at_the_end")]
    plugin: Option<Cow<'a, PluginStamp>>,
    /// Is only there behind both.
    #[serde(with = "at_the_end")]
    trace: Option<TraceContext>,
}

impl<'a> ReceiptRecord<'a> {
    pub(in crate::store) fn of(receipt: &'a Receipt) -> Self {
        Self {
            source: Cow::Borrowed(&receipt.source),
            request: Cow::Borrowed(&receipt.request),
            event_ids: Cow::Borrowed(&receipt.event_ids),
            taken: Cow::Borrowed(&receipt.taken),
            proven: receipt.proven,
            plugin: receipt.proven.and(receipt.plugin.as_deref()).map(Cow::Borrowed),
            trace: receipt.proven.and(receipt.plugin.as_ref()).and(receipt.trace),
        }
    }

    /// The receipt without its body and headers, as a [`RecordKind::BareReceipt`] holds it.
    pub(in crate::store) fn bare(receipt: &'a Receipt) -> Self {
        let Request { method, url, received_at, .. } = &*receipt.request;
        let request = Request {
            method: method.clone(),
            url: url.clone(),
            headers: Headers::default(),
            body: bytes::Bytes::new(),
            received_at: *received_at,
        };
        Self { request: Cow::Owned(request), ..Self::of(receipt) }
    }

    pub(in crate::store) fn write(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("a receipt can be written to memory")
    }

    fn with_id(self, id: Id) -> Receipt {
        Receipt {
            id,
            source: self.source.into_owned(),
            request: Arc::new(self.request.into_owned()),
            event_ids: self.event_ids.into_owned(),
            taken: self.taken.into_owned(),
            proven: self.proven,
            plugin: self.plugin.map(|plugin| Arc::new(plugin.into_owned())),
            trace: self.trace,
            body_expired: false,
        }
    }
}

/// A [`StoredEvent`] without its id.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct EventRecord<'a, E = Cow<'a, Event>> {
    event: E,
    receipt: Option<u64>,
    cause: Option<u64>,
    depth: u8,
    recorded_at: Timestamp,
    routes: Cow<'a, Routes>,
    /// Came later: a record that was written before ends here, and reads as `None`. An older
    /// Hookgate stops here too. So whatever comes later still stands behind it, and needs it.
    #[serde(with = "at_the_end")]
    allowance: Option<Allowance>,
    /// Came later still, and is only there behind an allowance, which every emitted event has.
    #[serde(with = "at_the_end")]
    root_source: Option<Name>,
    /// Is only there behind both: without a source before it, it would read as one. Of an event
    /// that is nobody's it is empty where more stands behind it, and so no tenant to whoever reads
    /// it.
    #[serde(with = "at_the_end")]
    tenant: Option<Cow<'a, str>>,
    /// Is only there behind all three.
    #[serde(with = "at_the_end")]
    trace: Option<TraceContext>,
}

/// An event without its data.
#[derive(Deserialize)]
struct Skimmed(#[serde(with = "DatalessEvent")] Event);

/// An [`Event`] whose data is passed over.
#[derive(Deserialize)]
#[serde(remote = "Event")]
struct DatalessEvent {
    source: Name,
    id: String,
    event_type: String,
    subject: Option<String>,
    time: Timestamp,
    money: Option<Money>,
    labels: Vec<(String, String)>,
    #[serde(deserialize_with = "passed_over")]
    data: JsonText,
}

fn passed_over<'de, D: Deserializer<'de>>(deserializer: D) -> Result<JsonText, D::Error> {
    <&str>::deserialize(deserializer).map(|_| JsonText::default())
}

/// A value at the very end of a record, of which nothing stands there if there is none.
mod at_the_end {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "this is how serde hands over a field")]
    pub(super) fn serialize<T: Serialize, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => value.serialize(serializer),
            None => serializer.serialize_unit(),
        }
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        // The only error is that the record ends.
        Ok(T::deserialize(deserializer).ok())
    }
}

impl<'a> EventRecord<'a> {
    pub(in crate::store) fn of(stored: &'a StoredEvent) -> Self {
        let trace = stored.allowance.and(stored.trace);
        let tenant = match (stored.allowance, &stored.tenant) {
            (Some(_), Some(tenant)) => Some(tenant.as_str()),
            _ => trace.map(|_| ""),
        };
        let root_source = match tenant {
            None => stored.allowance.and_then(|_| stored.root_source.clone()),
            // A source has to stand there. That of a parsed event is its own, and one whose root
            // nobody knows has no better one.
            Some(_) => Some(stored.root().unwrap_or(&stored.event.source).clone()),
        };
        Self {
            event: Cow::Borrowed(&stored.event),
            receipt: stored.receipt.map(|id| id.position),
            cause: stored.cause.map(|id| id.position),
            depth: stored.depth,
            recorded_at: stored.recorded_at,
            routes: Cow::Borrowed(&stored.routes),
            allowance: stored.allowance,
            root_source,
            tenant: tenant.map(Cow::Borrowed),
            trace,
        }
    }
}

impl<E> EventRecord<'_, E> {
    fn with_id(self, id: Id, event: impl FnOnce(E) -> Event) -> StoredEvent {
        let refer =
            |kind, position: Option<u64>| position.map(|position| Id { kind, position, ..id });
        StoredEvent {
            id,
            event: Arc::new(event(self.event)),
            receipt: refer(IdKind::Receipt, self.receipt),
            cause: refer(IdKind::Run, self.cause),
            depth: self.depth,
            allowance: self.allowance,
            // That of a parsed event only makes room for a tenant.
            root_source: self.cause.and(self.root_source),
            tenant: self.tenant.and_then(|tenant| tenant.parse().ok()),
            trace: self.trace,
            recorded_at: self.recorded_at,
            routes: Arc::new(self.routes.into_owned()),
        }
    }
}

/// A [`StoredParcel`] without its id.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct ParcelRecord<'a> {
    parcel: Cow<'a, Parcel>,
    event: u64,
    run: u64,
    recorded_at: Timestamp,
    /// Came later, like the allowance of an event, and is the last for the same reason.
    #[serde(with = "at_the_end")]
    root_source: Option<Name>,
    /// Is only there behind that.
    #[serde(with = "at_the_end")]
    trace: Option<TraceContext>,
}

impl<'a> ParcelRecord<'a> {
    pub(in crate::store) fn of(stored: &'a StoredParcel) -> Self {
        Self {
            parcel: Cow::Borrowed(&stored.parcel),
            event: stored.event.position,
            run: stored.run.position,
            recorded_at: stored.recorded_at,
            root_source: stored.root_source.clone(),
            trace: stored.root_source.as_ref().and(stored.trace),
        }
    }

    fn with_id(self, id: Id) -> StoredParcel {
        StoredParcel {
            id,
            parcel: self.parcel.into_owned(),
            event: Id { kind: IdKind::Event, position: self.event, ..id },
            run: Id { kind: IdKind::Run, position: self.run, ..id },
            recorded_at: self.recorded_at,
            root_source: self.root_source,
            trace: self.trace,
        }
    }
}

/// A try of a parse or a run, and what it added.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct TryRecord<'a> {
    /// The receipt or run.
    pub(in crate::store) work: u64,
    /// The record before this one in the history of the work.
    pub(in crate::store) previous: Option<u64>,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) duration: Duration,
    pub(in crate::store) plugin: Option<Cow<'a, PluginStamp>>,
    #[serde(serialize_with = "OutcomeRecord::serialize", deserialize_with = "outcome")]
    pub(in crate::store) outcome: Cow<'a, Outcome>,
    pub(in crate::store) verdict: Verdict,
    pub(in crate::store) log: Cow<'a, [LogLine]>,
    pub(in crate::store) alerts: Cow<'a, [Alert]>,
    pub(in crate::store) events: Vec<u64>,
    pub(in crate::store) parcels: Vec<u64>,
    /// Came later, like the allowance of an event. Only a run that is done and wrote or read state
    /// has it, so all others take no byte for it.
    #[serde(with = "at_the_end")]
    pub(in crate::store) state: Option<Box<StateRecord<'a>>>,
    /// Is only there behind that, and only if the run read state.
    #[serde(with = "at_the_end")]
    pub(in crate::store) state_read: Option<StateHash>,
    /// Is only there behind both, which say nothing then: only a try that is dead has it.
    #[serde(with = "at_the_end")]
    pub(in crate::store) reason: Option<Reason>,
}

impl<'a> TryRecord<'a> {
    /// A try that added nothing so far.
    pub(in crate::store) fn of(report: &'a Try, work: u64, previous: Option<u64>) -> Self {
        let reason = report.reason.filter(|_| report.verdict == Verdict::Dead);
        Self {
            work,
            previous,
            at: report.at,
            duration: report.duration,
            plugin: report.plugin.as_ref().map(Cow::Borrowed),
            outcome: Cow::Borrowed(&report.outcome),
            verdict: report.verdict,
            log: Cow::Borrowed(&report.log),
            alerts: Cow::Borrowed(&[]),
            events: Vec::new(),
            parcels: Vec::new(),
            state: reason.map(|_| Box::new(StateRecord::nothing())),
            state_read: reason.map(|_| StateHash([0; 16])),
            reason,
        }
    }

    /// It is a run that is done: what it did with its state.
    pub(in crate::store) fn note_state(&mut self, effects: &'a Effects) {
        self.state = StateRecord::of(effects).map(Box::new);
        self.state_read = effects.state_read;
    }
}

/// An attempt of a delivery.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct AttemptRecord<'a> {
    pub(in crate::store) work: u64,
    pub(in crate::store) previous: Option<u64>,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) duration: Duration,
    pub(in crate::store) status: Option<u16>,
    pub(in crate::store) answer: Cow<'a, str>,
    #[serde(serialize_with = "OutcomeRecord::serialize", deserialize_with = "outcome")]
    pub(in crate::store) outcome: Cow<'a, Outcome>,
    pub(in crate::store) verdict: Verdict,
    /// Came later, like the allowance of an event, and is the last for the same reason.
    #[serde(with = "at_the_end")]
    pub(in crate::store) detail: Option<Box<DetailRecord<'a>>>,
}

/// An [`AttemptDetail`]. One that says more is another variant: to an older Hookgate it is none,
/// and so nothing may come behind it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) enum DetailRecord<'a> {
    V1(Cow<'a, AttemptDetail>),
}

impl<'a> DetailRecord<'a> {
    /// `None` if it says nothing.
    fn of(detail: &'a AttemptDetail) -> Option<Self> {
        (!detail.is_empty()).then_some(Self::V1(Cow::Borrowed(detail)))
    }
}

impl<'a> AttemptRecord<'a> {
    pub(in crate::store) fn of(attempt: &'a Attempt, work: u64, previous: Option<u64>) -> Self {
        Self {
            work,
            previous,
            at: attempt.at,
            duration: attempt.duration,
            status: attempt.status,
            answer: Cow::Borrowed(&attempt.answer),
            outcome: Cow::Borrowed(&attempt.outcome),
            verdict: attempt.verdict,
            detail: DetailRecord::of(&attempt.detail).map(Box::new),
        }
    }
}

/// A finished work that was opened again.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct ReopeningRecord {
    pub(in crate::store) work: u64,
    pub(in crate::store) previous: Option<u64>,
    pub(in crate::store) at: Timestamp,
}

/// An [`Outcome`] without the tag that its JSON has, which a binary format can't read back.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Outcome")]
enum OutcomeRecord {
    Success,
    Transient {
        reason: String,
        #[serde(with = "milliseconds")]
        retry_after: Option<Duration>,
    },
    Permanent {
        reason: String,
    },
}

fn outcome<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'static, Outcome>, D::Error> {
    OutcomeRecord::deserialize(deserializer).map(Cow::Owned)
}

#[cfg(test)]
mod tests;
