//! How many rows of open works there are by lane and note, and how many letters by kind.
//!
//! Counted as commits hold, and written down with each checkpoint, so that few starts have to
//! count: a start must not read all that is owed. Never says what a lane or a note names.

use std::collections::{BTreeMap, BTreeSet};

use redb::{
    Key, ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, TableError, Value,
    WriteTransaction,
};

use super::owed_rows::{self, END_OF_LANE};
use super::redo::{OwedRow, Raw};
use super::schema::{APPLIED, DEAD, META, OWED, TOTALS};
use super::volumes::Point;
use crate::store::error::Failure;

/// In [`TOTALS`]: the [`Point`] that all others are as of. No lane is empty.
const AS_OF: &[u8] = &[];

/// How many rows there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct Totals {
    /// Of open works before the low-water mark, by lane and note.
    pub(in crate::store) owed: BTreeMap<(Vec<u8>, Vec<u8>), u64>,
    /// Of letters, by the number of the kind.
    pub(in crate::store) dead: BTreeMap<u8, u64>,
}

/// The same as it is kept: numbers by their keys in [`TOTALS`].
#[derive(Debug, Default)]
pub(super) struct Sums {
    sums: BTreeMap<Vec<u8>, u64>,
    /// Those of which something else is written down.
    changed: BTreeSet<Vec<u8>>,
}

/// How many more rows there are by a change, or fewer, to be counted once it is committed.
#[derive(Debug, Default)]
pub(super) struct Moved(BTreeMap<Vec<u8>, i64>);

/// What was written down.
#[derive(Debug, Default)]
struct WrittenDown {
    sums: BTreeMap<Vec<u8>, u64>,
    /// redb makes all commits durable when it closes the file, also those behind the last
    /// checkpoint: then these rows are older than the others.
    is_of_now: bool,
    /// How far all other rows have what the log says.
    applied: Option<u64>,
}

/// The key of a number of open works.
fn owed_key(OwedRow { lane: Raw(lane), note: Raw(note), .. }: OwedRow<'_>) -> Vec<u8> {
    [lane, &[END_OF_LANE], note].concat()
}

/// The key of a number of letters: that of a lane begins with another byte.
fn dead_key(kind: u8) -> Vec<u8> {
    vec![END_OF_LANE, kind]
}

impl Moved {
    /// Rows of open works came, or went.
    pub(super) fn owed(&mut self, row: OwedRow<'_>, more: i64) {
        *self.0.entry(owed_key(row)).or_default() += more;
    }

    /// Letters came, or went.
    pub(super) fn dead(&mut self, kind: u8, more: i64) {
        *self.0.entry(dead_key(kind)).or_default() += more;
    }
}

impl Totals {
    fn of(sums: &BTreeMap<Vec<u8>, u64>) -> Self {
        let mut totals = Self::default();
        for (key, number) in sums {
            if let [END_OF_LANE, kind] = key[..] {
                totals.dead.insert(kind, *number);
            } else if let Some(end) = key.iter().position(|byte| *byte == END_OF_LANE) {
                let (lane, note) = (key[..end].to_vec(), key[end + 1..].to_vec());
                totals.owed.insert((lane, note), *number);
            }
        }
        totals
    }

    /// What is written down; `None` where that is not as of now.
    pub(super) fn written(transaction: &ReadTransaction) -> Result<Option<Self>, Failure> {
        let WrittenDown { sums, is_of_now, .. } = WrittenDown::read(transaction)?;
        Ok(is_of_now.then(|| Self::of(&sums)))
    }

    /// What the rows come to.
    pub(super) fn counted(transaction: &ReadTransaction) -> Result<Self, Failure> {
        Ok(Self::of(&Sums::count(transaction)?.sums))
    }
}

impl WrittenDown {
    fn read(transaction: &ReadTransaction) -> Result<Self, Failure> {
        let Some(totals) = table(transaction, TOTALS)? else { return Ok(Self::default()) };
        let applied = transaction.open_table(META)?.get(APPLIED)?.map(|fact| fact.value());
        let as_of = totals.get(AS_OF)?.map(|row| row.value());
        let mut sums = BTreeMap::new();
        for row in totals.iter()? {
            let (key, number) = row?;
            if key.value() != AS_OF {
                sums.insert(key.value().to_vec(), number.value());
            }
        }
        Ok(Self { sums, is_of_now: as_of.is_some() && as_of == applied, applied })
    }
}

impl Sums {
    /// As it was written down; where that is not as of now, as it was left; else as the rows say.
    pub(super) fn load(
        transaction: &ReadTransaction,
        left: Option<(Point, Self)>,
    ) -> Result<Self, Failure> {
        let WrittenDown { sums, is_of_now, applied } = WrittenDown::read(transaction)?;
        if is_of_now {
            return Ok(Self { sums, changed: BTreeSet::new() });
        }
        let mut now = match left {
            Some((as_of, left)) if applied == Some(as_of.write()) => left,
            _ => Self::count(transaction)?,
        };
        // What was left may have been on its way to these rows, and may not have come there.
        now.changed.extend(now.sums.keys().cloned());
        now.changed.extend(sums.into_keys());
        Ok(now)
    }

    fn count(transaction: &ReadTransaction) -> Result<Self, Failure> {
        let mut moved = Moved::default();
        if let Some(owed) = table(transaction, OWED)? {
            for row in owed.iter()? {
                let (_, value) = row?;
                // One that can't be decoded is counted neither now nor when it goes.
                if let Some(row) = owed_rows::read(value.value()) {
                    moved.owed(row, 1);
                }
            }
        }
        for row in transaction.open_table(DEAD)?.iter()? {
            moved.dead(row?.1.value(), 1);
        }
        let mut sums = Self::default();
        sums.apply(&moved);
        Ok(sums)
    }

    /// Counts a change that is committed.
    pub(super) fn apply(&mut self, moved: &Moved) {
        for (key, more) in &moved.0 {
            let number = self.after(key, moved);
            if *more != 0 {
                self.changed.insert(key.clone());
            }
            if number == 0 {
                self.sums.remove(key);
            } else {
                self.sums.insert(key.clone(), number);
            }
        }
    }

    /// What a number is with a change.
    fn after(&self, key: &[u8], moved: &Moved) -> u64 {
        let before = self.sums.get(key).copied().unwrap_or_default();
        before.saturating_add_signed(moved.0.get(key).copied().unwrap_or_default())
    }

    /// All of them.
    pub(super) fn totals(&self) -> Totals {
        Totals::of(&self.sums)
    }

    /// Writes down what has changed, with a checkpoint that makes this change too: the rows have
    /// the log up to `applied`.
    pub(super) fn write(
        &mut self,
        transaction: &WriteTransaction,
        applied: Point,
        moved: &Moved,
    ) -> Result<(), Failure> {
        let mut totals = transaction.open_table(TOTALS)?;
        totals.insert(AS_OF, applied.write())?;
        let mut changed = std::mem::take(&mut self.changed);
        changed.extend(moved.0.keys().cloned());
        for key in changed {
            match self.after(&key, moved) {
                0 => totals.remove(key.as_slice())?,
                number => totals.insert(key.as_slice(), number)?,
            };
        }
        Ok(())
    }
}

/// A table that an older Hookgate did not make.
fn table<K: Key + 'static, V: Value + 'static>(
    transaction: &ReadTransaction,
    definition: TableDefinition<'_, K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, Failure> {
    match transaction.open_table(definition) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;
    use redb::{Database, ReadableDatabase};

    use super::*;

    const HERE: Point = Point { volume: 3, offset: 90 };
    const CRM: OwedRow<'_> = OwedRow { lane: Raw(b"\x03crm"), since: 5, note: Raw(b"\0") };
    const WAITING: OwedRow<'_> = OwedRow { note: Raw(b"\x01acme"), ..CRM };

    fn database() -> Database {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut owed = transaction.open_table(OWED).unwrap();
            for (work, row) in [(1_u64, CRM), (2, CRM), (3, WAITING)] {
                owed.insert(work, owed_rows::spelled(&row).as_slice()).unwrap();
            }
            owed.insert(4_u64, &b"torn"[..]).unwrap();
            transaction.open_table(DEAD).unwrap().insert(5_u64, 2_u8).unwrap();
            transaction.open_table(META).unwrap();
        }
        transaction.commit().unwrap();
        database
    }

    fn load(database: &Database, left: Option<(Point, Sums)>) -> Sums {
        Sums::load(&database.begin_read().unwrap(), left).unwrap()
    }

    fn write(database: &Database, sums: &mut Sums, (as_of, applied): (Point, Point), more: &Moved) {
        let transaction = database.begin_write().unwrap();
        sums.write(&transaction, as_of, more).unwrap();
        transaction.open_table(META).unwrap().insert(APPLIED, applied.write()).unwrap();
        transaction.commit().unwrap();
    }

    fn numbers(sums: &Sums) -> (Vec<u64>, Vec<u64>) {
        let Totals { owed, dead } = sums.totals();
        (owed.into_values().collect(), dead.into_values().collect())
    }

    #[test]
    fn rows_are_counted_by_lane_and_note_and_letters_by_kind() {
        let Totals { owed, dead } = load(&database(), None).totals();
        let key = |row: OwedRow<'_>| (row.lane.0.to_vec(), row.note.0.to_vec());
        assert_eq!(owed, BTreeMap::from([(key(CRM), 2), (key(WAITING), 1)]));
        assert_eq!(dead, BTreeMap::from([(2, 1)]));
    }

    #[test]
    fn what_a_checkpoint_changes_itself_is_written_down_with_it() {
        let database = database();
        let mut sums = load(&database, None);
        let mut moved = Moved::default();
        moved.owed(CRM, -2);
        moved.owed(WAITING, 4);
        moved.dead(1, 1);
        write(&database, &mut sums, (HERE, HERE), &moved);
        sums.apply(&moved);

        assert_eq!(numbers(&sums), (vec![5], vec![1, 1]));
        let again = load(&database, None);
        assert_eq!(again.sums, sums.sums);
        assert_eq!(Totals::written(&database.begin_read().unwrap()).unwrap(), Some(sums.totals()));
    }

    #[test]
    fn what_was_written_down_before_the_last_commits_is_counted_again() {
        let database = database();
        let mut sums = Sums::default();
        let mut moved = Moved::default();
        moved.owed(OwedRow { lane: Raw(b"\x03erp"), ..CRM }, 7);
        write(&database, &mut sums, (Point::START, HERE), &moved);
        sums.apply(&moved);

        let mut left = Sums::default();
        left.apply(&moved);
        assert_eq!(numbers(&load(&database, Some((HERE, left)))), (vec![7], vec![]));
        assert_eq!(Totals::written(&database.begin_read().unwrap()).unwrap(), None);
        let mut again = load(&database, Some((Point::START, sums)));
        assert_eq!(numbers(&again), (vec![2, 1], vec![1]), "nobody has to believe it");
        write(&database, &mut again, (HERE, HERE), &Moved::default());
        assert_eq!(load(&database, None).sums, again.sums, "nothing is left of what was wrong");
    }

    #[test]
    fn a_number_that_went_wrong_stays_at_nothing() {
        let mut sums = load(&database(), None);
        let mut moved = Moved::default();
        moved.owed(CRM, -9);
        sums.apply(&moved);
        assert_eq!(numbers(&sums), (vec![1], vec![1]));
    }
}
