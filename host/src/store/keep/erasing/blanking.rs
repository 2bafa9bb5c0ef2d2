//! A record as it is left when all that it said is erased: ids, times, counts, and how works went.
//!
//! Pure. What is left of each tells duplicates, shows that something was there, and takes as many
//! positions as before. A record that is blanked comes out of it as it went in. Never decides which
//! records are blanked.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use crate::effect::StateHash;
use crate::event::Request;
use crate::failure::{AttemptDetail, Reason};
use crate::headers::Headers;
use crate::retry::{Outcome, Verdict};
use crate::store::error::Damaged;
use crate::store::facts::Receipt;
use crate::store::kind::WorkKind;
use crate::store::log::record::{
    AttemptRecord, DetailRecord, EventRecord, ParcelRecord, ReceiptRecord, Record, StateRecord,
    TryRecord,
};
use crate::store::log::segment::{Entry, RecordKind};
use crate::store::reasons::Account;
use crate::store::write::discard::ERASED;

/// What the record becomes; `None` if nothing of it is to be erased. `kind` is that of the work
/// whose history it is of, if it is of one.
pub(super) fn blanked(
    entry: &Entry<'_>,
    tag: u32,
    kind: WorkKind,
) -> Result<Option<(RecordKind, Vec<u8>)>, Damaged> {
    let (record_kind, bytes) = match Record::read(entry, tag)? {
        Record::Receipt(receipt) => (RecordKind::BareReceipt, bare(receipt)),
        Record::Event(stored) => (RecordKind::Event, written(&EventRecord::of(&stored.erased()))),
        Record::Parcel(stored) => {
            (RecordKind::Parcel, written(&ParcelRecord::of(&stored.erased())))
        }
        Record::Try(tried) => (RecordKind::Try, written(&silent_try(tried, kind))),
        Record::Attempt(attempt) => (RecordKind::Attempt, written(&silent_attempt(&attempt))),
        Record::Reopening(_) | Record::Gap => return Ok(None),
    };
    let is_same = record_kind == entry.kind && bytes == entry.bytes;
    Ok((!is_same).then_some((record_kind, bytes)))
}

fn written(record: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_stdvec(record).expect("a record can be written to memory")
}

/// Without its body, its headers, and the query string of its URL.
fn bare(receipt: Receipt) -> Vec<u8> {
    let Request { method, url, received_at, .. } = &*receipt.request;
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let request = Request {
        method: method.clone(),
        url: path.to_owned(),
        headers: Headers::default(),
        body: Bytes::new(),
        received_at: *received_at,
    };
    ReceiptRecord::bare(&Receipt { request: Arc::new(request), ..receipt }).write()
}

/// Without its log, its alerts, what it did with state, and its words.
fn silent_try(tried: TryRecord<'static>, kind: WorkKind) -> TryRecord<'static> {
    let is_dead = tried.verdict == Verdict::Dead;
    let reason = is_dead.then(|| Account::from(&tried).reason(kind));
    TryRecord {
        outcome: Cow::Owned(silent(&tried.outcome)),
        log: Cow::Borrowed(&[]),
        alerts: Cow::Borrowed(&[]),
        state: reason.map(|_| Box::new(StateRecord::nothing())),
        state_read: reason.map(|_| StateHash([0; 16])),
        reason,
        ..tried
    }
}

/// Without the answer of the endpoint, and the words about it.
fn silent_attempt(attempt: &AttemptRecord<'static>) -> AttemptRecord<'static> {
    let has_failed = *attempt.outcome != Outcome::Success;
    let reason: Option<Reason> =
        has_failed.then(|| Account::from(attempt).reason(WorkKind::Delivery));
    let said = match attempt.detail.as_deref() {
        Some(DetailRecord::V1(detail)) => detail.as_ref().clone(),
        None => AttemptDetail::default(),
    };
    let detail = AttemptDetail { reason, causes: Vec::new(), content_type: None, ..said };
    AttemptRecord {
        answer: Cow::Borrowed(""),
        outcome: Cow::Owned(silent(&attempt.outcome)),
        detail: (!detail.is_empty()).then(|| Box::new(DetailRecord::V1(Cow::Owned(detail)))),
        ..*attempt
    }
}

/// How it ended, without the words.
fn silent(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Success => Outcome::Success,
        Outcome::Transient { retry_after, .. } => {
            Outcome::Transient { reason: ERASED.to_owned(), retry_after: *retry_after }
        }
        Outcome::Permanent { .. } => Outcome::Permanent { reason: ERASED.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{Alert, LogLevel, LogLine, Parcel, Severity};
    use crate::ids::{Id, IdKind};
    use crate::store::conformance::samples::{attempt, event, name, receipt, tried};
    use crate::store::facts::{NewReceipt, StoredParcel};
    use crate::store::log::segment::{Segment, SegmentWriter};
    use crate::store::{Attempt, Try};

    const PLANTED: &str = "planted_4711";

    /// Records of every kind that say what is planted, from position 10 on.
    fn planted() -> Segment {
        let mut writer = SegmentWriter::new(10);
        let NewReceipt { source, request, event_ids, proven, plugin, trace } = receipt(&["evt_1"]);
        let request = Request {
            url: format!("/in/stripe?name={PLANTED}"),
            headers: [("authorization", PLANTED)].into_iter().collect(),
            body: PLANTED.into(),
            ..request.as_ref().clone()
        };
        let (taken, body_expired, request) = (Vec::new(), false, Arc::new(request));
        let id = Id { kind: IdKind::Receipt, position: 10, tag: 0 };
        let whole =
            Receipt { id, source, request, event_ids, taken, proven, plugin, trace, body_expired };
        writer.push(RecordKind::Receipt, 1, &ReceiptRecord::of(&whole));

        let mut new = event("evt_1", PLANTED).to(&["ledger"], &["crm"]);
        let mut said = new.event.as_ref().clone();
        said.labels = vec![("name".into(), PLANTED.into())];
        new.event = Arc::new(said);
        writer.push(RecordKind::Event, 3, &EventRecord::of(&new.stored(11)));

        let stored = StoredParcel {
            id: Id { kind: IdKind::Delivery, position: 14, tag: 0 },
            parcel: Parcel {
                endpoint: name("crm"),
                content_type: "text/plain".into(),
                body: PLANTED.into(),
            },
            event: Id { kind: IdKind::Event, position: 11, tag: 0 },
            run: Id { kind: IdKind::Run, position: 12, tag: 0 },
            recorded_at: crate::event::Timestamp(1),
            root_source: None,
            trace: None,
        };
        writer.push(RecordKind::Parcel, 1, &ParcelRecord::of(&stored));

        plant_tries(&mut writer);
        writer.finish_and_read()
    }

    fn plant_tries(writer: &mut SegmentWriter) {
        let report = Try {
            outcome: Outcome::permanent(PLANTED),
            log: vec![LogLine { level: LogLevel::Info, message: PLANTED.into() }],
            ..tried(Verdict::Dead)
        };
        let alerts = [Alert { severity: Severity::Info, message: PLANTED.into() }];
        let record = TryRecord {
            alerts: Cow::Borrowed(&alerts),
            events: vec![99],
            ..TryRecord::of(&report, 12, Some(3))
        };
        writer.push(RecordKind::Try, 1, &record);

        let report = Attempt {
            answer: PLANTED.into(),
            outcome: Outcome::transient(PLANTED),
            detail: AttemptDetail {
                causes: vec![PLANTED.into()],
                content_type: Some(PLANTED.into()),
                ..AttemptDetail::default()
            },
            ..attempt(Verdict::Dead)
        };
        writer.push(RecordKind::Attempt, 1, &AttemptRecord::of(&report, 13, None));
    }

    /// Keep any one of these texts in `blanked`, and it is found here.
    #[test]
    fn nothing_is_left_of_what_a_record_said_and_its_ids_are() {
        let segment = planted();
        for entry in segment.entries() {
            let shown = String::from_utf8_lossy(entry.bytes).into_owned();
            assert!(shown.contains(PLANTED), "{:?} says nothing", entry.kind);
            let (kind, bytes) = blanked(&entry, 0, WorkKind::Run).unwrap().unwrap();
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            assert!(!shown.contains(PLANTED), "{kind:?}: {shown}");

            let again = Entry { kind, bytes: &bytes, ..entry };
            assert!(blanked(&again, 0, WorkKind::Run).unwrap().is_none(), "{kind:?} changes again");
            match Record::read(&again, 0).unwrap() {
                Record::Receipt(receipt) => {
                    assert!(receipt.body_expired && receipt.event_ids == ["evt_1"]);
                }
                Record::Event(stored) => {
                    assert!(stored.is_erased() && stored.width() == 3);
                    assert_eq!(stored.event.id, "evt_1");
                }
                Record::Parcel(stored) => assert!(stored.is_erased()),
                Record::Try(tried) => {
                    assert_eq!((tried.work, tried.previous), (12, Some(3)));
                    assert_eq!(
                        (tried.events, tried.reason),
                        (vec![99], Some(Reason::PluginFailed))
                    );
                }
                Record::Attempt(attempt) => assert_eq!(attempt.status, Some(200)),
                record => panic!("{record:?}"),
            }
        }
    }
}
