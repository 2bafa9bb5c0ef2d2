//! The rows in a file of their own: written aside and not synced, with a checkpoint every second.
//!
//! What is behind the last checkpoint is lost by a kill, and a start makes it again from the log.
//! The keeper is a thread beside the one that commits, so that no commit waits for a checkpoint.

use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use redb::{Database, Durability, ReadableDatabase, TableDefinition, TableError};

use super::groups::rows;
use super::table::{self, ROWS};

/// Between two checkpoints.
const CHECKPOINT: Duration = Duration::from_secs(1);
/// For so long the rows of more groups join a transaction.
const LINGER: Duration = Duration::from_millis(5);
/// Jobs that may wait; a commit waits for room.
const JOBS_MAX: usize = 4096;

/// Up to where rows are applied.
const APPLIED: TableDefinition<'_, (), (u64, u64, u64)> = TableDefinition::new("applied");

/// Where a log has come to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// How many groups it has.
    pub(super) end: u64,
    /// The first group of the volume that the last is in, and where that ends in it: for a log
    /// that is not found by number.
    pub(super) volume: u64,
    pub(super) offset: u64,
}

/// How a transaction is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    Unsynced,
    Checkpoint,
}

pub(super) struct HotFile(Database);

impl HotFile {
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self(table::open(&folder.join("hot.redb"))?))
    }

    /// The log as far as its rows are here.
    pub(super) fn applied(&self) -> anyhow::Result<Place> {
        let transaction = self.0.begin_read()?;
        let table = match transaction.open_table(APPLIED) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Place::default()),
            Err(error) => return Err(error.into()),
        };
        let (end, volume, offset) = table.get(())?.map_or((0, 0, 0), |place| place.value());
        Ok(Place { end, volume, offset })
    }

    /// Makes the rows of these groups, up to `place`.
    pub(super) fn apply(&self, groups: Range<u64>, place: Place) -> anyhow::Result<()> {
        self.write(groups, place, Write::Unsynced)
    }

    fn write(&self, groups: Range<u64>, place: Place, how: Write) -> anyhow::Result<()> {
        let mut transaction = self.0.begin_write()?;
        match how {
            Write::Unsynced => transaction.set_durability(Durability::None)?,
            Write::Checkpoint => transaction.set_quick_repair(true),
        }
        {
            let mut table = transaction.open_table(ROWS)?;
            for (key, value) in groups.flat_map(rows) {
                table.insert(key, value.as_slice())?;
            }
            let Place { end, volume, offset } = place;
            transaction.open_table(APPLIED)?.insert((), (end, volume, offset))?;
        }
        Ok(transaction.commit()?)
    }
}

/// What there is to do aside.
pub(super) enum Job {
    /// The log has come to this: its rows are to be made.
    Committed(Place),
    /// Something of the log's own.
    Other(Box<dyn FnOnce() -> anyhow::Result<()> + Send>),
}

/// The thread that keeps the rows.
pub(super) struct Keeper(SyncSender<Job>);

impl Keeper {
    /// Goes on from where the rows are.
    pub(super) fn start(hot: HotFile, applied: Place) -> Self {
        let (jobs, waiting) = sync_channel(JOBS_MAX);
        std::thread::spawn(move || {
            if let Err(error) = keep(&hot, applied, &waiting) {
                eprintln!("the keeper failed: {error:#}");
                std::process::exit(1);
            }
        });
        Self(jobs)
    }

    pub(super) fn send(&self, job: Job) -> anyhow::Result<()> {
        self.0.send(job).map_err(|_| anyhow!("the keeper has ended"))
    }
}

fn keep(hot: &HotFile, mut applied: Place, jobs: &Receiver<Job>) -> anyhow::Result<()> {
    let mut checkpoint = Instant::now() + CHECKPOINT;
    loop {
        let mut until = checkpoint;
        let mut place = None;
        loop {
            match jobs.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Job::Committed(at)) => {
                    if place.replace(at).is_none() {
                        until = until.min(Instant::now() + LINGER);
                    }
                }
                Ok(Job::Other(perform)) => perform()?,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
        let how = if Instant::now() < checkpoint { Write::Unsynced } else { Write::Checkpoint };
        if place.is_some() || how == Write::Checkpoint {
            let place = place.unwrap_or(applied);
            hot.write(applied.end..place.end, place, how)?;
            applied = place;
        }
        if how == Write::Checkpoint {
            checkpoint = Instant::now() + CHECKPOINT;
        }
    }
}
