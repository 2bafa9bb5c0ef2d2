//! An unchanging view of what is committed: segments, rows and marks as plain values.
//!
//! Everybody who reads the store reads one. It keeps old pages and removed volumes alive while it
//! lives, so nobody keeps one. Never writes.

mod letters;
mod places;

use std::collections::BTreeMap;
use std::ops::RangeBounds;
use std::sync::Arc;

use bytes::Bytes;
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, TableError};

use super::id_rows::IdView;
use super::index_rows::IndexView;
use super::kept_rows::{Kept, KeptRows};
use super::live::WrittenDown;
use super::owed_rows::{self, OwedWork, due_key, read_due_key};
use super::redo::{OwedRow, Raw};
use super::schema::{
    DEAD, DUE, IDS, INDEX, META, OPEN, OUTCOMES, OWED, REPLAYS, SEGMENTS, STATE, SWEPT,
};
use super::totals::Totals;
use super::volumes::{EXTENT_BYTES, Extent, Shown};
use crate::event::Timestamp;
use crate::store::error::{Damaged, Failure};
use crate::store::log::segment::Segment;
use crate::store::rows::Rows;

/// An unchanging view of what is committed.
#[derive(Debug)]
pub(in crate::store) struct View {
    transaction: ReadTransaction,
    /// Every volume that a row of it names.
    shown: Arc<Shown>,
}

impl View {
    /// The rows of a transaction, with the volumes that there were when it began.
    pub(super) fn of(transaction: ReadTransaction, shown: Arc<Shown>) -> Self {
        Self { transaction, shown }
    }

    /// The rows and the volumes, each for as long as somebody needs them.
    pub(super) fn into_parts(self) -> (ReadTransaction, Arc<Shown>) {
        (self.transaction, self.shown)
    }

    pub(in crate::store) fn log(&self) -> Result<Segments, Failure> {
        let rows = self.transaction.open_table(SEGMENTS)?;
        Ok(Segments { rows, shown: Arc::clone(&self.shown) })
    }

    pub(in crate::store) fn outcomes(&self) -> Result<Outcomes, Failure> {
        Ok(Outcomes(self.transaction.open_table(OUTCOMES)?))
    }

    pub(in crate::store) fn dead(&self) -> Result<Dead, Failure> {
        Ok(Dead(self.transaction.open_table(DEAD)?))
    }

    /// `None` if an older Hookgate made the file and nothing is packed yet.
    pub(in crate::store) fn swept(&self) -> Result<Option<Swept>, Failure> {
        match self.transaction.open_table(SWEPT) {
            Ok(swept) => Ok(Some(Swept(swept))),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// In format 2: the open works before the low-water mark. In this format: those of them whose
    /// records could not be read when the store was upgraded.
    pub(in crate::store) fn open_in_format_2<R: RangeBounds<u64>>(
        &self,
        range: R,
    ) -> Result<impl Iterator<Item = Result<u64, Failure>> + use<R>, Failure> {
        let rows = self.transaction.open_table(OPEN)?.range(range)?;
        Ok(rows.map(|row| -> Result<u64, Failure> { Ok(row?.0.value()) }))
    }

    /// Where an open work before the low-water mark waits.
    pub(in crate::store) fn owed(&self, work: u64) -> Result<Option<OwedWork>, Failure> {
        let Some(row) = self.transaction.open_table(OWED)?.get(work)? else { return Ok(None) };
        Ok(Some(OwedWork::read(row.value()).ok_or(Damaged { position: work })?))
    }

    /// The open works before the low-water mark, by their positions.
    pub(in crate::store) fn owed_within<R: RangeBounds<u64>>(
        &self,
        range: R,
    ) -> Result<impl DoubleEndedIterator<Item = Result<(u64, OwedWork), Failure>> + use<R>, Failure>
    {
        let rows = self.transaction.open_table(OWED)?.range(range)?;
        Ok(rows.map(|row| -> Result<(u64, OwedWork), Failure> {
            let (work, row) = row?;
            let position = work.value();
            let owed = OwedWork::read(row.value()).ok_or(Damaged { position })?;
            Ok((position, owed))
        }))
    }

    /// The works of a lane from this key on, in the order of the lane: since when each may be
    /// tried, and its position.
    pub(in crate::store) fn lane(
        &self,
        lane: &[u8],
        from: (u64, u64),
    ) -> Result<impl Iterator<Item = Result<(u64, u64), Failure>> + use<>, Failure> {
        let (first, last) = (due_key(lane, from), due_key(lane, (u64::MAX, u64::MAX)));
        let rows = self.transaction.open_table(DUE)?.range(first.as_slice()..=last.as_slice())?;
        Ok(rows.filter_map(|row| -> Option<Result<(u64, u64), Failure>> {
            match row {
                // A key that can't be decoded is of no work.
                Ok((key, _)) => read_due_key(key.value()).map(|(_, since, work)| Ok((since, work))),
                Err(error) => Some(Err(error.into())),
            }
        }))
    }

    /// The keys of all lanes, in their order: the lane, since when, and the position; `None` for
    /// one that can't be decoded.
    pub(in crate::store) fn all_due(
        &self,
    ) -> Result<impl Iterator<Item = Result<Option<DueKey>, Failure>> + use<>, Failure> {
        let rows = self.transaction.open_table(DUE)?.range::<&[u8]>(..)?;
        Ok(rows.map(|row| -> Result<Option<DueKey>, Failure> {
            let (key, _) = row?;
            Ok(read_due_key(key.value()).map(|(lane, since, work)| (lane.to_vec(), since, work)))
        }))
    }

    /// Whether a lane has a work under this key.
    pub(in crate::store) fn is_due(&self, lane: &[u8], key: (u64, u64)) -> Result<bool, Failure> {
        Ok(self.transaction.open_table(DUE)?.get(due_key(lane, key).as_slice())?.is_some())
    }

    /// How many rows there are of open works and of letters, as it is written down; `None` where
    /// that is not as of now.
    pub(in crate::store) fn totals(&self) -> Result<Option<Totals>, Failure> {
        Totals::written(&self.transaction)
    }

    /// The same, counted.
    pub(in crate::store) fn counted_totals(&self) -> Result<Totals, Failure> {
        Totals::counted(&self.transaction)
    }

    /// A fact of the store itself.
    pub(in crate::store) fn fact(&self, name: &str) -> Result<Option<u64>, Failure> {
        Ok(self.transaction.open_table(META)?.get(name)?.map(|fact| fact.value()))
    }

    /// The rows of the replays by filter, by their numbers.
    pub(in crate::store) fn replays(&self) -> Result<BTreeMap<u64, Bytes>, Failure> {
        let table = match self.transaction.open_table(REPLAYS) {
            Ok(table) => table,
            // An older Hookgate made the file, and nobody has asked for one yet.
            Err(TableError::TableDoesNotExist(_)) => return Ok(BTreeMap::new()),
            Err(error) => return Err(error.into()),
        };
        let mut replays = BTreeMap::new();
        for row in table.range::<u64>(..)? {
            let (number, row) = row?;
            replays.insert(number.value(), Bytes::copy_from_slice(row.value()));
        }
        Ok(replays)
    }

    /// The rows of a table of which the log says nothing.
    pub(in crate::store) fn kept(&self, kept: Kept) -> Result<KeptRows, Failure> {
        KeptRows::open(&self.transaction, kept)
    }

    /// The row of state with this key.
    pub(in crate::store) fn state(&self, key: &[u8]) -> Result<Option<Bytes>, Failure> {
        self.state_rows()?.get(key)
    }

    /// The rows of state, for whoever asks for several.
    pub(in crate::store) fn state_rows(&self) -> Result<States, Failure> {
        Ok(States(self.transaction.open_table(STATE)?))
    }

    /// What is read in the rows of state from this key on, in the order of their keys.
    pub(in crate::store) fn states<R, F: Fn(&[u8], &[u8]) -> R>(
        &self,
        from: &[u8],
        read: F,
    ) -> Result<impl Iterator<Item = Result<R, Failure>> + use<R, F>, Failure> {
        let rows = self.transaction.open_table(STATE)?.range(from..)?;
        Ok(rows.map(move |row| -> Result<R, Failure> {
            let (key, value) = row?;
            Ok(read(key.value(), value.value()))
        }))
    }

    /// How many segments, and bytes of them, each volume has by its row; `None` where these rows
    /// are not as of now.
    pub(in crate::store) fn live(&self) -> Result<Option<SharesByVolume>, Failure> {
        let WrittenDown { rows, is_of_now, .. } = WrittenDown::read(&self.transaction)?;
        Ok(is_of_now.then_some(rows))
    }

    /// The index.
    pub(in crate::store) fn index(&self) -> Result<IndexView, Failure> {
        match self.transaction.open_table(INDEX) {
            Ok(rows) => Ok(IndexView(Some(rows))),
            Err(TableError::TableDoesNotExist(_)) => Ok(IndexView(None)),
            Err(error) => Err(error.into()),
        }
    }

    /// The open works before the low-water mark that stand before this position, from newer to
    /// older, each with what is read in its lane and note; `None` for a row that can't be decoded.
    pub(in crate::store) fn owed_back<R, F: Fn(&[u8], &[u8]) -> R>(
        &self,
        position: u64,
        read: F,
    ) -> Result<impl Iterator<Item = Result<(u64, Option<R>), Failure>> + use<R, F>, Failure> {
        let rows = self.transaction.open_table(OWED)?.range(..position)?.rev();
        Ok(rows.map(move |row| -> Result<(u64, Option<R>), Failure> {
            let (work, row) = row?;
            let owed = owed_rows::read(row.value());
            let read =
                owed.map(|OwedRow { lane: Raw(lane), note: Raw(note), .. }| read(lane, note));
            Ok((work.value(), read))
        }))
    }

    /// The known ids.
    pub(in crate::store) fn ids(&self) -> Result<IdView, Failure> {
        Ok(IdView(self.transaction.open_table(IDS)?))
    }
}

/// A lane, since when a work of it may be tried, and its position.
pub(in crate::store) type DueKey = (Vec<u8>, u64, u64);

type ByteTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// How many segments, and bytes of them, each volume has.
pub(in crate::store) type SharesByVolume = BTreeMap<u32, (u64, u64)>;

/// The log: segments by their first position.
#[derive(Debug)]
pub(in crate::store) struct Segments {
    /// Where each lies.
    rows: ReadOnlyTable<u64, &'static [u8; EXTENT_BYTES]>,
    shown: Arc<Shown>,
}

/// A segment's key, and what was read of it.
pub(in crate::store) type Keyed = (u64, Result<Segment, Damaged>);

impl Segments {
    /// The segments whose keys lie in this range.
    pub(in crate::store) fn within<R: RangeBounds<u64>>(
        &self,
        range: R,
    ) -> Result<impl DoubleEndedIterator<Item = Result<Keyed, Failure>> + use<R>, Failure> {
        let shown = Arc::clone(&self.shown);
        Ok(self.rows.range(range)?.map(move |row| -> Result<Keyed, Failure> {
            let (first, extent) = row?;
            let first = first.value();
            let segment = match segment(&shown, first, extent.value())? {
                Ok(stored) => Segment::read(first, &stored),
                Err(damaged) => Err(damaged),
            };
            Ok((first, segment))
        }))
    }

    /// Where each segment lies, by its key, as its row says.
    pub(in crate::store) fn places(
        &self,
    ) -> Result<impl Iterator<Item = Result<(u64, Extent), Failure>> + use<>, Failure> {
        Ok(self.rows.range::<u64>(..)?.map(|row| -> Result<(u64, Extent), Failure> {
            let (first, extent) = row?;
            let first = first.value();
            let extent = Extent::read(extent.value()).ok_or(Damaged { position: first })?;
            Ok((first, extent))
        }))
    }

    /// The segment with this key.
    pub(in crate::store) fn get(
        &self,
        first: u64,
    ) -> Result<Option<Result<Segment, Damaged>>, Failure> {
        let Some(extent) = self.rows.get(first)? else { return Ok(None) };
        let stored = segment(&self.shown, first, extent.value())?;
        Ok(Some(stored.and_then(|stored| Segment::read(first, &stored))))
    }

    /// The key of the last segment up to this position.
    pub(in crate::store) fn key_up_to(&self, position: u64) -> Result<Option<u64>, Failure> {
        let last = self.rows.range(..=position)?.next_back().transpose()?;
        Ok(last.map(|(first, _)| first.value()))
    }

    /// The key of the first segment.
    pub(in crate::store) fn first_key(&self) -> Result<Option<u64>, Failure> {
        Ok(self.rows.first()?.map(|(first, _)| first.value()))
    }

    /// The key of the last segment.
    pub(in crate::store) fn last_key(&self) -> Result<Option<u64>, Failure> {
        Ok(self.rows.last()?.map(|(first, _)| first.value()))
    }
}

impl Rows for Segments {
    fn row<R>(&self, number: u64, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Failure> {
        let Some(extent) = self.rows.get(number)? else { return Ok(None) };
        let stored = segment(&self.shown, number, extent.value())??;
        Ok(Some(read(&stored)))
    }

    fn last_row<R>(
        &self,
        number: u64,
        read: impl FnOnce(u64, &[u8]) -> R,
    ) -> Result<Option<R>, Failure> {
        let Some(row) = self.rows.range(..=number)?.next_back() else { return Ok(None) };
        let (first, extent) = row?;
        let first = first.value();
        let stored = segment(&self.shown, first, extent.value())??;
        Ok(Some(read(first, &stored)))
    }
}

/// The segment with this key, as it is stored where its row says.
fn segment(
    shown: &Shown,
    first: u64,
    extent: &[u8; EXTENT_BYTES],
) -> Result<Result<Vec<u8>, Damaged>, Failure> {
    let found = match Extent::read(extent) {
        Some(extent) => shown.segment(first, extent)?,
        None => None,
    };
    Ok(found.ok_or(Damaged { position: first }))
}

/// What handlers remember.
#[derive(Debug)]
pub(in crate::store) struct States(ByteTable);

impl States {
    /// The row with this key.
    pub(in crate::store) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Failure> {
        let value = self.0.get(key)?;
        Ok(value.map(|value| Bytes::copy_from_slice(value.value())))
    }

    /// Whether there is a row whose key begins so.
    pub(in crate::store) fn has_any(&self, prefix: &[u8]) -> Result<bool, Failure> {
        let first = self.0.range(prefix..)?.next().transpose()?;
        Ok(first.is_some_and(|(key, _)| key.value().starts_with(prefix)))
    }
}

/// How each work stands that was ever tried, by its position.
#[derive(Debug)]
pub(in crate::store) struct Outcomes(ReadOnlyTable<u64, &'static [u8]>);

impl Outcomes {
    /// What is read in each row, in the order of the works.
    pub(in crate::store) fn all<R, F: Fn(u64, &[u8]) -> R>(
        &self,
        read: F,
    ) -> Result<impl Iterator<Item = Result<R, Failure>> + use<R, F>, Failure> {
        self.all_from(0, read)
    }

    /// The same of the works from this position on.
    pub(in crate::store) fn all_from<R, F: Fn(u64, &[u8]) -> R>(
        &self,
        first: u64,
        read: F,
    ) -> Result<impl Iterator<Item = Result<R, Failure>> + use<R, F>, Failure> {
        Ok(self.0.range(first..)?.map(move |row| -> Result<R, Failure> {
            let (work, standing) = row?;
            Ok(read(work.value(), standing.value()))
        }))
    }
}

impl Rows for Outcomes {
    fn row<R>(&self, number: u64, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Failure> {
        self.0.row(number, read)
    }

    fn last_row<R>(
        &self,
        number: u64,
        read: impl FnOnce(u64, &[u8]) -> R,
    ) -> Result<Option<R>, Failure> {
        self.0.last_row(number, read)
    }
}

/// The dead works, each with the number of its kind.
#[derive(Debug)]
pub(in crate::store) struct Dead(ReadOnlyTable<u64, u8>);

impl Dead {
    pub(in crate::store) fn within<R: RangeBounds<u64>>(
        &self,
        range: R,
    ) -> Result<impl DoubleEndedIterator<Item = Result<(u64, u8), Failure>> + use<R>, Failure> {
        Ok(self.0.range(range)?.map(|row| -> Result<(u64, u8), Failure> {
            let (work, kind) = row?;
            Ok((work.value(), kind.value()))
        }))
    }

    pub(in crate::store) fn has(&self, work: u64) -> Result<bool, Failure> {
        Ok(self.letter(work)?.is_some())
    }

    /// The number of the kind of a dead work, if it has a letter.
    pub(in crate::store) fn letter(&self, work: u64) -> Result<Option<u8>, Failure> {
        Ok(self.0.get(work)?.map(|kind| kind.value()))
    }
}

/// The segments that were packed, by their keys.
#[derive(Debug)]
pub(in crate::store) struct Swept(ReadOnlyTable<u64, (u64, u64)>);

/// What is known of a packed segment.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct PackedSegment {
    pub(in crate::store) first: u64,
    /// When to look at it again.
    pub(in crate::store) due: Timestamp,
    pub(in crate::store) bytes: u64,
}

impl Swept {
    pub(in crate::store) fn within<R: RangeBounds<u64>>(
        &self,
        range: R,
    ) -> Result<impl DoubleEndedIterator<Item = Result<PackedSegment, Failure>> + use<R>, Failure>
    {
        Ok(self.0.range(range)?.map(|row| -> Result<PackedSegment, Failure> {
            let (first, row) = row?;
            let (due, bytes) = row.value();
            Ok(PackedSegment { first: first.value(), due: Timestamp(due), bytes })
        }))
    }
}

impl<T: ReadableTable<u64, &'static [u8]>> Rows for T {
    fn row<R>(&self, number: u64, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Failure> {
        Ok(self.get(number)?.map(|row| read(row.value())))
    }

    fn last_row<R>(
        &self,
        number: u64,
        read: impl FnOnce(u64, &[u8]) -> R,
    ) -> Result<Option<R>, Failure> {
        let Some(row) = self.range(..=number)?.next_back() else { return Ok(None) };
        let (number, row) = row?;
        Ok(Some(read(number.value(), row.value())))
    }
}
