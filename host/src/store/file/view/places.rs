//! Where the segments of a view lie, which volumes hold more than these, and what lies beside a row
//! of state.
//!
//! Never reads a segment.

use std::collections::{BTreeMap, BTreeSet};

use super::{Segments, States};
use crate::store::error::{Damaged, Failure};
use crate::store::file::volumes::Extent;

impl Segments {
    /// Where the segment with this key lies.
    pub(in crate::store) fn place(&self, first: u64) -> Result<Option<Extent>, Failure> {
        let Some(extent) = self.rows.get(first)? else { return Ok(None) };
        Ok(Some(Extent::read(extent.value()).ok_or(Damaged { position: first })?))
    }

    /// The keys of the segments from this one on, each with the volume that it lies in; `None` for
    /// one of which the row can't be decoded.
    pub(in crate::store) fn volumes_from(
        &self,
        first: u64,
    ) -> Result<impl Iterator<Item = Result<(u64, Option<u32>), Failure>> + use<>, Failure> {
        Ok(self.rows.range(first..)?.map(|row| -> Result<(u64, Option<u32>), Failure> {
            let (first, extent) = row?;
            Ok((first.value(), Extent::read(extent.value()).map(|extent| extent.volume)))
        }))
    }

    /// The volumes before this number that hold what belongs to no segment.
    pub(in crate::store) fn stale_volumes(&self, before: u32) -> Result<BTreeSet<u32>, Failure> {
        let mut live: BTreeMap<u32, u64> = BTreeMap::new();
        for row in self.rows.range::<u64>(..)? {
            let (_, extent) = row?;
            if let Some(Extent { volume, length, .. }) = Extent::read(extent.value()) {
                *live.entry(volume).or_default() += u64::from(length);
            }
        }
        self.shown.stale(before, &live)
    }
}

impl States {
    /// The keys right before a key and from it on: a row that is gone stood in the page of one of
    /// these.
    pub(in crate::store) fn keys_beside(&self, key: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        let mut keys = Vec::new();
        if let Some(before) = self.0.range::<&[u8]>(..key)?.next_back() {
            keys.push(before?.0.value().to_vec());
        }
        if let Some(behind) = self.0.range::<&[u8]>(key..)?.next() {
            keys.push(behind?.0.value().to_vec());
        }
        Ok(keys)
    }
}
