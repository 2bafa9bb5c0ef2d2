//! Whether the disk has the room that a conversion takes.
//!
//! The old file stays, so that is as much again as the store holds. Never writes anything.

use std::io;
use std::path::Path;

use redb::{Key, ReadTransaction, ReadableTableMetadata, TableDefinition, Value};

use super::super::schema::{DEAD, IDS, OPEN, OUTCOMES, STATE, SWEPT};
use super::{LOG, table};
use crate::disk::Disk;
use crate::store::error::Failure;

/// What a segment takes beside its own bytes: the head of its frame, and its row.
const SEGMENT_BYTES: u64 = 96;
/// What any other row takes beside its key and its value.
const ROW_BYTES: u64 = 32;
/// What an empty store takes, and to spare.
const SPARE_BYTES: u64 = 32 << 20;

/// Bytes that the gateway may still write in this folder.
pub(super) fn free_in(folder: &Path) -> io::Result<u64> {
    let disk = Disk::of(folder.to_owned());
    disk.look()?;
    Ok(disk.space().map_or(u64::MAX, |space| space.free))
}

/// The bytes that the conversion of a file takes, if that is more than there are.
pub(super) fn lacking(
    free: u64,
    file_bytes: u64,
    old: &ReadTransaction,
) -> Result<Option<u64>, Failure> {
    // To count is to read all of it: only if the file, which may be half empty, does not fit.
    if free >= file_bytes.saturating_add(SPARE_BYTES) {
        return Ok(None);
    }
    let needed = needed(old)?;
    Ok((free < needed).then_some(needed))
}

fn needed(old: &ReadTransaction) -> Result<u64, Failure> {
    let log = Size::of(old, LOG)?;
    let rows = [
        Size::of(old, OUTCOMES)?,
        Size::of(old, OPEN)?,
        Size::of(old, DEAD)?,
        Size::of(old, STATE)?,
        Size::of(old, SWEPT)?,
        Size::of(old, IDS)?,
    ];
    // Pages that are written in order are half empty.
    let rows: u64 = rows.iter().map(|table| 2 * (table.bytes + table.rows * ROW_BYTES)).sum();
    Ok(log.bytes + log.rows * SEGMENT_BYTES + rows + SPARE_BYTES)
}

/// What a table holds.
#[derive(Debug, Default)]
struct Size {
    rows: u64,
    bytes: u64,
}

impl Size {
    fn of<K: Key + 'static, V: Value + 'static>(
        old: &ReadTransaction,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<Self, Failure> {
        let Some(table) = table(old, definition)? else { return Ok(Self::default()) };
        Ok(Self { rows: table.len()?, bytes: table.stats()?.stored_bytes() })
    }
}
