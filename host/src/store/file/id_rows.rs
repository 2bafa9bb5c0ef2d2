//! The rows of the known ids: bytes by the number of a run, a part of the run and an id.
//!
//! Read in a view or in a change, written in a change. Never knows what a row says:
//! [`crate::store::ids`] does.

use std::ops::RangeInclusive;

use redb::{AccessGuard, Range, ReadOnlyTable, ReadableTable, Table};

use crate::store::error::Failure;

/// Number of the run, part of it, an id.
pub(in crate::store) type IdsKey = (u64, u8, u128);

/// The part of the rows of the line of time, under the number that no run has.
pub(in crate::store) const LINE: u8 = 3;

type Bytes = &'static [u8];

/// Rows that can be read, in the order of their keys.
pub(in crate::store) trait IdRows {
    /// What is read in the row with this key, if there is one.
    fn row<R>(&self, key: IdsKey, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Failure>;

    /// The rows whose keys lie in this range.
    fn within(&self, keys: RangeInclusive<IdsKey>) -> Result<IdRange<'_>, Failure>;
}

/// The rows as a view shows them.
#[derive(Debug)]
pub(in crate::store) struct IdView(pub(super) ReadOnlyTable<IdsKey, Bytes>);

/// The rows within a change.
#[derive(Debug)]
pub(in crate::store) struct IdTable<'t>(pub(super) Table<'t, IdsKey, Bytes>);

impl IdTable<'_> {
    /// Writes a row.
    pub(in crate::store) fn put(&mut self, key: IdsKey, bytes: &[u8]) -> Result<(), Failure> {
        self.0.insert(key, bytes)?;
        Ok(())
    }

    /// Removes the first rows of a range, at most `most`, and gives how many it removed.
    pub(in crate::store) fn remove_within(
        &mut self,
        keys: RangeInclusive<IdsKey>,
        most: usize,
    ) -> Result<usize, Failure> {
        let mut removed = 0;
        for gone in self.0.extract_from_if(keys, |_, _| true)?.take(most) {
            gone?;
            removed += 1;
        }
        Ok(removed)
    }
}

impl IdRows for IdView {
    fn row<R>(&self, key: IdsKey, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Failure> {
        row(&self.0, key, read)
    }

    fn within(&self, keys: RangeInclusive<IdsKey>) -> Result<IdRange<'_>, Failure> {
        within(&self.0, keys)
    }
}

impl IdRows for IdTable<'_> {
    fn row<R>(&self, key: IdsKey, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Failure> {
        row(&self.0, key, read)
    }

    fn within(&self, keys: RangeInclusive<IdsKey>) -> Result<IdRange<'_>, Failure> {
        within(&self.0, keys)
    }
}

fn row<R>(
    table: &impl ReadableTable<IdsKey, Bytes>,
    key: IdsKey,
    read: impl FnOnce(&[u8]) -> R,
) -> Result<Option<R>, Failure> {
    Ok(table.get(key)?.map(|bytes| read(bytes.value())))
}

fn within(
    table: &impl ReadableTable<IdsKey, Bytes>,
    keys: RangeInclusive<IdsKey>,
) -> Result<IdRange<'_>, Failure> {
    Ok(IdRange(table.range(keys)?))
}

/// Rows in order, from either end.
pub(in crate::store) struct IdRange<'a>(Range<'a, IdsKey, Bytes>);

impl<'a> Iterator for IdRange<'a> {
    type Item = Result<IdRow<'a>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|row| Ok(IdRow::of(row?)))
    }
}

impl DoubleEndedIterator for IdRange<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|row| Ok(IdRow::of(row?)))
    }
}

/// One of them, where the file's cache holds it.
pub(in crate::store) struct IdRow<'a> {
    key: AccessGuard<'a, IdsKey>,
    bytes: AccessGuard<'a, Bytes>,
}

impl<'a> IdRow<'a> {
    fn of((key, bytes): (AccessGuard<'a, IdsKey>, AccessGuard<'a, Bytes>)) -> Self {
        Self { key, bytes }
    }

    pub(in crate::store) fn key(&self) -> IdsKey {
        self.key.value()
    }

    pub(in crate::store) fn bytes(&self) -> &[u8] {
        self.bytes.value()
    }
}
