//! The rows of a draft of which the log says nothing: tokens, the audit log, endpoints.
//!
//! Never decides what they say.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Draft;
use crate::store::access::{Found, Rows, with_puts, within_with_puts};
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

    fn within(&self, kept: Kept, first: &[u8], last: &[u8]) -> Result<Found, Failure> {
        let found = self.look.kept_within(kept, first, last)?;
        Ok(within_with_puts(found, (kept, first, last), &self.batch.kept))
    }

    fn put(&mut self, kept: Kept, key: Vec<u8>, row: Option<Bytes>) {
        self.batch.kept.insert((kept, key), row);
    }
}
