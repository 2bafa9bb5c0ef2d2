//! A store of format 1, written as the last Hookgate of that format wrote one: tables of redb, and
//! the log in one of them.
//!
//! It has something of everything. Never goes through the store that is under test.

use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::*;
use crate::effect::Parcel;
use crate::ids::IdKind;
use crate::provider::Proven;
use crate::store::log::record::{
    AttemptRecord, EventRecord, ParcelRecord, ReceiptRecord, TryRecord,
};
use crate::store::log::segment::{RecordKind, SegmentWriter};
use crate::store::owed::standing::Standing;

type Bytes = &'static [u8];

const LOG: TableDefinition<'_, u64, Bytes> = TableDefinition::new("log");
const OUTCOMES: TableDefinition<'_, u64, Bytes> = TableDefinition::new("outcomes");
const OPEN: TableDefinition<'_, u64, ()> = TableDefinition::new("open");
const DEAD: TableDefinition<'_, u64, u8> = TableDefinition::new("dead");
const STATE: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("state");
const SWEPT: TableDefinition<'_, u64, (u64, u64)> = TableDefinition::new("swept");
const IDS: TableDefinition<'_, (u64, u8, u128), Bytes> = TableDefinition::new("ids");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// The tag of every store that is written here.
pub(super) const TAG: u32 = 0x1234_5678;

/// Before this, a segment is packed.
const PACKED_TO: u64 = 8;
/// The position of the segment that can't be read.
pub(super) const DAMAGED: u64 = 15;
/// Before this, what is open has a row.
const LOW_WATER: u64 = 16;
/// Behind all that [`write`] writes.
pub(super) const END: u64 = 23;
/// Where [`write_large`] begins.
const LARGE_FROM: u64 = 100;

/// What a handler remembers.
pub(super) const REMEMBERED: &[u8] = b"42 EUR";

pub(super) fn id(kind: IdKind, position: u64) -> Id {
    Id { kind, position, tag: TAG }
}

/// Writes a store of format 1 into this folder.
pub(super) fn write(folder: &Path) {
    let database = Database::create(folder.join("hookgate.redb")).expect("a file is made");
    let transaction = database.begin_write().expect("it can be written");
    let put = Put(&transaction);
    put.finished_and_packed();
    put.dead_and_to_be_retried();
    put.segment(DAMAGED, &[7; 40]);
    put.owed();
    put.ids();
    put.facts();
    put.row(STATE, &state_key("pi_1", "balance")[..], REMEMBERED);
    transaction.commit().expect("it can be committed");
    database.close().expect("it can be closed");
}

/// Writes a larger one: that many receipts and values of state beside all else, of a MiB each.
pub(super) fn write_large(folder: &Path, count: u64) {
    write(folder);
    let database = Database::open(folder.join("hookgate.redb")).expect("it was made");
    let mut random = fastrand::Rng::with_seed(7);
    for number in 0..count {
        let transaction = database.begin_write().expect("it can be written");
        let put = Put(&transaction);
        let bytes: Vec<u8> = (0..1 << 20).map(|_| random.u8(..)).collect();
        let mut large = stored_receipt(LARGE_FROM + number, &large_event_id(number));
        large.request = Arc::new(Request { body: bytes.clone().into(), ..request() });
        let mut segment = SegmentWriter::new(LARGE_FROM + number);
        segment.push(RecordKind::Receipt, 1, &ReceiptRecord::of(&large));
        put.segment(LARGE_FROM + number, segment.finish().1);
        put.row(STATE, &state_key("large", &number.to_string())[..], &bytes[..]);
        transaction.commit().expect("it can be committed");
    }
    database.close().expect("it can be closed");
}

pub(super) fn large_event_id(number: u64) -> String {
    format!("evt_large_{number}")
}

/// Everything in the tables of a store of format 1, as text.
pub(super) fn read(path: &Path) -> Vec<String> {
    let database = Database::open(path).expect("it is there");
    let view = database.begin_read().expect("it can be read");
    let mut rows = Vec::new();
    let log = view.open_table(LOG).expect("there is a log");
    for row in log.iter().expect("it can be read") {
        let (first, stored) = row.expect("it can be read");
        rows.push(format!("{} {:?}", first.value(), stored.value()));
    }
    let meta = view.open_table(META).expect("there are facts");
    for row in meta.iter().expect("they can be read") {
        let (name, fact) = row.expect("it can be read");
        rows.push(format!("{} {}", name.value(), fact.value()));
    }
    rows
}

fn request() -> Request {
    Request::clone(&receipt(&["evt"]).request)
}

fn stored_receipt(position: u64, event_id: &str) -> Receipt {
    Receipt {
        id: id(IdKind::Receipt, position),
        source: name("stripe"),
        request: receipt(&[event_id]).request,
        event_ids: vec![event_id.to_owned()],
        taken: Vec::new(),
        proven: Some(Proven::Bound),
        plugin: None,
        trace: None,
        body_expired: false,
    }
}

/// An event of the receipt right before it, to one handler and one endpoint: it takes three
/// positions.
fn stored_event(position: u64, event_id: &str) -> StoredEvent {
    let new = event(event_id, "pi_1").to(&["ledger"], &["crm"]);
    let receipt = Some(id(IdKind::Receipt, position - 1));
    StoredEvent { id: id(IdKind::Event, position), receipt, ..new.stored(position) }
}

/// The key of what the handler `ledger` remembers.
fn state_key(scope: &str, key: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in ["ledger", scope] {
        let length = u32::try_from(part.len()).expect("it is short");
        bytes.extend(length.to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes.extend(key.as_bytes());
    bytes
}

/// Adds the parse of a receipt, which brought this event.
fn push_parse(segment: &mut SegmentWriter, receipt: u64, event: u64) {
    let report = tried(Verdict::Done);
    let mut record = TryRecord::of(&report, receipt, None);
    record.events.push(event);
    segment.push(RecordKind::Try, 1, &record);
}

/// Writes rows within a transaction.
struct Put<'t>(&'t redb::WriteTransaction);

impl Put<'_> {
    fn row<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
        key: K::SelfType<'_>,
        value: V::SelfType<'_>,
    ) {
        let mut table = self.0.open_table(table).expect("the table can be opened");
        table.insert(key, value).expect("a row can be written");
    }

    fn segment(&self, first: u64, stored: &[u8]) {
        self.row(LOG, first, stored);
    }

    fn outcome(&self, work: u64, verdict: Verdict, record: u64) {
        self.row(OUTCOMES, work, &Standing::default().tried(verdict, record).write_unsummed()[..]);
    }

    /// A receipt and its event at 1 and 2, all done; a sweep has packed them.
    fn finished_and_packed(&self) {
        let mut segment = SegmentWriter::new(1);
        segment.push(RecordKind::Receipt, 1, &ReceiptRecord::of(&stored_receipt(1, "evt_old")));
        segment.push(RecordKind::Event, 3, &EventRecord::of(&stored_event(2, "evt_old")));
        push_parse(&mut segment, 1, 2);
        segment.push(RecordKind::Try, 1, &TryRecord::of(&tried(Verdict::Done), 3, None));
        segment.push(RecordKind::Attempt, 1, &AttemptRecord::of(&attempt(Verdict::Done), 4, None));
        assert_eq!(segment.next(), PACKED_TO);
        for (work, record) in [(1, 5), (3, 6), (4, 7)] {
            self.outcome(work, Verdict::Done, record);
        }
        let (first, packed) = segment.finish_dense();
        self.segment(first, &packed);
        self.row(SWEPT, first, (in_minutes(60).0, packed.len() as u64));
    }

    /// A receipt and its event at 8 and 9: the run is dead, the delivery waits for another try.
    fn dead_and_to_be_retried(&self) {
        let (dead, retried) = (Verdict::Dead, Verdict::RetryAt(in_minutes(5)));
        let mut segment = SegmentWriter::new(PACKED_TO);
        segment.push(RecordKind::Receipt, 1, &ReceiptRecord::of(&stored_receipt(8, "evt_dead")));
        segment.push(RecordKind::Event, 3, &EventRecord::of(&stored_event(9, "evt_dead")));
        push_parse(&mut segment, 8, 9);
        segment.push(RecordKind::Try, 1, &TryRecord::of(&tried(dead), 10, None));
        segment.push(RecordKind::Attempt, 1, &AttemptRecord::of(&attempt(retried), 11, None));
        assert_eq!(segment.next(), DAMAGED);
        let (first, stored) = segment.finish();
        self.segment(first, stored);
        self.outcome(8, Verdict::Done, 12);
        self.outcome(10, dead, 13);
        self.row(DEAD, 10, 1);
        self.outcome(11, retried, 14);
        self.row(OPEN, 11, ());
    }

    /// Behind the low-water mark: a receipt at 16 that nobody has parsed, one at 17 with its event
    /// at 18 that nobody has handled or delivered, and a parcel at 22.
    fn owed(&self) {
        let mut segment = SegmentWriter::new(LOW_WATER);
        segment.push(RecordKind::Receipt, 1, &ReceiptRecord::of(&stored_receipt(16, "evt_open")));
        let (first, stored) = segment.finish();
        self.segment(first, stored);

        let mut segment = SegmentWriter::new(LOW_WATER + 1);
        segment.push(RecordKind::Receipt, 1, &ReceiptRecord::of(&stored_receipt(17, "evt_new")));
        segment.push(RecordKind::Event, 3, &EventRecord::of(&stored_event(18, "evt_new")));
        push_parse(&mut segment, 17, 18);
        let parcel = Parcel {
            endpoint: name("crm"),
            content_type: "text/plain".into(),
            body: "hello".into(),
        };
        let (event, run) = (id(IdKind::Event, 2), id(IdKind::Run, 3));
        let id = id(IdKind::Delivery, 22);
        let (recorded_at, root_source, trace) = (NOW, None, None);
        let parcel = StoredParcel { id, parcel, event, run, recorded_at, root_source, trace };
        segment.push(RecordKind::Parcel, 1, &ParcelRecord::of(&parcel));
        assert_eq!(segment.next(), END);
        let (first, stored) = segment.finish();
        self.segment(first, stored);
        self.outcome(17, Verdict::Done, 21);
    }

    /// The first event id in a sorted run, the others in the log only.
    fn ids(&self) {
        let text = [&b"hookgate event id 1\0"[..], b"stripe\0evt_old"].concat();
        let half: [u8; 16] = Sha256::digest(text)[..16].try_into().expect("a hash has 32 bytes");
        let key = u128::from_be_bytes(half);
        let mut filter = [0_u8; 64];
        for probe in 0..7 {
            let bit = usize::try_from((key >> (9 * probe)) % 512).expect("it is small");
            filter[bit / 8] |= 1_u8 << (bit % 8);
        }
        let chunk = [half.to_vec(), 1_u64.to_be_bytes().to_vec()].concat();
        // Complete, one id, the time of the newest.
        let run = spelled(&(1_u32, 1_u64, NOW.0));
        self.row(IDS, (0, 2, 0), &PACKED_TO.to_be_bytes()[..]);
        self.row(IDS, (1, 0, key), &chunk[..]);
        self.row(IDS, (1, 1, key), &filter[..]);
        self.row(IDS, (1, 2, 0), &run[..]);
    }

    fn facts(&self) {
        for (name, fact) in [
            ("format", 1),
            ("tag", u64::from(TAG)),
            ("low_water", LOW_WATER),
            ("swept_to", PACKED_TO),
            ("retention", 7),
            ("told", NOW.0),
        ] {
            self.row(META, name, fact);
        }
    }
}

fn spelled(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("it can be written to memory")
}
