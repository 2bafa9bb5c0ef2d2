//! A change of the file: rows that become durable together, or none of them does.
//!
//! Made and committed by the one writer. Knows the tables, and of their rows no more than what they
//! are: bytes and numbers.

use redb::{Table, WriteTransaction};

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

    /// The tables that most changes write to.
    pub(in crate::store) fn tables(&self) -> Result<Tables<'_>, Failure> {
        Ok(Tables {
            log: self.0.open_table(LOG)?,
            outcomes: self.0.open_table(OUTCOMES)?,
            open: self.0.open_table(OPEN)?,
            dead: self.0.open_table(DEAD)?,
            state: self.0.open_table(STATE)?,
        })
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

/// The tables that most changes write to.
pub(in crate::store) struct Tables<'t> {
    log: Table<'t, u64, Bytes>,
    outcomes: Table<'t, u64, Bytes>,
    open: Table<'t, u64, ()>,
    dead: Table<'t, u64, u8>,
    state: Table<'t, Bytes, Bytes>,
}

impl Tables<'_> {
    pub(in crate::store) fn put_segment(
        &mut self,
        first: u64,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        self.log.insert(first, bytes)?;
        Ok(())
    }

    pub(in crate::store) fn remove_segment(&mut self, first: u64) -> Result<(), Failure> {
        self.log.remove(first)?;
        Ok(())
    }

    pub(in crate::store) fn put_outcome(&mut self, work: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.outcomes.insert(work, bytes)?;
        Ok(())
    }

    pub(in crate::store) fn remove_outcome(&mut self, work: u64) -> Result<(), Failure> {
        self.outcomes.remove(work)?;
        Ok(())
    }

    /// Says of a work before the low-water mark whether it is open.
    pub(in crate::store) fn put_open(&mut self, work: u64, is_open: bool) -> Result<(), Failure> {
        if is_open {
            self.open.insert(work, ())?;
        } else {
            self.open.remove(work)?;
        }
        Ok(())
    }

    /// Gives a dead work a letter with the number of its kind, or removes its letter.
    pub(in crate::store) fn put_letter(
        &mut self,
        work: u64,
        kind: Option<u8>,
    ) -> Result<(), Failure> {
        match kind {
            Some(kind) => drop(self.dead.insert(work, kind)?),
            None => drop(self.dead.remove(work)?),
        }
        Ok(())
    }

    /// Sets what a handler remembers under a key, or deletes it.
    pub(in crate::store) fn put_state(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), Failure> {
        match value {
            Some(value) => self.state.insert(key, value)?,
            None => self.state.remove(key)?,
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
