//! One redb file for everything: a group and its rows in one synced transaction.

use std::path::Path;

use redb::Database;

use super::Shape;
use super::groups::rows;
use super::table::{self, LOG, ROWS};

/// Groups that a start reads: those behind its low-water mark, as today.
const READ_AT_START: u64 = 512;

pub(super) struct OneFile {
    database: Database,
    end: u64,
}

impl OneFile {
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let database = table::open(&folder.join("all.redb"))?;
        let end = table::end(&database)?.unwrap_or(0);
        table::read_from(&database, end.saturating_sub(READ_AT_START))?;
        Ok(Self { database, end })
    }
}

impl Shape for OneFile {
    fn end(&self) -> u64 {
        self.end
    }

    fn commit(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let transaction = self.database.begin_write()?;
        {
            transaction.open_table(LOG)?.insert(self.end, bytes)?;
            let mut table = transaction.open_table(ROWS)?;
            for (key, value) in rows(self.end) {
                table.insert(key, value.as_slice())?;
            }
        }
        transaction.commit()?;
        self.end += 1;
        Ok(())
    }
}
