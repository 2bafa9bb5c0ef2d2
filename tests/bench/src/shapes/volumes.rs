//! The log in redb files of 256 MiB, of which the newest is written, a synced transaction a group.
//!
//! The rows are the keeper's. A full volume is closed aside.

use std::path::{Path, PathBuf};

use redb::Database;

use super::hot::{HotFile, Job, Keeper, Place};
use super::table::{self, LOG};
use super::{Shape, VOLUME_BYTES, volume_at, volumes_in};

const ENDING: &str = ".redb-log";

pub(super) struct Volumes {
    folder: PathBuf,
    newest: Database,
    bytes: u64,
    end: u64,
    keeper: Keeper,
}

impl Volumes {
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let hot = HotFile::open(folder)?;
        let applied = hot.applied()?;
        let mut firsts = volumes_in(folder, ENDING)?;
        let first = firsts.pop().unwrap_or(0);
        // The rows of these are not in the file yet.
        let mut next = first;
        while next > applied.end
            && let Some(older) = firsts.pop()
        {
            table::read_from(&table::open(&volume_at(folder, older, ENDING))?, applied.end)?;
            next = older;
        }
        let file = volume_at(folder, first, ENDING);
        let newest = table::open(&file)?;
        table::read_from(&newest, applied.end)?;
        let end = table::end(&newest)?.unwrap_or(first);
        let place = Place { end, ..Place::default() };
        hot.apply(applied.end..end, place)?;
        let bytes = std::fs::metadata(&file)?.len();
        let keeper = Keeper::start(hot, place);
        Ok(Self { folder: folder.to_owned(), newest, bytes, end, keeper })
    }
}

impl Shape for Volumes {
    fn end(&self) -> u64 {
        self.end
    }

    fn commit(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let transaction = self.newest.begin_write()?;
        transaction.open_table(LOG)?.insert(self.end, bytes)?;
        transaction.commit()?;
        self.end += 1;
        self.bytes += bytes.len() as u64;
        self.keeper.send(Job::Committed(Place { end: self.end, ..Place::default() }))?;
        if self.bytes >= VOLUME_BYTES {
            let next = table::open(&volume_at(&self.folder, self.end, ENDING))?;
            std::fs::File::open(&self.folder)?.sync_all()?;
            let full = std::mem::replace(&mut self.newest, next);
            self.keeper
                .send(Job::Other(Box::new(move || full.close().map_err(anyhow::Error::from))))?;
            self.bytes = 0;
        }
        Ok(())
    }
}
