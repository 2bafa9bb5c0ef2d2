//! A store of format 2, written as the last Hookgate of that format wrote one: rows as of a
//! checkpoint, the log in a volume, and behind the checkpoint a commit whose changes only the log
//! has.
//!
//! Works of all kinds are open. Never goes through the store that is under test.

use std::ops::RangeInclusive;
use std::sync::Arc;

use redb::{Database, TableDefinition, WriteTransaction};
use serde::Serialize;

use super::super::disk::pages::Pages;
use super::super::disk::{Disk, Files};
use super::super::*;
use crate::ids::IdKind;
use crate::provider::Proven;
use crate::store::file::volumes::{Extent, Point, VolumeWriter, Volumes};
use crate::store::log::record::{
    AttemptRecord, EventRecord, ReceiptRecord, ReopeningRecord, TryRecord,
};
use crate::store::log::segment::{RecordKind, SegmentWriter};
use crate::store::owed::standing::Standing;

type Bytes = &'static [u8];

const SEGMENTS: TableDefinition<'_, u64, &[u8; 12]> = TableDefinition::new("segments");
const OUTCOMES: TableDefinition<'_, u64, Bytes> = TableDefinition::new("outcomes");
const OPEN: TableDefinition<'_, u64, ()> = TableDefinition::new("open");
const DEAD: TableDefinition<'_, u64, u8> = TableDefinition::new("dead");
const STATE: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("state");
const SWEPT: TableDefinition<'_, u64, (u64, u64)> = TableDefinition::new("swept");
const IDS: TableDefinition<'_, (u64, u8, u128), Bytes> = TableDefinition::new("ids");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

const TAG: u32 = 0x1234_5678;

/// A parse that was never tried.
pub(super) const PARSE: u64 = 1;
/// A run that was never tried, beside one that the last commit finishes.
pub(super) const RUN: u64 = 5;
const FINISHED: u64 = 4;
/// A delivery that was done, and that the last commit opens again.
pub(super) const REOPENED: u64 = 6;
/// A delivery that waits for a retry.
pub(super) const RETRIED: u64 = 7;
/// Deliveries of one event, more than one transaction of an upgrade takes.
pub(super) const MANY: RangeInclusive<u64> = 12..=4211;
/// An open work whose segment can't be read.
pub(super) const DAMAGED: u64 = 4212;
/// Before this, what is open has a row.
const LOW_WATER: u64 = 4213;
/// Behind all that is there.
pub(super) const END: u64 = 4215;

/// The files of the store, and where the segment with [`MANY`] lies.
pub(super) fn files() -> (Files, Extent) {
    let disk = Disk::default();
    let volumes = Volumes::open(Arc::new(disk.clone()), TAG, 1 << 20).expect("it is a disk");
    let writer = VolumeWriter::at(volumes, Point::START).expect("it can be written");
    let place = TempDir::new().expect("there is room");
    let path = place.path().join("rows");
    let database = Database::create(&path).expect("a file is made");
    let transaction = database.begin_write().expect("it can be written");
    let mut draft = Draft { rows: &transaction, writer };
    draft.first();
    let many = draft.many();
    draft.segment(DAMAGED, &[7; 40]);
    draft.rows();
    let Draft { mut writer, .. } = draft;
    transaction.commit().expect("it can be committed");
    database.close().expect("it can be closed");

    behind_the_checkpoint(&mut writer);
    drop(writer);
    let mut files = disk.synced();
    let rows = std::fs::read(path).expect("it was written");
    files.insert("hookgate.redb".to_owned(), Pages::of(&rows));
    (files, many)
}

fn id(kind: IdKind, position: u64) -> Id {
    Id { kind, position, tag: TAG }
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

fn push_event(segment: &mut SegmentWriter, new: NewEvent) {
    let receipt = Some(id(IdKind::Receipt, 2));
    let stored = StoredEvent { receipt, ..new.stored(segment.next()) };
    segment.push(RecordKind::Event, stored.width(), &EventRecord::of(&stored));
}

fn spelled(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("it can be written to memory")
}

fn append(writer: &mut VolumeWriter, first: u64, segment: &[u8], redo: &[u8]) -> Extent {
    let length = u32::try_from(segment.len()).expect("it is short").to_le_bytes();
    writer.append(first, &[&length, segment, redo]).expect("it can be written")
}

/// What the last checkpoint left, in the making.
struct Draft<'t> {
    rows: &'t WriteTransaction,
    writer: VolumeWriter,
}

impl Draft<'_> {
    fn row<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
        key: K::SelfType<'_>,
        value: V::SelfType<'_>,
    ) {
        let mut table = self.rows.open_table(table).expect("the table can be opened");
        table.insert(key, value).expect("a row can be written");
    }

    fn segment(&mut self, first: u64, stored: &[u8]) -> Extent {
        let extent = append(&mut self.writer, first, stored, &[]);
        self.row(SEGMENTS, first, &extent.write());
        extent
    }

    fn outcome(&self, work: u64, verdict: Verdict, record: u64) {
        self.row(OUTCOMES, work, &Standing::default().tried(verdict, record).write_unsummed()[..]);
    }

    /// A receipt that nobody has parsed, and another one with its event: one delivery is done, one
    /// waits for a retry, and nobody has tried the runs.
    fn first(&mut self) {
        let retried = Verdict::RetryAt(in_minutes(5));
        let mut segment = SegmentWriter::new(PARSE);
        for (position, event_id) in [(PARSE, "evt_open"), (2, "evt_owed")] {
            let record = stored_receipt(position, event_id);
            segment.push(RecordKind::Receipt, 1, &ReceiptRecord::of(&record));
        }
        push_event(
            &mut segment,
            event("evt_owed", "pi_1").to(&["ledger", "mail"], &["crm", "erp"]),
        );
        let parsed = tried(Verdict::Done);
        let mut parsed = TryRecord::of(&parsed, 2, None);
        parsed.events.push(3);
        segment.push(RecordKind::Try, 1, &parsed);
        let waits = attempt(retried);
        segment.push(RecordKind::Attempt, 1, &AttemptRecord::of(&waits, RETRIED, None));
        let done = attempt(Verdict::Done);
        segment.push(RecordKind::Attempt, 1, &AttemptRecord::of(&done, REOPENED, None));
        assert_eq!(segment.next(), MANY.start() - 1);
        self.outcome(2, Verdict::Done, 8);
        self.outcome(RETRIED, retried, 9);
        self.outcome(REOPENED, Verdict::Done, 10);
        let (first, stored) = segment.finish();
        self.segment(first, stored);
    }

    fn many(&mut self) -> Extent {
        let mut segment = SegmentWriter::new(MANY.start() - 1);
        let endpoints: Vec<&str> = MANY.map(|_| "bulk").collect();
        push_event(&mut segment, event("evt_many", "pi_2").to(&[], &endpoints));
        assert_eq!(segment.next(), DAMAGED);
        let (first, stored) = segment.finish();
        self.segment(first, stored)
    }

    /// All rows but those of segments and standings.
    fn rows(&self) {
        for work in [PARSE, FINISHED, RUN, RETRIED, DAMAGED].into_iter().chain(MANY) {
            self.row(OPEN, work, ());
        }
        for (name, fact) in [
            ("format", 2),
            ("tag", u64::from(TAG)),
            ("low_water", LOW_WATER),
            ("end", LOW_WATER),
            ("applied", self.writer.end().write()),
            ("told", NOW.0),
        ] {
            self.row(META, name, fact);
        }
        self.rows.open_table(DEAD).expect("the table can be made");
        self.rows.open_table(STATE).expect("the table can be made");
        self.rows.open_table(SWEPT).expect("the table can be made");
        self.rows.open_table(IDS).expect("the table can be made");
    }
}

/// A commit that opens a delivery again and finishes a run.
fn behind_the_checkpoint(writer: &mut VolumeWriter) {
    let mut segment = SegmentWriter::new(LOW_WATER);
    let reopening = ReopeningRecord { work: REOPENED, previous: Some(10), at: NOW };
    segment.push(RecordKind::Reopening, 1, &reopening);
    let run = tried(Verdict::Done);
    segment.push(RecordKind::Try, 1, &TryRecord::of(&run, FINISHED, None));
    assert_eq!(segment.next(), END);
    let done = Standing::default().tried(Verdict::Done, LOW_WATER + 1);
    let redo = [
        spelled(&(0_u8, REOPENED, Some(Standing::reopened(LOW_WATER).write_unsummed()))),
        spelled(&(1_u8, REOPENED, true)),
        spelled(&(0_u8, FINISHED, Some(done.write_unsummed()))),
        spelled(&(1_u8, FINISHED, false)),
        spelled(&(4_u8, "end", END)),
    ];
    let (first, stored) = segment.finish();
    append(writer, first, stored, &redo.concat());
}
