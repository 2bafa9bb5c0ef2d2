//! The rows of which the log says nothing: the tokens of the admin port, the audit log, the
//! answers to writes that are done once, endpoints, the verdicts of canaries, what handlers run
//! on, and erasures.
//!
//! No frame spells them, so an older Hookgate, which knows none of these tables, can still make
//! every change again that it finds in the log. What becomes of them is durable by a checkpoint,
//! for which whoever changes them waits. Knows keys and rows as bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTableMetadata, TableDefinition, TableError,
    WriteTransaction,
};

use super::schema::{ANSWERS, AUDIT, CANARIES, ENDPOINTS, ERASURES, HANDLERS, TOKENS};
use crate::store::error::Failure;

/// A table whose rows are in no redo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) enum Kept {
    Tokens,
    Audit,
    Answers,
    Endpoints,
    Canaries,
    Handlers,
    Erasures,
}

impl Kept {
    fn table(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        match self {
            Self::Tokens => TOKENS,
            Self::Audit => AUDIT,
            Self::Answers => ANSWERS,
            Self::Endpoints => ENDPOINTS,
            Self::Canaries => CANARIES,
            Self::Handlers => HANDLERS,
            Self::Erasures => ERASURES,
        }
    }
}

/// Puts a row, or removes it. The table is made with its first row.
pub(super) fn put(
    transaction: &WriteTransaction,
    kept: Kept,
    key: &[u8],
    row: Option<&[u8]>,
) -> Result<(), Failure> {
    let mut table = transaction.open_table(kept.table())?;
    match row {
        Some(row) => table.insert(key, row)?,
        None => table.remove(key)?,
    };
    Ok(())
}

/// The rows of such a table, as they are committed.
#[derive(Debug)]
pub(in crate::store) struct KeptRows(Option<ReadOnlyTable<&'static [u8], &'static [u8]>>);

impl KeptRows {
    pub(super) fn open(transaction: &ReadTransaction, kept: Kept) -> Result<Self, Failure> {
        match transaction.open_table(kept.table()) {
            Ok(table) => Ok(Self(Some(table))),
            // Nobody has put a row there yet.
            Err(TableError::TableDoesNotExist(_)) => Ok(Self(None)),
            Err(error) => Err(error.into()),
        }
    }

    /// The row with this key.
    pub(in crate::store) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Failure> {
        let Some(table) = &self.0 else { return Ok(None) };
        Ok(table.get(key)?.map(|row| Bytes::copy_from_slice(row.value())))
    }

    /// How many rows there are.
    pub(in crate::store) fn count(&self) -> Result<u64, Failure> {
        match &self.0 {
            Some(table) => Ok(table.len()?),
            None => Ok(0),
        }
    }

    /// All rows, by their keys.
    pub(in crate::store) fn all(&self) -> Result<BTreeMap<Vec<u8>, Bytes>, Failure> {
        self.within(&[], &[u8::MAX; 16])?.collect()
    }

    /// The rows from one key up to another, in the order of their keys.
    pub(in crate::store) fn within(
        &self,
        first: &[u8],
        last: &[u8],
    ) -> Result<impl DoubleEndedIterator<Item = Result<(Vec<u8>, Bytes), Failure>> + use<>, Failure>
    {
        let rows = match &self.0 {
            Some(table) => Some(table.range(first..=last)?),
            None => None,
        };
        Ok(rows.into_iter().flatten().map(|row| -> Result<(Vec<u8>, Bytes), Failure> {
            let (key, row) = row?;
            Ok((key.value().to_vec(), Bytes::copy_from_slice(row.value())))
        }))
    }
}
