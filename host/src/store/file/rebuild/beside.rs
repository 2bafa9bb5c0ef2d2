//! The rows of which the log says nothing, taken out of the old file of rows as far as that can
//! still be read.
//!
//! Each table by itself, since nothing else says what was in it. Never changes the old file.

use std::path::Path;

use bytes::Bytes;
use redb::{Database, ReadableDatabase};

use super::super::failure::guarded;
use super::super::identity::is_redb;
use super::super::inspection::{Look, let_go, open_over};
use super::super::kept_rows::{Kept, KeptRows, put};
use crate::store::error::Failure;

/// Rows that are taken into memory at a time.
const PORTION: usize = 4096;

/// Copies a table from the file at `path` into the new one. False if nobody can tell any more all
/// that it had.
pub(super) fn copy(path: &Path, kept: Kept, to: &Database) -> Result<bool, Failure> {
    // Why it can't be opened was said when the repair began.
    if !path.exists() || !is_redb(path).unwrap_or(false) {
        return Ok(false);
    }
    let look = Look::default();
    if let Ok(from) = look.open(path) {
        let copied = copy_rows(&from, kept, to);
        let_go(from);
        if !look.is_in_doubt() {
            return copied;
        }
    }
    // Where more than a bit of a page is wrong, some rows may be as they were all the same.
    let Ok(from) = open_over(path) else { return Ok(false) };
    let copied = copy_rows(&from, kept, to);
    let_go(from);
    Ok(copied? && !look.is_in_doubt())
}

fn copy_rows(from: &Database, kept: Kept, to: &Database) -> Result<bool, Failure> {
    let mut first = Vec::new();
    loop {
        let Ok(rows) = guarded(|| portion(from, kept, &first)) else { return Ok(false) };
        let Some((last, _)) = rows.last() else { return Ok(true) };
        // The least key behind it.
        first = [last.as_slice(), &[0]].concat();
        let transaction = to.begin_write()?;
        for (key, row) in &rows {
            put(&transaction, kept, key, Some(row))?;
        }
        transaction.commit()?;
    }
}

/// The next rows from this key on.
fn portion(from: &Database, kept: Kept, first: &[u8]) -> Result<Vec<(Vec<u8>, Bytes)>, Failure> {
    let rows = KeptRows::open(&from.begin_read()?, kept)?;
    rows.within(first, &[u8::MAX; 16])?.take(PORTION).collect()
}
