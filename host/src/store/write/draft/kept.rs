//! The rows of a draft of which the log says nothing: tokens and the audit log.
//!
//! Never decides what they say.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Draft;
use crate::store::access::{Rows, with_puts};
use crate::store::error::Failure;
use crate::store::file::kept_rows::Kept;

impl Rows for Draft<'_> {
    fn row(&self, kept: Kept, key: &[u8]) -> Result<Option<Bytes>, Failure> {
        match self.batch.kept.get(&(kept, key.to_vec())) {
            Some(row) => Ok(row.clone()),
            None => self.look.kept(kept, key),
        }
    }

    fn rows(&self, kept: Kept) -> Result<BTreeMap<Vec<u8>, Bytes>, Failure> {
        Ok(with_puts(self.look.all_kept(kept)?, kept, &self.batch.kept))
    }

    fn put(&mut self, kept: Kept, key: Vec<u8>, row: Option<Bytes>) {
        self.batch.kept.insert((kept, key), row);
    }
}
