//! The tables as a transaction changes them: each change of rows in one place, whoever makes it.
//!
//! A commit makes its changes by way of this, and a start makes them again in the same way, so the
//! rows are the same. Never decides on a change, and never commits.

use redb::{Key, Table, TableDefinition, Value, WriteTransaction};

use super::counts::Counted;
use super::death_rows::{self, DeathRow};
use super::id_rows::{IdsKey, LINE};
use super::owed_rows::{self, due_key};
use super::redo::{OwedRow, Raw, RowChange};
use super::schema::{
    DEAD, DEATHS, DUE, IDS, META, OPEN, OUTCOMES, OWED, REPLAYS, SEGMENTS, STATE, SWEPT,
};
use super::volumes::{EXTENT_BYTES, Extent};
use crate::store::error::{Damaged, Failure};

type Bytes = &'static [u8];

/// The tables of a transaction. Each is opened when something is written to it: most changes write
/// to one or two, and an open one costs a look-up and, at the commit, another.
pub(super) struct Tables<'t> {
    transaction: &'t WriteTransaction,
    /// What comes and goes of what is counted.
    counted: &'t mut Counted,
    segments: Option<Table<'t, u64, &'static [u8; EXTENT_BYTES]>>,
    outcomes: Option<Table<'t, u64, Bytes>>,
    /// Of format 2.
    open: Option<Table<'t, u64, ()>>,
    owed: Option<Table<'t, u64, Bytes>>,
    due: Option<Table<'t, Bytes, ()>>,
    dead: Option<Table<'t, u64, u8>>,
    deaths: Option<Table<'t, Bytes, Bytes>>,
    state: Option<Table<'t, Bytes, Bytes>>,
    swept: Option<Table<'t, u64, (u64, u64)>>,
    meta: Option<Table<'t, &'static str, u64>>,
    ids: Option<Table<'t, IdsKey, Bytes>>,
    replays: Option<Table<'t, u64, Bytes>>,
}

/// The table in this place, opened now if it was not yet.
fn opened<'a, 't, K: Key + 'static, V: Value + 'static>(
    place: &'a mut Option<Table<'t, K, V>>,
    transaction: &'t WriteTransaction,
    definition: TableDefinition<'static, K, V>,
) -> Result<&'a mut Table<'t, K, V>, Failure> {
    if place.is_none() {
        *place = Some(transaction.open_table(definition)?);
    }
    Ok(place.as_mut().expect("it was opened"))
}

impl<'t> Tables<'t> {
    pub(super) fn of(transaction: &'t WriteTransaction, counted: &'t mut Counted) -> Self {
        Self {
            transaction,
            counted,
            segments: None,
            outcomes: None,
            open: None,
            owed: None,
            due: None,
            dead: None,
            deaths: None,
            state: None,
            swept: None,
            meta: None,
            ids: None,
            replays: None,
        }
    }

    /// Says where the segment with this key lies.
    pub(super) fn place(&mut self, first: u64, extent: Extent) -> Result<(), Failure> {
        let segments = opened(&mut self.segments, self.transaction, SEGMENTS)?;
        let before = segments.insert(first, &extent.write())?;
        let gone = before.and_then(|row| Extent::read(row.value()));
        self.counted.segments.gone.extend(gone);
        self.counted.segments.came.push(extent);
        Ok(())
    }

    /// Remembers a fact of the store itself.
    pub(super) fn remember(&mut self, name: &str, value: u64) -> Result<(), Failure> {
        opened(&mut self.meta, self.transaction, META)?.insert(name, value)?;
        Ok(())
    }

    /// Makes a change of rows.
    pub(super) fn make(&mut self, change: &RowChange<'_>) -> Result<(), Failure> {
        match *change {
            RowChange::Outcome { work, standing } => {
                let outcomes = opened(&mut self.outcomes, self.transaction, OUTCOMES)?;
                match standing {
                    Some(Raw(standing)) => outcomes.insert(work, standing)?,
                    None => outcomes.remove(work)?,
                };
            }
            RowChange::Open { work, is_open } => {
                let open = opened(&mut self.open, self.transaction, OPEN)?;
                if is_open {
                    open.insert(work, ())?;
                } else {
                    open.remove(work)?;
                }
            }
            RowChange::Letter { work, kind } => self.letter(work, kind)?,
            RowChange::State { key: Raw(key), value } => {
                let state = opened(&mut self.state, self.transaction, STATE)?;
                match value {
                    Some(Raw(value)) => state.insert(key, value)?,
                    None => state.remove(key)?,
                };
            }
            RowChange::Fact { name, value } => self.remember(name, value)?,
            RowChange::Gone { first } => self.remove(first)?,
            RowChange::Packed { first, extent, due, bytes } => {
                let extent = Extent::read(&extent).ok_or(Damaged { position: first })?;
                self.place(first, extent)?;
                let swept = opened(&mut self.swept, self.transaction, SWEPT)?;
                swept.insert(first, (due, bytes))?;
            }
            RowChange::Point { position, row: Raw(row) } => {
                let ids = opened(&mut self.ids, self.transaction, IDS)?;
                ids.insert((0, LINE, u128::from(position)), row)?;
            }
            RowChange::Owed { work, row } => self.owe(work, row)?,
            RowChange::Death { work, row } => self.die(work, Some(row))?,
            RowChange::Replay { number, row } => {
                let replays = opened(&mut self.replays, self.transaction, REPLAYS)?;
                match row {
                    Some(Raw(row)) => replays.insert(number, row)?,
                    None => replays.remove(number)?,
                };
            }
        }
        Ok(())
    }

    /// Gives a dead work a letter, or removes it.
    fn letter(&mut self, work: u64, kind: Option<u8>) -> Result<(), Failure> {
        let dead = opened(&mut self.dead, self.transaction, DEAD)?;
        let before = match kind {
            Some(kind) => dead.insert(work, kind)?,
            None => dead.remove(work)?,
        };
        if let Some(before) = before.map(|before| before.value()) {
            self.counted.rows.dead(before, -1);
        }
        match kind {
            Some(kind) => self.counted.rows.dead(kind, 1),
            None => self.die(work, None)?,
        }
        Ok(())
    }

    /// Says what the letter of a dead work is found by.
    fn die(&mut self, work: u64, row: Option<DeathRow>) -> Result<(), Failure> {
        let deaths = opened(&mut self.deaths, self.transaction, DEATHS)?;
        death_rows::put(deaths, work, row)
    }

    /// Says where an open work waits, or that it does no more: by its position and by its lane.
    fn owe(&mut self, work: u64, row: Option<OwedRow<'_>>) -> Result<(), Failure> {
        let owed = opened(&mut self.owed, self.transaction, OWED)?;
        let due = opened(&mut self.due, self.transaction, DUE)?;
        let before = match &row {
            Some(row) => owed.insert(work, owed_rows::spelled(row).as_slice())?,
            None => owed.remove(work)?,
        };
        // One that can't be decoded was never counted.
        if let Some(before) = before.as_ref().and_then(|before| owed_rows::read(before.value())) {
            due.remove(due_key(before.lane.0, (before.since, work)).as_slice())?;
            self.counted.rows.owed(before, -1);
        }
        if let Some(row) = row {
            due.insert(due_key(row.lane.0, (row.since, work)).as_slice(), ())?;
            self.counted.rows.owed(row, 1);
        }
        Ok(())
    }

    fn remove(&mut self, first: u64) -> Result<(), Failure> {
        let segments = opened(&mut self.segments, self.transaction, SEGMENTS)?;
        let gone = segments.remove(first)?.and_then(|row| Extent::read(row.value()));
        self.counted.segments.gone.extend(gone);
        opened(&mut self.swept, self.transaction, SWEPT)?.remove(first)?;
        Ok(())
    }
}
