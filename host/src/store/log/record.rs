//! How the log spells what is stored: one binary record for each receipt, event, parcel and try.
//!
//! Pure. Records refer to each other by position; the store's tag and the kinds of ids are put back
//! on reading. A change of any of these types is a new segment format.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::segment::{Entry, RecordKind, Segment};
use crate::effect::{Alert, Allowance, LogLine, Parcel};
use crate::event::{Event, Money, Request, Timestamp};
use crate::headers::Headers;
use crate::ids::{Id, IdKind, Name};
use crate::json_text::JsonText;
use crate::provider::Proven;
use crate::retry::{Outcome, Verdict, milliseconds};
use crate::store::error::Damaged;
use crate::store::facts::{Receipt, Routes, StoredEvent, StoredParcel};
use crate::store::report::{Attempt, PluginStamp, Try};

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
    /// Came later, like the allowance of an event, and is the last for the same reason.
    #[serde(with = "at_the_end")]
    proven: Option<Proven>,
}

impl<'a> ReceiptRecord<'a> {
    pub(in crate::store) fn of(receipt: &'a Receipt) -> Self {
        Self {
            source: Cow::Borrowed(&receipt.source),
            request: Cow::Borrowed(&receipt.request),
            event_ids: Cow::Borrowed(&receipt.event_ids),
            taken: Cow::Borrowed(&receipt.taken),
            proven: receipt.proven,
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
    /// Came later: what was written before it ends here, and reads as `None`; who reads only what
    /// was there before ends here too. So it is the last, and nothing can come behind it.
    #[serde(with = "at_the_end")]
    allowance: Option<Allowance>,
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
        Self {
            event: Cow::Borrowed(&stored.event),
            receipt: stored.receipt.map(|id| id.position),
            cause: stored.cause.map(|id| id.position),
            depth: stored.depth,
            recorded_at: stored.recorded_at,
            routes: Cow::Borrowed(&stored.routes),
            allowance: stored.allowance,
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
}

impl<'a> ParcelRecord<'a> {
    pub(in crate::store) fn of(stored: &'a StoredParcel) -> Self {
        Self {
            parcel: Cow::Borrowed(&stored.parcel),
            event: stored.event.position,
            run: stored.run.position,
            recorded_at: stored.recorded_at,
        }
    }

    fn with_id(self, id: Id) -> StoredParcel {
        StoredParcel {
            id,
            parcel: self.parcel.into_owned(),
            event: Id { kind: IdKind::Event, position: self.event, ..id },
            run: Id { kind: IdKind::Run, position: self.run, ..id },
            recorded_at: self.recorded_at,
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
}

impl<'a> TryRecord<'a> {
    /// A try that added nothing so far.
    pub(in crate::store) fn of(report: &'a Try, work: u64, previous: Option<u64>) -> Self {
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
        }
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
mod tests {
    use super::*;
    use crate::store::log::segment::SegmentWriter;

    /// An [`EventRecord`] as it was before it had an allowance.
    #[derive(Serialize, Deserialize)]
    struct Before {
        event: Event,
        receipt: Option<u64>,
        cause: Option<u64>,
        depth: u8,
        recorded_at: Timestamp,
        routes: Routes,
    }

    fn stored(allowance: Option<Allowance>) -> StoredEvent {
        let event = Event {
            source: "shop".parse().unwrap(),
            id: "1".into(),
            event_type: "a.b".into(),
            subject: None,
            time: Timestamp(1),
            money: None,
            labels: Vec::new(),
            data: JsonText::new("{}").unwrap(),
        };
        let id = Id { kind: IdKind::Event, position: 1, tag: 0 };
        let (receipt, cause, recorded_at) = (None, None, Timestamp(2));
        let routes = Routes { handlers: Vec::new(), endpoints: vec!["crm".parse().unwrap()] };
        let event = Arc::new(event);
        let routes = Arc::new(routes);
        StoredEvent { id, event, receipt, cause, depth: 3, allowance, recorded_at, routes }
    }

    #[test]
    fn an_event_reads_back_with_and_without_an_allowance_and_as_it_was_before() {
        let id = stored(None).id;
        let whole = Some(Allowance { events: u32::MAX, bytes: u64::MAX });
        for allowance in [None, Some(Allowance { events: 0, bytes: 0 }), whole] {
            let bytes = postcard::to_stdvec(&EventRecord::of(&stored(allowance))).unwrap();

            let read: EventRecord<'_> = postcard::from_bytes(&bytes).unwrap();
            let before: Before = postcard::from_bytes(&bytes).unwrap();
            let written_before = postcard::to_stdvec(&before).unwrap();
            let read_before: EventRecord<'_> = postcard::from_bytes(&written_before).unwrap();

            assert_eq!(read.with_id(id, Cow::into_owned), stored(allowance));
            assert_eq!(read_before.with_id(id, Cow::into_owned), stored(None));
        }
    }

    /// A [`ReceiptRecord`] as it was before it said what the request proved.
    #[derive(Serialize, Deserialize)]
    struct ReceiptBefore {
        source: Name,
        request: Request,
        event_ids: Vec<String>,
        taken: Vec<String>,
    }

    fn receipt(proven: Option<Proven>) -> Receipt {
        let request = Request {
            method: "POST".into(),
            url: "/in/shop".into(),
            headers: [("x-token", "sesame")].into_iter().collect(),
            body: "{}".into(),
            received_at: Timestamp(1),
        };
        Receipt {
            id: Id { kind: IdKind::Receipt, position: 1, tag: 0 },
            source: "shop".parse().unwrap(),
            request: Arc::new(request),
            event_ids: vec!["1".into(), "2".into()],
            taken: vec!["2".into()],
            proven,
            body_expired: false,
        }
    }

    #[test]
    fn a_receipt_reads_back_with_and_without_what_it_proved_and_as_it_was_before() {
        let id = receipt(None).id;
        for proven in [None, Some(Proven::Nothing), Some(Proven::Bound)] {
            let whole = receipt(proven);
            let bytes = ReceiptRecord::of(&whole).write();

            let read: ReceiptRecord<'_> = postcard::from_bytes(&bytes).unwrap();
            let before: ReceiptBefore = postcard::from_bytes(&bytes).unwrap();
            let written_before = postcard::to_stdvec(&before).unwrap();
            let read_before: ReceiptRecord<'_> = postcard::from_bytes(&written_before).unwrap();
            let bare = ReceiptRecord::bare(&whole).write();
            let read_bare: ReceiptRecord<'_> = postcard::from_bytes(&bare).unwrap();

            assert_eq!(read.with_id(id), whole);
            assert_eq!(read_before.with_id(id), receipt(None));
            assert_eq!(read_bare.with_id(id).proven, proven);
        }
    }

    #[test]
    fn an_event_is_skimmed_without_its_data_and_damaged_if_that_is_not_json() {
        let allowance = Some(Allowance { events: 1, bytes: 2 });
        let bytes = postcard::to_stdvec(&EventRecord::of(&stored(allowance))).unwrap();
        let entry = Entry { position: 1, width: 2, kind: RecordKind::Event, bytes: &bytes };
        let mut expected = stored(allowance);
        Arc::make_mut(&mut expected.event).data = JsonText::default();

        let Record::Event(skimmed) = Record::skim(&entry, 0).unwrap() else { panic!("no event") };
        assert_eq!(skimmed, expected);

        let at = bytes.windows(3).position(|it| it == b"\x02{}").unwrap();
        let mut broken = bytes.clone();
        broken[at + 1] = b'}';
        let entry = Entry { bytes: &broken, ..entry };
        assert_eq!(Record::read(&entry, 0).unwrap_err(), Damaged { position: 1 });
        let Record::Event(skimmed) = Record::skim(&entry, 0).unwrap() else { panic!("no event") };
        assert_eq!(skimmed, expected);
    }

    #[test]
    fn a_try_reads_back_whole_with_every_outcome() {
        for outcome in [
            Outcome::Success,
            Outcome::Transient {
                reason: "busy".into(),
                retry_after: Some(Duration::from_millis(7)),
            },
            Outcome::permanent("gone"),
        ] {
            let report = Try {
                at: Timestamp(5),
                duration: Duration::from_millis(3),
                plugin: None,
                outcome: outcome.clone(),
                verdict: Verdict::RetryAt(Timestamp(9)),
                log: Vec::new(),
            };
            let mut writer = SegmentWriter::new(1);
            writer.push(RecordKind::Try, 1, &TryRecord::of(&report, 3, Some(2)));
            let segment = writer.finish_and_read();
            let entry = segment.find(1).unwrap();

            let Record::Try(read) = Record::read(&entry, 0).unwrap() else { panic!("no try") };

            assert_eq!(*read.outcome, outcome);
            assert_eq!(read.verdict, Verdict::RetryAt(Timestamp(9)));
            assert_eq!((read.work, read.previous), (3, Some(2)));
        }
    }

    #[test]
    fn an_outcome_is_written_with_its_delay_in_milliseconds() {
        #[derive(Serialize)]
        struct Written(#[serde(with = "OutcomeRecord")] Outcome);

        let retry_after = Some(Duration::from_millis(300));
        let written = Written(Outcome::Transient { reason: "no".into(), retry_after });
        let bytes = postcard::to_stdvec(&written).unwrap();
        assert_eq!(bytes, [1, 2, b'n', b'o', 1, 0xac, 0x02]);
    }
}
