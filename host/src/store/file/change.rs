//! A change of the store: a segment and rows that become durable together, or none of them does.
//!
//! Made by the one writer. Each change of rows is made at once and spelled into the redo, which
//! lies in one frame with the segment: a start makes it again, if a crash came before the rows were
//! durable. Not in it are the rows of the known ids, which a start finds in the log, and those that
//! are kept beside the log. Knows the tables, and of their rows no more than what they are: bytes
//! and numbers.

use bytes::Bytes;
use redb::{Durability, WriteTransaction};

use super::blank_rows::{self, Blank};
use super::counts::Counted;
use super::death_rows::DeathRow;
use super::id_rows::IdTable;
use super::index_rows::IndexTable;
use super::kept_rows::{self, Kept};
use super::redo::{OwedRow, Raw, Redo, RowChange};
use super::schema::{APPLIED, DUE, IDS, INDEX, OWED};
use super::tables::Tables;
use super::volumes::{Extent, Point, VolumeWriter};
use crate::event::Timestamp;
use crate::store::error::Failure;

/// A change in the making. Dropped without a commit it never was.
pub(in crate::store) struct Change {
    transaction: WriteTransaction,
    redo: Redo,
    /// Facts of the store that are spelled and not made yet: where the log lies is one more, and
    /// all are made while their table is open once.
    facts: Vec<(&'static str, u64)>,
    /// What the log grows by, and its first position.
    segment: Option<(u64, Vec<u8>)>,
    /// Segments on their way to a packed volume.
    packed: Vec<Packed>,
    counted: Counted,
}

/// A segment that was packed.
struct Packed {
    first: u64,
    bytes: Bytes,
    /// When to look at it again.
    due: Timestamp,
}

impl Change {
    pub(super) fn of(transaction: WriteTransaction) -> Self {
        Self {
            transaction,
            redo: Redo::default(),
            facts: Vec::new(),
            segment: None,
            packed: Vec::new(),
            counted: Counted::default(),
        }
    }

    /// Writes it to the log, where it is durable when this returns, and makes the rows that say
    /// where, and those that are not made yet: so this comes before a commit or a checkpoint. Gives
    /// where its frame lies; `None` if it adds nothing to the log.
    pub(super) fn write_log(
        &mut self,
        writer: &mut VolumeWriter,
    ) -> Result<Option<Extent>, Failure> {
        let Self { transaction, redo, facts, segment, packed, counted } = self;
        let mut tables = Tables::of(transaction, counted);
        for (name, value) in facts.drain(..) {
            tables.remember(name, value)?;
        }
        let Some((first, segment)) = segment.take() else {
            debug_assert!(packed.is_empty(), "what is packed is named in a frame");
            return Ok(None);
        };
        for Packed { first, bytes, due } in packed.drain(..) {
            let extent = writer.pack(first, &bytes)?.write();
            let (due, bytes) = (due.0, bytes.len() as u64);
            make(&mut tables, redo, &RowChange::Packed { first, extent, due, bytes })?;
        }
        // The frame names the packed segments, so they must be durable before it is.
        writer.sync_packed()?;
        let length = u32::try_from(segment.len()).expect("a segment is smaller than 4 GiB");
        let extent = writer.append(first, &[&length.to_le_bytes(), &segment, redo.bytes()])?;
        tables.place(first, extent)?;
        tables.remember(APPLIED, extent.end().write())?;
        Ok(Some(extent))
    }

    /// Commits the rows; they are durable with the next checkpoint. Gives what it did
    /// to what is counted.
    pub(super) fn commit(mut self) -> Result<Counted, Failure> {
        let unsynced = self.transaction.set_durability(Durability::None);
        unsynced.expect("a change makes no savepoint");
        self.transaction.commit()?;
        Ok(self.counted)
    }

    /// Commits the rows, durable with all before them, so that a start has nothing to repair; they
    /// have what the log says up to `applied`.
    pub(super) fn checkpoint(mut self, applied: Point) -> Result<Counted, Failure> {
        let Self { transaction, counted, .. } = &mut self;
        Tables::of(transaction, counted).remember(APPLIED, applied.write())?;
        self.transaction.set_quick_repair(true);
        self.transaction.commit()?;
        Ok(self.counted)
    }

    pub(super) fn transaction(&self) -> &WriteTransaction {
        &self.transaction
    }

    /// What it does to what is counted, as far as it is made.
    pub(super) fn counted(&self) -> &Counted {
        &self.counted
    }

    /// Makes the tables of open works, which a store of format 2 does not have.
    pub(super) fn make_tables_of_works(&self) -> Result<(), Failure> {
        self.transaction.open_table(OWED)?;
        self.transaction.open_table(DUE)?;
        Ok(())
    }

    /// The rows of the log, of works and of what handlers remember.
    pub(in crate::store) fn tables(&mut self) -> ChangedRows<'_> {
        let Self { transaction, redo, facts, segment, packed, counted } = self;
        ChangedRows { tables: Tables::of(transaction, counted), redo, facts, segment, packed }
    }

    /// The index, whose rows are in no redo either.
    pub(in crate::store) fn index(&self) -> Result<IndexTable<'_>, Failure> {
        Ok(IndexTable(self.transaction.open_table(INDEX)?))
    }

    /// Puts a row of which the log says nothing, or removes it: durable by a checkpoint.
    pub(in crate::store) fn put_kept(
        &self,
        kept: Kept,
        key: &[u8],
        row: Option<&[u8]>,
    ) -> Result<(), Failure> {
        kept_rows::put(&self.transaction, kept, key, row)
    }

    /// Changes the rows of zeros.
    pub(in crate::store) fn put_blank(&self, blank: Blank) -> Result<(), Failure> {
        blank_rows::put(&self.transaction, blank)
    }

    /// The known ids.
    pub(in crate::store) fn ids(&self) -> Result<IdTable<'_>, Failure> {
        Ok(IdTable(self.transaction.open_table(IDS)?))
    }
}

/// Makes a change of rows, and spells it.
fn make(tables: &mut Tables<'_>, redo: &mut Redo, change: &RowChange<'_>) -> Result<(), Failure> {
    tables.make(change)?;
    redo.push(change);
    Ok(())
}

/// The rows as a change makes them.
pub(in crate::store) struct ChangedRows<'c> {
    tables: Tables<'c>,
    redo: &'c mut Redo,
    facts: &'c mut Vec<(&'static str, u64)>,
    segment: &'c mut Option<(u64, Vec<u8>)>,
    packed: &'c mut Vec<Packed>,
}

impl ChangedRows<'_> {
    fn make(&mut self, change: &RowChange<'_>) -> Result<(), Failure> {
        make(&mut self.tables, self.redo, change)
    }

    /// Adds a segment to the log: at most one in a change.
    pub(in crate::store) fn put_segment(&mut self, first: u64, bytes: &[u8]) {
        *self.segment = Some((first, bytes.to_vec()));
    }

    /// Puts a packed segment in the place of others. The same change adds a segment to the log.
    pub(in crate::store) fn put_packed(&mut self, first: u64, bytes: &Bytes, due: Timestamp) {
        self.packed.push(Packed { first, bytes: bytes.clone(), due });
    }

    pub(in crate::store) fn remove_segment(&mut self, first: u64) -> Result<(), Failure> {
        self.make(&RowChange::Gone { first })
    }

    pub(in crate::store) fn put_outcome(&mut self, work: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.make(&RowChange::Outcome { work, standing: Some(Raw(bytes)) })
    }

    pub(in crate::store) fn remove_outcome(&mut self, work: u64) -> Result<(), Failure> {
        self.make(&RowChange::Outcome { work, standing: None })
    }

    /// Says where an open work before the low-water mark waits; without a row it is not open.
    pub(in crate::store) fn put_owed(
        &mut self,
        work: u64,
        row: Option<OwedRow<'_>>,
    ) -> Result<(), Failure> {
        self.make(&RowChange::Owed { work, row })
    }

    /// Removes the row that a work has in format 2.
    pub(super) fn remove_open(&mut self, work: u64) -> Result<(), Failure> {
        self.make(&RowChange::Open { work, is_open: false })
    }

    /// Adds a point to the line of time.
    pub(in crate::store) fn put_point(&mut self, position: u64, row: &[u8]) -> Result<(), Failure> {
        self.make(&RowChange::Point { position, row: Raw(row) })
    }

    /// Gives a dead work a letter with the number of its kind, or removes its letter.
    pub(in crate::store) fn put_letter(
        &mut self,
        work: u64,
        kind: Option<u8>,
    ) -> Result<(), Failure> {
        self.make(&RowChange::Letter { work, kind })
    }

    /// Says what the letter of a dead work is found by.
    pub(in crate::store) fn put_death(&mut self, work: u64, row: DeathRow) -> Result<(), Failure> {
        self.make(&RowChange::Death { work, row })
    }

    /// Sets what a handler remembers under a key, or deletes it.
    pub(in crate::store) fn put_state(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), Failure> {
        self.make(&RowChange::State { key: Raw(key), value: value.map(Raw) })
    }

    /// Writes down a replay by filter; without a row it is no longer kept.
    pub(in crate::store) fn put_replay(
        &mut self,
        number: u64,
        row: Option<&[u8]>,
    ) -> Result<(), Failure> {
        self.make(&RowChange::Replay { number, row: row.map(Raw) })
    }

    /// Remembers a fact of the store itself.
    pub(in crate::store) fn remember(
        &mut self,
        name: &'static str,
        fact: u64,
    ) -> Result<(), Failure> {
        // Made where it is written to the log.
        self.redo.push(&RowChange::Fact { name, value: fact });
        self.facts.push((name, fact));
        Ok(())
    }
}
