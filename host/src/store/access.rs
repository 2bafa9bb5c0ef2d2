//! Who may ask at the admin port: its tokens, in rows of which the log says nothing.
//!
//! Decides what the rows say, wherever they are: the draft of a commit, or a store on which no
//! gateway runs. Never opens a file, and never sees a token, only its hash.

pub(super) mod tokens;

use std::collections::BTreeMap;

use bytes::Bytes;

use super::error::Failure;
use super::file::kept_rows::Kept;

/// Rows that can be read and put, with what was put before.
pub(in crate::store) trait Rows {
    /// The row with this key.
    fn row(&self, kept: Kept, key: &[u8]) -> Result<Option<Bytes>, Failure>;

    /// All rows of a table, by their keys.
    fn rows(&self, kept: Kept) -> Result<BTreeMap<Vec<u8>, Bytes>, Failure>;

    /// Puts a row, or removes it.
    fn put(&mut self, kept: Kept, key: Vec<u8>, row: Option<Bytes>);
}
