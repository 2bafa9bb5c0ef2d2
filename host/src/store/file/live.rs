//! What is live in each volume: how many segments rows point to, and their bytes.
//!
//! Counted as commits hold, and written down with each checkpoint, so that few starts have to
//! count. What no row points into may go. Never says of a volume that nothing in it is live because
//! a count went wrong.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadTransaction, ReadableTable, TableError, WriteTransaction};

use super::schema::{APPLIED, META, SEGMENTS, VOLUMES};
use super::volumes::{Extent, Point};
use crate::store::error::Failure;

/// In [`VOLUMES`], under the number of no volume: the [`Point`] that all others are as of.
const AS_OF: u32 = 0;

/// What is live in each volume.
#[derive(Debug, Default)]
pub(super) struct Live {
    shares: BTreeMap<u32, Share>,
    /// Those of which something else is written down.
    changed: BTreeSet<u32>,
}

/// What is live in a volume. The numbers wrap, so that a volume that lost more than it had, because
/// a count went wrong, does not look empty and is never removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Share {
    segments: u64,
    bytes: u64,
}

/// Where segments came and went in a change, to be counted once it is committed.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) came: Vec<Extent>,
    pub(super) gone: Vec<Extent>,
}

/// What was written down of each volume: its segments, and their bytes.
#[derive(Debug, Default)]
pub(super) struct WrittenDown {
    pub(super) rows: BTreeMap<u32, (u64, u64)>,
    /// redb makes all commits durable when it closes the file, also those behind the last
    /// checkpoint: then these rows are older than the others.
    pub(super) is_of_now: bool,
    /// How far all other rows have what the log says.
    applied: Option<u64>,
}

impl WrittenDown {
    pub(super) fn read(transaction: &ReadTransaction) -> Result<Self, Failure> {
        let volumes = match transaction.open_table(VOLUMES) {
            Ok(volumes) => volumes,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let applied = transaction.open_table(META)?.get(APPLIED)?.map(|fact| fact.value());
        let as_of = volumes.get(AS_OF)?.map(|row| row.value().0);
        let mut rows = BTreeMap::new();
        for row in volumes.range::<u32>(AS_OF + 1..)? {
            let (volume, share) = row?;
            rows.insert(volume.value(), share.value());
        }
        Ok(Self { rows, is_of_now: as_of.is_some() && as_of == applied, applied })
    }
}

impl Live {
    /// As it was written down; where that is not as of now, as it was left; else as the rows of the
    /// segments say.
    pub(super) fn load(
        transaction: &ReadTransaction,
        left: Option<(Point, Self)>,
    ) -> Result<Self, Failure> {
        let WrittenDown { rows, is_of_now, applied } = WrittenDown::read(transaction)?;
        if is_of_now {
            let share = |(volume, (segments, bytes))| (volume, Share { segments, bytes });
            let shares = rows.into_iter().map(share).collect();
            return Ok(Self { shares, changed: BTreeSet::new() });
        }
        let mut live = match left {
            Some((as_of, live)) if applied == Some(as_of.write()) => live,
            _ => Self::count(transaction)?,
        };
        // What was left may have been on its way to these rows, and may not have come there.
        live.changed.extend(live.shares.keys());
        live.changed.extend(rows.into_keys());
        Ok(live)
    }

    fn count(transaction: &ReadTransaction) -> Result<Self, Failure> {
        let mut live = Self::default();
        for row in transaction.open_table(SEGMENTS)?.iter()? {
            let (_, extent) = row?;
            if let Some(extent) = Extent::read(extent.value()) {
                live.come(extent);
            }
        }
        Ok(live)
    }

    /// Counts a change that is committed.
    pub(super) fn apply(&mut self, counted: &Counted) {
        counted.came.iter().for_each(|extent| self.come(*extent));
        for Extent { volume, length, .. } in &counted.gone {
            let share = self.share(*volume);
            share.segments = share.segments.wrapping_sub(1);
            share.bytes = share.bytes.wrapping_sub(u64::from(*length));
        }
    }

    fn come(&mut self, Extent { volume, length, .. }: Extent) {
        let share = self.share(volume);
        share.segments = share.segments.wrapping_add(1);
        share.bytes = share.bytes.wrapping_add(u64::from(length));
    }

    fn share(&mut self, volume: u32) -> &mut Share {
        self.changed.insert(volume);
        self.shares.entry(volume).or_default()
    }

    /// Whether a row points into this volume.
    pub(super) fn is_live(&self, volume: u32) -> bool {
        self.shares.get(&volume).is_some_and(|share| *share != Share::default())
    }

    /// Writes down what has changed, with a checkpoint: the rows have the log up to `applied`.
    pub(super) fn write(
        &mut self,
        transaction: &WriteTransaction,
        applied: Point,
    ) -> Result<(), Failure> {
        let mut volumes = transaction.open_table(VOLUMES)?;
        volumes.insert(AS_OF, (applied.write(), 0_u64))?;
        for volume in std::mem::take(&mut self.changed) {
            if self.is_live(volume) {
                let Share { segments, bytes } = self.shares[&volume];
                volumes.insert(volume, (segments, bytes))?;
            } else {
                self.shares.remove(&volume);
                volumes.remove(volume)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;
    use redb::{Database, ReadableDatabase};

    use super::*;

    fn at(volume: u32, length: u32) -> Extent {
        Extent { volume, offset: 48, length }
    }

    fn counted(came: &[Extent], gone: &[Extent]) -> Counted {
        Counted { came: came.to_vec(), gone: gone.to_vec() }
    }

    fn loaded(database: &Database) -> Live {
        Live::load(&database.begin_read().unwrap(), None).unwrap()
    }

    #[test]
    fn a_volume_is_live_until_the_last_of_its_segments_goes() {
        let mut live = Live::default();
        live.apply(&counted(&[at(1, 10), at(1, 20), at(2, 5)], &[]));
        live.apply(&counted(&[at(3, 30)], &[at(1, 10), at(2, 5)]));
        assert_eq!([1, 2, 3, 4].map(|volume| live.is_live(volume)), [true, false, true, false]);
        live.apply(&counted(&[], &[at(1, 20)]));
        assert!(!live.is_live(1));
    }

    #[test]
    fn a_volume_that_lost_more_than_it_had_is_never_at_nothing() {
        let mut live = Live::default();
        live.apply(&counted(&[], &[at(1, 10)]));
        assert!(live.is_live(1));
    }

    const HERE: Point = Point { volume: 3, offset: 90 };

    /// Writes down what is live as of a point, and how far the rows are.
    fn write(database: &Database, live: &mut Live, as_of: Point, applied: Point) {
        let transaction = database.begin_write().unwrap();
        live.write(&transaction, as_of).unwrap();
        transaction.open_table(META).unwrap().insert(APPLIED, applied.write()).unwrap();
        transaction.commit().unwrap();
    }

    #[test]
    fn what_was_written_down_is_loaded_and_what_never_was_is_counted() {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut segments = transaction.open_table(SEGMENTS).unwrap();
            segments.insert(1_u64, &at(1, 10).write()).unwrap();
            segments.insert(2_u64, &at(2, 20).write()).unwrap();
        }
        transaction.commit().unwrap();

        let mut live = loaded(&database);
        assert!(live.is_live(1) && live.is_live(2));
        live.apply(&counted(&[at(3, 5)], &[at(1, 10)]));
        write(&database, &mut live, HERE, HERE);

        let again = loaded(&database);
        assert_eq!(again.shares, live.shares);
        assert_eq!(again.shares.keys().copied().collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn what_was_written_down_before_the_last_commits_is_counted_again() {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let mut live = Live::default();
        live.apply(&counted(&[at(1, 10), at(2, 20)], &[]));
        write(&database, &mut live, Point { offset: 50, ..HERE }, HERE);
        let transaction = database.begin_write().unwrap();
        transaction.open_table(SEGMENTS).unwrap().insert(2_u64, &at(2, 20).write()).unwrap();
        transaction.open_table(SEGMENTS).unwrap().insert(3_u64, &at(3, 30).write()).unwrap();
        transaction.commit().unwrap();

        let left = |as_of: Point| {
            let mut live = Live::default();
            live.apply(&counted(&[at(9, 10)], &[]));
            Live::load(&database.begin_read().unwrap(), Some((as_of, live))).unwrap()
        };
        assert!(left(HERE).is_live(9), "nobody has to count");
        let mut again = left(Point::START);

        assert!(!again.is_live(9));
        assert_eq!([1, 2, 3].map(|volume| again.is_live(volume)), [false, true, true]);
        write(&database, &mut again, HERE, HERE);
        assert_eq!(loaded(&database).shares, again.shares, "nothing is left of what was wrong");
    }
}
