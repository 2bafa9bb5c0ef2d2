//! The rows of the index: bytes by bytes.
//!
//! Read in a view, written in a change. What they say follows from the log, so they are in no redo.
//! Never knows what a row says: [`crate::store::index`] does.

use redb::{ReadOnlyTable, Table};

use crate::store::error::Failure;

type Bytes = &'static [u8];

/// A key, and its row.
pub(in crate::store) type Keyed = (Vec<u8>, Vec<u8>);

/// Rows that can be read, in the order of their keys.
pub(in crate::store) trait IndexRows {
    /// The last row whose key is one of these.
    fn last_up_to(&self, from: &[u8], until: &[u8]) -> Result<Option<Keyed>, Failure>;

    /// The first row whose key is one of these.
    fn first_from(&self, from: &[u8], until: &[u8]) -> Result<Option<Keyed>, Failure>;
}

/// The rows as a view shows them; an older Hookgate has made none.
#[derive(Debug)]
pub(in crate::store) struct IndexView(pub(super) Option<ReadOnlyTable<Bytes, Bytes>>);

/// The rows within a change.
#[derive(Debug)]
pub(in crate::store) struct IndexTable<'t>(pub(super) Table<'t, Bytes, Bytes>);

impl IndexRows for IndexView {
    fn last_up_to(&self, from: &[u8], until: &[u8]) -> Result<Option<Keyed>, Failure> {
        let Some(table) = self.0.as_ref().filter(|_| from <= until) else { return Ok(None) };
        let row = table.range(from..=until)?.next_back().transpose()?;
        Ok(row.map(|(key, row)| (key.value().to_vec(), row.value().to_vec())))
    }

    fn first_from(&self, from: &[u8], until: &[u8]) -> Result<Option<Keyed>, Failure> {
        let Some(table) = self.0.as_ref().filter(|_| from <= until) else { return Ok(None) };
        let row = table.range(from..=until)?.next().transpose()?;
        Ok(row.map(|(key, row)| (key.value().to_vec(), row.value().to_vec())))
    }
}

impl IndexTable<'_> {
    /// Writes a row.
    pub(in crate::store) fn put(&mut self, key: &[u8], row: &[u8]) -> Result<(), Failure> {
        self.0.insert(key, row)?;
        Ok(())
    }

    /// Removes the first rows of a range, at most `most`.
    pub(in crate::store) fn remove_within(
        &mut self,
        from: &[u8],
        until: &[u8],
        most: usize,
    ) -> Result<(), Failure> {
        for gone in self.0.extract_from_if(from..=until, |_, _| true)?.take(most) {
            gone?;
        }
        Ok(())
    }
}
