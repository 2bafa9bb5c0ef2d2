//! Who may ask at the admin port, and who did what: its tokens and the audit log, in rows of which
//! the log of the store says nothing.
//!
//! Decides what the rows say, wherever they are: the draft of a commit, or a store on which no
//! gateway runs. Never opens a file, and never sees a token, only its hash.

pub(super) mod answers;
pub(super) mod audit;
#[cfg(test)]
pub(super) mod memory;
pub(super) mod tokens;

use std::collections::BTreeMap;

use bytes::Bytes;

use super::error::Failure;
use super::file::kept_rows::Kept;
use super::file::view::View;

/// Rows that can be read and put, with what was put before.
pub(in crate::store) trait Rows {
    /// The row with this key.
    fn row(&self, kept: Kept, key: &[u8]) -> Result<Option<Bytes>, Failure>;

    /// All rows of a table, by their keys.
    fn rows(&self, kept: Kept) -> Result<BTreeMap<Vec<u8>, Bytes>, Failure>;

    /// The rows of a table from one key up to another, in the order of their keys.
    fn within(&self, kept: Kept, first: &[u8], last: &[u8]) -> Result<Found, Failure> {
        let rows = self.rows(kept)?.into_iter();
        Ok(rows.filter(|(key, _)| (first..=last).contains(&key.as_slice())).collect())
    }

    /// Puts a row, or removes it.
    fn put(&mut self, kept: Kept, key: Vec<u8>, row: Option<Bytes>);
}

/// Rows with their keys.
pub(in crate::store) type Found = Vec<(Vec<u8>, Bytes)>;

/// Rows that were put, and `None` for those that were removed.
pub(in crate::store) type Puts = BTreeMap<(Kept, Vec<u8>), Option<Bytes>>;

/// The rows of a table as they are with what was put.
pub(in crate::store) fn with_puts(
    mut rows: BTreeMap<Vec<u8>, Bytes>,
    kept: Kept,
    puts: &Puts,
) -> BTreeMap<Vec<u8>, Bytes> {
    for ((_, key), row) in puts.iter().filter(|((of, _), _)| *of == kept) {
        match row {
            Some(row) => rows.insert(key.clone(), row.clone()),
            None => rows.remove(key),
        };
    }
    rows
}

/// The rows from one key up to another as they are with what was put.
pub(in crate::store) fn within_with_puts(
    found: Found,
    (kept, first, last): (Kept, &[u8], &[u8]),
    puts: &Puts,
) -> Found {
    let put = puts.range((kept, first.to_vec())..=(kept, last.to_vec()));
    let put: Puts = put.map(|(key, row)| (key.clone(), row.clone())).collect();
    with_puts(found.into_iter().collect(), kept, &put).into_iter().collect()
}

/// The rows of a store that nobody else changes meanwhile, and what is to be put there.
pub(in crate::store) struct Sheet {
    view: View,
    pub(in crate::store) puts: Puts,
}

impl Sheet {
    pub(in crate::store) fn of(view: View) -> Self {
        Self { view, puts: Puts::new() }
    }
}

impl Rows for Sheet {
    fn row(&self, kept: Kept, key: &[u8]) -> Result<Option<Bytes>, Failure> {
        match self.puts.get(&(kept, key.to_vec())) {
            Some(row) => Ok(row.clone()),
            None => self.view.kept(kept)?.get(key),
        }
    }

    fn rows(&self, kept: Kept) -> Result<BTreeMap<Vec<u8>, Bytes>, Failure> {
        Ok(with_puts(self.view.kept(kept)?.all()?, kept, &self.puts))
    }

    fn put(&mut self, kept: Kept, key: Vec<u8>, row: Option<Bytes>) {
        self.puts.insert((kept, key), row);
    }
}
