//! A redb file, and the log as a table in it: what the shapes with redb have in common.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};

/// The groups, by number.
pub(super) const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// The rows of all groups.
pub(super) const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");

/// What redb keeps in memory.
const CACHE_BYTES: usize = 64 << 20;

/// Opens a file, or makes it.
pub(super) fn open(file: &Path) -> anyhow::Result<Database> {
    Ok(Database::builder().set_cache_size(CACHE_BYTES).create(file)?)
}

/// Behind the last group in a file; `None` if it has none.
pub(super) fn end(database: &Database) -> anyhow::Result<Option<u64>> {
    let transaction = database.begin_read()?;
    match transaction.open_table(LOG) {
        Ok(log) => Ok(log.last()?.map(|(group, _)| group.value() + 1)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads the groups of a file from this on, as a start does; gives how many bytes they have.
pub(super) fn read_from(database: &Database, group: u64) -> anyhow::Result<usize> {
    let transaction = database.begin_read()?;
    let log = match transaction.open_table(LOG) {
        Ok(log) => log,
        Err(TableError::TableDoesNotExist(_)) => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = 0;
    for row in log.range(group..)? {
        bytes += row?.1.value().len();
    }
    Ok(bytes)
}
