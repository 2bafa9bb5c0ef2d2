//! What a draft may ask of what is committed.
//!
//! The only way out of a draft. Never shows what the draft itself adds.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::event::Timestamp;
use crate::store::access::Found;
use crate::store::error::Failure;
use crate::store::file::kept_rows::Kept;
use crate::store::ids::IdKey;
use crate::store::log::record::Record;
use crate::store::owed::standing::Standing;

/// What is committed, as it was before the draft.
pub(in crate::store) trait Look {
    /// The position of the receipt that an id belongs to.
    fn owner(&self, key: IdKey) -> Result<Option<u64>, Failure>;

    /// How a work stands, if it was ever tried.
    fn standing(&self, work: u64) -> Result<Option<Standing>, Failure>;

    /// The number of the kind of a dead work, if it has a letter.
    fn letter(&self, work: u64) -> Result<Option<u8>, Failure>;

    /// Since when an open work before the low-water mark may be tried, as its row says.
    fn since(&self, work: u64) -> Result<Option<Timestamp>, Failure>;

    /// The row of state with this key.
    fn state(&self, key: &[u8]) -> Result<Option<Bytes>, Failure>;

    /// The rows of the replays by filter, by their numbers.
    fn replays(&self) -> Result<BTreeMap<u64, Bytes>, Failure>;

    /// The row with this key of a table of which the log says nothing.
    fn kept(&self, kept: Kept, key: &[u8]) -> Result<Option<Bytes>, Failure>;

    /// All rows of such a table, by their keys.
    fn all_kept(&self, kept: Kept) -> Result<BTreeMap<Vec<u8>, Bytes>, Failure>;

    /// The rows of such a table from one key up to another, in the order of their keys.
    fn kept_within(&self, kept: Kept, first: &[u8], last: &[u8]) -> Result<Found, Failure> {
        let rows = self.all_kept(kept)?.into_iter();
        Ok(rows.filter(|(key, _)| (first..=last).contains(&key.as_slice())).collect())
    }

    /// The record that takes this position.
    fn record(&self, position: u64) -> Result<Option<Record>, Failure>;
}
