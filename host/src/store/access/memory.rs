//! Rows that lie nowhere, for tests of those who decide what rows say.
//!
//! They are read and put as those of a commit are. No file is behind them, and nothing outside of
//! tests has any.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Rows;
use crate::store::error::Failure;
use crate::store::file::kept_rows::Kept;

/// The rows of all tables, by their keys.
#[derive(Default)]
pub(in crate::store) struct Memory(BTreeMap<(Kept, Vec<u8>), Bytes>);

impl Rows for Memory {
    fn row(&self, kept: Kept, key: &[u8]) -> Result<Option<Bytes>, Failure> {
        Ok(self.0.get(&(kept, key.to_vec())).cloned())
    }

    fn rows(&self, kept: Kept) -> Result<BTreeMap<Vec<u8>, Bytes>, Failure> {
        let of = self.0.iter().filter(|((of, _), _)| *of == kept);
        Ok(of.map(|((_, key), row)| (key.clone(), row.clone())).collect())
    }

    fn put(&mut self, kept: Kept, key: Vec<u8>, row: Option<Bytes>) {
        match row {
            Some(row) => drop(self.0.insert((kept, key), row)),
            None => drop(self.0.remove(&(kept, key))),
        }
    }
}
