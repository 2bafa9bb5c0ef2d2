//! The volumes and the draft of a store of format 2, written from one of format 1.
//!
//! In changes of some MiB, whatever the store holds, and in the order of the keys. A segment is
//! copied as it is, also one that can't be read: the sum of its frame is that of the damage. The
//! facts come last, and the format with them, so that a draft that is not whole is no store.

use std::sync::Arc;

use redb::{Database, Key, Range, ReadTransaction, ReadableTable, Table, TableDefinition, Value};

use super::super::backend::{Lent, Medium};
use super::super::identity::builder;
use super::super::live::{Counted, Live};
use super::super::schema::{
    APPLIED, DEAD, END, FORMAT, FORMAT_2, IDS, LOW_WATER, META, OPEN, OUTCOMES, SEGMENTS, STATE,
    SWEPT, UNREAD_WIDTH,
};
use super::super::volumes::{EXTENT_BYTES, Point, VolumeWriter, Volumes};
use super::{DRAFT_NAME, LOG, Progress, table};
use crate::store::error::Failure;
use crate::store::log::segment::Segment;

/// About as many bytes are copied in one change.
const CHANGE_BYTES: usize = 16 << 20;
/// Counted for each row beside its key and its value.
const ROW_BYTES: usize = 64;

/// Copies everything. When this returns, all of it is durable.
pub(super) fn copy(
    old: &ReadTransaction,
    medium: &Arc<dyn Medium>,
    tag: u32,
    volume_bytes: u64,
) -> Result<(), Failure> {
    let backend = medium.open(DRAFT_NAME)?;
    // It has its name before there is a volume.
    medium.sync_names()?;
    let draft = builder().create_with_backend(Lent(backend))?;
    let volumes = Volumes::open(Arc::clone(medium), tag, volume_bytes)?;
    copy_log(old, &draft, VolumeWriter::at(volumes, Point::START)?)?;
    copy_rows(old, &draft, OUTCOMES)?;
    copy_rows(old, &draft, OPEN)?;
    copy_rows(old, &draft, DEAD)?;
    copy_rows(old, &draft, STATE)?;
    copy_rows(old, &draft, SWEPT)?;
    copy_rows(old, &draft, IDS)?;
    copy_facts(old, &draft)?;
    draft.close()?;
    medium.open(DRAFT_NAME)?.sync()?;
    Ok(medium.sync_names()?)
}

fn copy_log(
    old: &ReadTransaction,
    draft: &Database,
    mut writer: VolumeWriter,
) -> Result<(), Failure> {
    let log = old.open_table(LOG)?;
    let first = log.first()?.map_or(0, |(first, _)| first.value());
    let last = log.last()?.map_or(0, |(first, _)| first.value());
    let mut progress = Progress::new(first, last);
    let mut rows = log.iter()?;
    let mut live = Live::default();
    loop {
        let change = draft.begin_write()?;
        let packed = pack(&mut rows, &mut change.open_table(SEGMENTS)?, &mut writer)?;
        writer.sync_packed()?;
        live.apply(&packed.counted);
        live.write(&change, Point::START)?;
        change.commit()?;
        let Some(next) = packed.next else { return Ok(()) };
        progress.reached(next);
    }
}

/// What a change of the log has packed.
#[derive(Debug, Default)]
struct Packed {
    counted: Counted,
    /// Behind which segment more may follow; `None` if those were all.
    next: Option<u64>,
}

/// Packs segments until a change is full.
fn pack(
    rows: &mut Range<'_, u64, &'static [u8]>,
    segments: &mut Table<'_, u64, &'static [u8; EXTENT_BYTES]>,
    writer: &mut VolumeWriter,
) -> Result<Packed, Failure> {
    let mut packed = Packed::default();
    let mut room = CHANGE_BYTES;
    while room > 0 {
        let Some(row) = rows.next() else { return Ok(Packed { next: None, ..packed }) };
        let (first, stored) = row?;
        let (first, stored) = (first.value(), stored.value());
        let extent = writer.pack(first, stored)?;
        segments.insert(first, &extent.write())?;
        packed.counted.came.push(extent);
        packed.next = Some(first);
        room = room.saturating_sub(ROW_BYTES + stored.len());
    }
    Ok(packed)
}

fn copy_rows<K: Key + 'static, V: Value + 'static>(
    old: &ReadTransaction,
    draft: &Database,
    definition: TableDefinition<'_, K, V>,
) -> Result<(), Failure> {
    let from = table(old, definition)?;
    let mut rows = from.as_ref().map(|from| from.iter()).transpose()?;
    loop {
        let change = draft.begin_write()?;
        let is_all = fill(rows.as_mut(), &mut change.open_table(definition)?)?;
        change.commit()?;
        if is_all {
            return Ok(());
        }
    }
}

/// Copies rows until a change is full, and says whether those were all.
fn fill<K: Key + 'static, V: Value + 'static>(
    rows: Option<&mut Range<'_, K, V>>,
    table: &mut Table<'_, K, V>,
) -> Result<bool, Failure> {
    let Some(rows) = rows else { return Ok(true) };
    let mut room = CHANGE_BYTES;
    while room > 0 {
        let Some(row) = rows.next() else { return Ok(true) };
        let (key, value) = row?;
        let (key, value) = (key.value(), value.value());
        let bytes = K::as_bytes(&key).as_ref().len() + V::as_bytes(&value).as_ref().len();
        room = room.saturating_sub(ROW_BYTES + bytes);
        table.insert(key, value)?;
    }
    Ok(false)
}

/// The facts of the store; with its format the draft is whole.
fn copy_facts(old: &ReadTransaction, draft: &Database) -> Result<(), Failure> {
    let change = draft.begin_write()?;
    {
        let mut meta = change.open_table(META)?;
        for fact in old.open_table(META)?.iter()? {
            let (name, fact) = fact?;
            meta.insert(name.value(), fact.value())?;
        }
        let mark = meta.get(LOW_WATER)?.map_or(0, |mark| mark.value());
        meta.insert(END, end(old, mark)?)?;
        meta.insert(APPLIED, Point::START.write())?;
        meta.insert(FORMAT, FORMAT_2)?;
    }
    Ok(change.commit()?)
}

/// No position from there on was ever given out.
fn end(old: &ReadTransaction, mark: u64) -> Result<u64, Failure> {
    let log = old.open_table(LOG)?;
    let Some((first, stored)) = log.last()? else { return Ok(mark) };
    let first = first.value();
    Ok(match Segment::read(first, stored.value()) {
        Ok(segment) => segment.next().max(mark),
        // The mark is never in the middle of a segment.
        Err(_) if first < mark => mark,
        Err(_) => first.saturating_add(UNREAD_WIDTH),
    })
}
