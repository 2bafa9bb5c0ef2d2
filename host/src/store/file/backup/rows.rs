//! The rows of a store as parts of a backup: table by table, each key and value as redb has them.
//!
//! Every table is named here once, for those who write rows out and who put them in. A store with a
//! table that is not here is not backed up at all: a backup without it would look whole. Never
//! knows what a row says, but where segments lie.

use std::collections::{BTreeMap, BTreeSet};

use redb::{
    Key, ReadTransaction, ReadableTable, TableDefinition, TableError, TableHandle, Value,
    WriteTransaction,
};

use super::parts::{Kind, PART_BYTES};
use super::{BackupError, Sink};
use crate::store::error::Failure;
use crate::store::file::schema::{
    ANSWERS, AUDIT, BLANK, CANARIES, DEAD, DEATHS, DUE, ENDPOINTS, ERASURES, HANDLERS, IDS, INDEX,
    META, OPEN, OUTCOMES, OWED, REPLAYS, SEGMENTS, STATE, SWEPT, TOKENS, TOTALS, VOLUMES,
};
use crate::store::file::volumes::Extent;

/// Somebody who looks at each table.
trait Visit {
    type Error;

    fn table<K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), Self::Error>;
}

/// Shows every table of a store, in the order in which a backup has them.
fn each<T: Visit>(visit: &mut T) -> Result<(), T::Error> {
    visit.table(META)?;
    visit.table(SEGMENTS)?;
    visit.table(OUTCOMES)?;
    visit.table(OPEN)?;
    visit.table(OWED)?;
    visit.table(DUE)?;
    visit.table(TOTALS)?;
    visit.table(DEAD)?;
    visit.table(DEATHS)?;
    visit.table(STATE)?;
    visit.table(SWEPT)?;
    visit.table(IDS)?;
    visit.table(INDEX)?;
    visit.table(VOLUMES)?;
    visit.table(REPLAYS)?;
    visit.table(TOKENS)?;
    visit.table(AUDIT)?;
    visit.table(ANSWERS)?;
    visit.table(ENDPOINTS)?;
    visit.table(CANARIES)?;
    visit.table(HANDLERS)?;
    visit.table(ERASURES)?;
    visit.table(BLANK)
}

/// What was written of the rows.
#[derive(Debug, Default)]
pub(super) struct WrittenRows {
    pub(super) tables: u64,
    pub(super) rows: u64,
    /// Where the last segment ends in each volume that has one.
    pub(super) ends: BTreeMap<u32, u64>,
}

/// Writes the rows of all tables.
pub(super) fn write(
    transaction: &ReadTransaction,
    sink: &mut Sink<'_>,
) -> Result<WrittenRows, BackupError> {
    let found = transaction.list_tables().map_err(Failure::from)?;
    let left: BTreeSet<String> = found.map(|table| table.name().to_owned()).collect();
    let mut out = Out { transaction, sink, left, written: WrittenRows::default() };
    each(&mut out)?;
    match out.left.pop_first() {
        None => Ok(out.written),
        Some(table) => Err(BackupError::UnknownTable { table }),
    }
}

/// Writes rows out.
struct Out<'o, 's> {
    transaction: &'o ReadTransaction,
    sink: &'o mut Sink<'s>,
    /// The tables of the store that were not looked at yet.
    left: BTreeSet<String>,
    written: WrittenRows,
}

impl Visit for Out<'_, '_> {
    type Error = BackupError;

    fn table<K: Key + 'static, V: Value + 'static>(
        &mut self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<(), BackupError> {
        let table = match self.transaction.open_table(definition) {
            Ok(table) => table,
            // Nothing was put there yet.
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(Failure::from(error).into()),
        };
        let has_extents = definition.name() == SEGMENTS.name();
        self.left.remove(definition.name());
        let mut body = begin(definition.name());
        for row in table.iter().map_err(Failure::from)? {
            let (key, value) = row.map_err(Failure::from)?;
            let (key, value) = (key.value(), value.value());
            let (key, value) = (K::as_bytes(&key), V::as_bytes(&value));
            if has_extents && let Some(extent) = Extent::read(value.as_ref()) {
                let end = u64::from(extent.end().offset);
                let known = self.written.ends.entry(extent.volume).or_default();
                *known = end.max(*known);
            }
            put(&mut body, key.as_ref());
            put(&mut body, value.as_ref());
            self.written.rows += 1;
            if body.len() >= PART_BYTES {
                self.sink.part(Kind::Rows, &body)?;
                body = begin(definition.name());
            }
        }
        self.written.tables += 1;
        // Also without a row: the store has the table.
        self.sink.part(Kind::Rows, &body)
    }
}

/// The body of a part with rows of this table.
fn begin(table: &str) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, table.as_bytes());
    body
}

/// Some bytes behind their length.
fn put(body: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("a row is some MiB at most");
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(bytes);
}

/// Takes such bytes from the beginning.
fn take<'b>(left: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, rest) = left.split_first_chunk()?;
    let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *left = rest;
    Some(bytes)
}

/// Why the rows of a part were not put.
pub(super) enum NotPut {
    /// They can't be rows of a store.
    Wrong(&'static str),
    Failed(Failure),
}

impl From<Failure> for NotPut {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<redb::StorageError> for NotPut {
    fn from(error: redb::StorageError) -> Self {
        Self::Failed(error.into())
    }
}

/// Puts the rows of a part, and says how many those were.
pub(super) fn restore(transaction: &WriteTransaction, body: &[u8]) -> Result<u64, NotPut> {
    let mut rows = body;
    let name = take(&mut rows).ok_or(NotPut::Wrong("its rows are of no table"))?;
    let mut into = In { transaction, name, rows, put: None };
    each(&mut into)?;
    into.put.ok_or(NotPut::Wrong("its rows are of a table that this Hookgate does not know"))
}

/// Puts rows in.
struct In<'i> {
    transaction: &'i WriteTransaction,
    name: &'i [u8],
    rows: &'i [u8],
    /// How many rows were put, once the table was found.
    put: Option<u64>,
}

impl Visit for In<'_> {
    type Error = NotPut;

    fn table<K: Key + 'static, V: Value + 'static>(
        &mut self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<(), NotPut> {
        if definition.name().as_bytes() != self.name {
            return Ok(());
        }
        let mut table = self.transaction.open_table(definition).map_err(Failure::from)?;
        let mut put = 0;
        while !self.rows.is_empty() {
            let row = take(&mut self.rows).zip(take(&mut self.rows));
            let fits = |(key, value): &(&[u8], &[u8])| is_one::<K>(key) && is_one::<V>(value);
            let (key, value) = row.filter(fits).ok_or(NotPut::Wrong("a row of it is not whole"))?;
            table.insert(K::from_bytes(key), V::from_bytes(value)).map_err(Failure::from)?;
            put += 1;
        }
        self.put = Some(put);
        Ok(())
    }
}

/// Whether these bytes are as many as a value of this type has.
fn is_one<V: Value + 'static>(bytes: &[u8]) -> bool {
    V::fixed_width().is_none_or(|width| width == bytes.len())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// The names of the tables.
    #[derive(Default)]
    struct Names(BTreeSet<String>);

    impl Visit for Names {
        type Error = Infallible;

        fn table<K: Key + 'static, V: Value + 'static>(
            &mut self,
            table: TableDefinition<'static, K, V>,
        ) -> Result<(), Infallible> {
            self.0.insert(table.name().to_owned());
            Ok(())
        }
    }

    /// Whoever adds a table to the schema adds it here: without it, no store that has it could be
    /// backed up.
    #[test]
    fn every_table_of_the_schema_is_in_a_backup() {
        let schema = include_str!("../schema.rs");
        let named = schema.split("TableDefinition::new(\"").skip(1);
        let named: BTreeSet<String> =
            named.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect();
        let mut names = Names::default();
        assert_eq!(each(&mut names), Ok(()));
        assert_eq!(names.0, named);
    }

    #[test]
    fn bytes_are_found_behind_their_length_and_nothing_else_is() {
        let mut body = begin("meta");
        put(&mut body, b"");
        put(&mut body, b"value");
        let mut left = &*body;
        assert_eq!([(); 3].map(|()| take(&mut left)), [&b"meta"[..], b"", b"value"].map(Some));
        assert_eq!((take(&mut left), left.len()), (None, 0));
        for mut cut in [&body[..3], &body[12..20]] {
            assert_eq!(take(&mut cut), None);
        }
    }
}
