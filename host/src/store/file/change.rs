//! A change of the file: rows that become durable together, or none of them does.
//!
//! Made and committed by the one writer. Knows the tables, and of their rows no more than what they
//! are: bytes and numbers.

use redb::{Key, Table, TableDefinition, Value, WriteTransaction};

use super::id_rows::IdTable;
use super::{DEAD, IDS, LOG, META, OPEN, OUTCOMES, STATE, SWEPT};
use crate::event::Timestamp;
use crate::store::error::Failure;

type Bytes = &'static [u8];

/// A change in the making. Dropped without a commit it never was.
pub(in crate::store) struct Change(WriteTransaction);

impl Change {
    pub(super) fn of(transaction: WriteTransaction) -> Self {
        Self(transaction)
    }

    /// Returns when it is durable.
    pub(super) fn commit(self) -> Result<(), Failure> {
        Ok(self.0.commit()?)
    }

    /// The tables of the log, of works and of what handlers remember.
    pub(in crate::store) fn tables(&self) -> Tables<'_> {
        Tables {
            transaction: &self.0,
            log: None,
            outcomes: None,
            open: None,
            dead: None,
            state: None,
        }
    }

    /// The segments that were packed.
    pub(in crate::store) fn swept(&self) -> Result<SweptTable<'_>, Failure> {
        Ok(SweptTable(self.0.open_table(SWEPT)?))
    }

    /// The known ids.
    pub(in crate::store) fn ids(&self) -> Result<IdTable<'_>, Failure> {
        Ok(IdTable(self.0.open_table(IDS)?))
    }

    /// Remembers a fact of the store itself.
    pub(in crate::store) fn remember(&self, name: &str, fact: u64) -> Result<(), Failure> {
        self.0.open_table(META)?.insert(name, fact)?;
        Ok(())
    }
}

/// The tables of the log, of works and of what handlers remember. Each is opened when something is
/// written to it: most changes write to one or two, and an open one costs a look-up and, at the
/// commit, another.
pub(in crate::store) struct Tables<'t> {
    transaction: &'t WriteTransaction,
    log: Option<Table<'t, u64, Bytes>>,
    outcomes: Option<Table<'t, u64, Bytes>>,
    open: Option<Table<'t, u64, ()>>,
    dead: Option<Table<'t, u64, u8>>,
    state: Option<Table<'t, Bytes, Bytes>>,
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

impl Tables<'_> {
    pub(in crate::store) fn put_segment(
        &mut self,
        first: u64,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        opened(&mut self.log, self.transaction, LOG)?.insert(first, bytes)?;
        Ok(())
    }

    pub(in crate::store) fn remove_segment(&mut self, first: u64) -> Result<(), Failure> {
        opened(&mut self.log, self.transaction, LOG)?.remove(first)?;
        Ok(())
    }

    pub(in crate::store) fn put_outcome(&mut self, work: u64, bytes: &[u8]) -> Result<(), Failure> {
        opened(&mut self.outcomes, self.transaction, OUTCOMES)?.insert(work, bytes)?;
        Ok(())
    }

    pub(in crate::store) fn remove_outcome(&mut self, work: u64) -> Result<(), Failure> {
        opened(&mut self.outcomes, self.transaction, OUTCOMES)?.remove(work)?;
        Ok(())
    }

    /// Says of a work before the low-water mark whether it is open.
    pub(in crate::store) fn put_open(&mut self, work: u64, is_open: bool) -> Result<(), Failure> {
        let open = opened(&mut self.open, self.transaction, OPEN)?;
        if is_open {
            open.insert(work, ())?;
        } else {
            open.remove(work)?;
        }
        Ok(())
    }

    /// Gives a dead work a letter with the number of its kind, or removes its letter.
    pub(in crate::store) fn put_letter(
        &mut self,
        work: u64,
        kind: Option<u8>,
    ) -> Result<(), Failure> {
        let dead = opened(&mut self.dead, self.transaction, DEAD)?;
        match kind {
            Some(kind) => dead.insert(work, kind)?,
            None => dead.remove(work)?,
        };
        Ok(())
    }

    /// Sets what a handler remembers under a key, or deletes it.
    pub(in crate::store) fn put_state(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), Failure> {
        let state = opened(&mut self.state, self.transaction, STATE)?;
        match value {
            Some(value) => state.insert(key, value)?,
            None => state.remove(key)?,
        };
        Ok(())
    }
}

/// The segments that were packed, by their first positions.
pub(in crate::store) struct SweptTable<'t>(Table<'t, u64, (u64, u64)>);

impl SweptTable<'_> {
    /// One was packed into so many bytes, and is to be looked at again then.
    pub(in crate::store) fn put(
        &mut self,
        first: u64,
        due: Timestamp,
        bytes: usize,
    ) -> Result<(), Failure> {
        self.0.insert(first, (due.0, bytes as u64))?;
        Ok(())
    }

    pub(in crate::store) fn remove(&mut self, first: u64) -> Result<(), Failure> {
        self.0.remove(first)?;
        Ok(())
    }
}
