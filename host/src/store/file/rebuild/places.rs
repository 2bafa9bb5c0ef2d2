//! Where each segment lies, found out from frames: a packed one stands for those that it was packed
//! from.
//!
//! Frames of packed segments come first, in the order in which they were written: a newer one takes
//! the place of every older one with which it shares positions, because a sweep packs whole
//! segments anew. Then come the frames of commits; each says in its redo which segments went and
//! which came in their place. Never decides on a work.

use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::super::counts::Counted;
use super::super::redo::{self, Raw, RowChange};
use super::super::schema::{END, META, SEGMENTS, SWEPT, SWEPT_TO, TOLD};
use super::super::tables::Tables;
use super::super::volumes::{self, EXTENT_BYTES, Extent, Found, Shown};
use super::named::Named;
use crate::store::error::Failure;
use crate::store::log::segment::Segment;

/// Where a segment lies: its volume, offset and length; and the first position behind it.
type Place = (u32, u32, u32, u64);

/// Until all is found: the packed segments, by their first positions.
const PACKED: TableDefinition<'_, u64, Place> = TableDefinition::new("found_packed");
/// The same of those that commits wrote.
const LOGGED: TableDefinition<'_, u64, Place> = TableDefinition::new("found_logged");

/// The keys of state of which a redo says something: that is newer than what any packed record
/// says.
pub(super) const KNOWN_STATE: TableDefinition<'_, &[u8], ()> = TableDefinition::new("found_state");

/// Rows that are moved in one transaction.
const ROWS_MAX: usize = 16_384;

/// What frames say, written down in one transaction.
pub(super) struct Portion<'t> {
    tables: Tables<'t>,
    packed: Table<'t, u64, Place>,
    logged: Table<'t, u64, Place>,
    known_state: Table<'t, &'static [u8], ()>,
    shown: Arc<Shown>,
    named: &'t Named,
    end: u64,
}

impl<'t> Portion<'t> {
    pub(super) fn open(
        transaction: &'t WriteTransaction,
        counted: &'t mut Counted,
        (shown, named): (&Arc<Shown>, &'t Named),
    ) -> Result<Self, Failure> {
        Ok(Self {
            tables: Tables::of(transaction, counted),
            packed: transaction.open_table(PACKED)?,
            logged: transaction.open_table(LOGGED)?,
            known_state: transaction.open_table(KNOWN_STATE)?,
            shown: Arc::clone(shown),
            named,
            end: 0,
        })
    }

    /// The first position behind all that these frames have.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The frame of a packed segment.
    pub(super) fn packed(&mut self, found: &Found) -> Result<(), Failure> {
        if self.named.is_orphan(found.extent) {
            return Ok(());
        }
        // One that can't be unpacked is no segment.
        let Ok(segment) = Segment::read(found.first, &found.body) else { return Ok(()) };
        self.end = self.end.max(segment.next());
        put(&mut self.packed, found.first, found.extent, segment.next())
    }

    /// The frame of a commit.
    pub(super) fn logged(&mut self, found: &Found) -> Result<(), Failure> {
        let Found { first, extent, body } = found;
        let Some((segment, redo)) = volumes::parts(body) else { return Ok(()) };
        if let Ok(segment) = Segment::read(*first, segment) {
            self.end = self.end.max(segment.next());
            put(&mut self.logged, *first, *extent, segment.next())?;
        }
        // Its sum is right: without these changes, what was done would be done again.
        let changes = redo::read(redo).ok_or(Failure::NewerCommit { position: *first })?;
        // Where a packed segment is damaged, those that it was packed from may still be whole.
        let mut is_packed = true;
        for change in &changes {
            if let RowChange::Packed { first, extent, .. } = change {
                is_packed &=
                    self.packed_at(*first, extent)?.is_some() || self.has_gone(*first, extent);
            }
        }
        for change in &changes {
            self.make(change, is_packed)?;
        }
        Ok(())
    }

    fn make(&mut self, change: &RowChange<'_>, is_packed: bool) -> Result<(), Failure> {
        match *change {
            RowChange::Gone { first } if is_packed => {
                self.logged.remove(first)?;
                self.packed.remove(first)?;
            }
            RowChange::Packed { first, extent, .. } if is_packed => {
                if let Some((extent, next)) = self.packed_at(first, &extent)? {
                    put(&mut self.packed, first, extent, next)?;
                }
            }
            RowChange::Fact { name, value } if name == END => self.end = self.end.max(value),
            // How far the store had counted, and the end of the line of time. All other facts are
            // about rows that are made anew.
            RowChange::Fact { name, .. } if name == TOLD || name.starts_with("line_") => {
                self.tables.make(change)?;
            }
            RowChange::State { key: Raw(key), .. } => {
                self.known_state.insert(key, ())?;
                self.tables.make(change)?;
            }
            RowChange::Outcome { .. } | RowChange::Letter { .. } | RowChange::Point { .. } => {
                self.tables.make(change)?;
            }
            // A start finds in the log what is open. No replay by filter goes on: it would repeat
            // what it has done in frames that are gone.
            _ => (),
        }
        Ok(())
    }

    /// Whether the volume of a segment was removed because no row needed it any more.
    fn has_gone(&self, first: u64, extent: &[u8; EXTENT_BYTES]) -> bool {
        let Some(extent) = Extent::read(extent) else { return true };
        let Extent { volume, .. } = extent;
        let is_damaged = self.shown.damaged().any(|damaged| damaged == volume);
        !self.shown.has(volume) && !is_damaged && !self.named.is_needed(first, extent)
    }

    /// Where a packed segment lies that a redo names, and the first position behind it; `None` if
    /// it can't be read.
    fn packed_at(
        &self,
        first: u64,
        extent: &[u8; EXTENT_BYTES],
    ) -> Result<Option<(Extent, u64)>, Failure> {
        let Some(extent) = Extent::read(extent) else { return Ok(None) };
        let Some(stored) = self.shown.segment(first, extent)? else { return Ok(None) };
        Ok(Segment::read(first, &stored).ok().map(|segment| (extent, segment.next())))
    }
}

/// Puts a segment in the place of all with which it shares positions.
fn put(
    table: &mut Table<'_, u64, Place>,
    first: u64,
    extent: Extent,
    next: u64,
) -> Result<(), Failure> {
    for other in overlapping(table, first, next)? {
        table.remove(other)?;
    }
    let Extent { volume, offset, length } = extent;
    table.insert(first, (volume, offset, length, next))?;
    Ok(())
}

/// The segments that share a position with these, by their first.
fn overlapping(
    table: &impl ReadableTable<u64, Place>,
    first: u64,
    next: u64,
) -> Result<Vec<u64>, Failure> {
    let mut found = Vec::new();
    if let Some(before) = table.range(..first)?.next_back() {
        let (key, place) = before?;
        if place.value().3 > first {
            found.push(key.value());
        }
    }
    for row in table.range(first..next.max(first))? {
        found.push(row?.0.value());
    }
    Ok(found)
}

/// Whether all positions of a segment are in others that follow each other.
fn is_covered(by: &impl ReadableTable<u64, Place>, first: u64, next: u64) -> Result<bool, Failure> {
    let from = by.range(..=first)?.next_back().transpose()?.map_or(first, |(key, _)| key.value());
    let mut reached = first;
    for row in by.range(from..next.max(from))? {
        let (key, place) = row?;
        if key.value() > reached {
            break;
        }
        reached = reached.max(place.value().3);
    }
    Ok(reached >= next)
}

/// Gives each position one segment, and each segment its row; gives how many there are.
pub(super) fn settle(database: &Database) -> Result<u64, Failure> {
    part(database)?;
    let packed = database.begin_read()?.open_table(PACKED)?;
    let packed_to = packed.last()?.map_or(0, |(_, place)| place.value().3);
    drop(packed);
    let segments = place(database, PACKED, packed_to)? + place(database, LOGGED, packed_to)?;
    let transaction = database.begin_write()?;
    transaction.delete_table(PACKED)?;
    transaction.delete_table(LOGGED)?;
    transaction.open_table(META)?.insert(SWEPT_TO, packed_to)?;
    transaction.commit()?;
    Ok(segments)
}

/// A commit's segment and a packed one that share positions: no redo is left that says which of
/// them is the store's. What one of them has the other has too.
fn part(database: &Database) -> Result<(), Failure> {
    let transaction = database.begin_write()?;
    {
        let mut packed = transaction.open_table(PACKED)?;
        let mut logged = transaction.open_table(LOGGED)?;
        let mut from = 0;
        while let Some((first, next)) = row_from(&logged, from)? {
            for other in overlapping(&packed, first, next)? {
                let end = packed.get(other)?.map_or(other, |place| place.value().3);
                if is_covered(&logged, other, end)? {
                    packed.remove(other)?;
                } else {
                    logged.remove(first)?;
                }
            }
            from = first + 1;
        }
    }
    Ok(transaction.commit()?)
}

/// The first segment from a position on, and the position behind it.
fn row_from(
    table: &impl ReadableTable<u64, Place>,
    from: u64,
) -> Result<Option<(u64, u64)>, Failure> {
    let row = table.range(from..)?.next().transpose()?;
    Ok(row.map(|(first, place)| (first.value(), place.value().3)))
}

/// Gives the segments of a table their rows. A sweep looks soon at each that begins before
/// `packed_to`. Gives how many there are.
fn place(
    database: &Database,
    table: TableDefinition<'_, u64, Place>,
    packed_to: u64,
) -> Result<u64, Failure> {
    let (mut from, mut count) = (Some(0), 0);
    while let Some(begin) = from.take() {
        let transaction = database.begin_write()?;
        {
            let mut segments = transaction.open_table(SEGMENTS)?;
            let mut swept = transaction.open_table(SWEPT)?;
            let rows = transaction.open_table(table)?;
            for (number, row) in rows.range(begin..)?.enumerate() {
                let (first, place) = row?;
                let (first, (volume, offset, length, _)) = (first.value(), place.value());
                if number == ROWS_MAX {
                    from = Some(first);
                    break;
                }
                segments.insert(first, &Extent { volume, offset, length }.write())?;
                if first < packed_to {
                    swept.insert(first, (0_u64, u64::from(length)))?;
                }
                count += 1;
            }
        }
        transaction.commit()?;
    }
    Ok(count)
}
