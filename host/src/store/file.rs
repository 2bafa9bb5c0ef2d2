//! What lies under the store: the log in volumes, and a file of rows that say what stands where and
//! how works stand.
//!
//! The one room that knows redb, and no more of what is stored than the tables: nothing of redb
//! leaves it. A commit is durable when its frame is in the log; its rows follow without a sync, and
//! become durable with the next checkpoint. One process has the files open at a time: a second
//! gateway on the same folder is refused.

pub(super) mod backend;
pub(super) mod backup;
pub(super) mod blank_rows;
mod catch_up;
pub(super) mod change;
mod counts;
pub(super) mod death_rows;
pub(super) mod failure;
pub(super) mod folder;
mod glances;
pub(super) mod id_rows;
mod identity;
pub(super) mod index_rows;
pub(super) mod inspection;
mod journal;
pub(super) mod kept_rows;
mod live;
pub(super) mod migrate;
mod open_error;
mod opener;
mod opening;
mod overlay;
pub(super) mod owed_rows;
mod place;
pub(super) mod rebuild;
pub(super) mod redo;
mod schema;
mod spot;
mod summed;
mod sums;
mod tables;
pub(super) mod totals;
pub(super) mod upgrade;
pub(super) mod view;
pub(super) mod volumes;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};

use redb::{Database, ReadableDatabase};

use self::change::Change;
use self::failure::away;
use self::glances::Glances;
pub(super) use self::journal::CHECKPOINT_BYTES;
use self::journal::Journal;
pub use self::open_error::OpenError;
pub(super) use self::opening::Reopened;
use self::place::Place;
pub(super) use self::schema::{
    END, EVENTS_GONE, FIRST_POSITION, LOW_WATER, RETENTION, SWEPT_TO, TOLD, UNREAD_WIDTH,
};
use self::totals::Totals;
use self::view::View;
use self::volumes::Volumes;
use super::damage::Damages;
use super::error::{Error, Failure};
use crate::lock::lock;
use crate::master_key::MasterKey;

const FILE_NAME: &str = "hookgate.redb";

/// The open files, until they are closed.
pub(super) struct File {
    /// Where commits go; `None` while nothing can be committed.
    journal: Mutex<Option<Journal>>,
    connection: RwLock<Connection>,
    place: Place,
    /// The beginning of the file of rows as the last commit left it.
    begin: Mutex<Option<Begin>>,
    /// When the files were last seen to be the store's.
    glances: Glances,
    /// How far the log has come: a [`Point`](volumes::Point).
    reached: AtomicU64,
    damages: Arc<Damages>,
    /// The store's tag, below 2^30.
    pub(super) tag: u32,
}

/// How the file of rows begins.
struct Begin {
    bytes: Vec<u8>,
    /// How often redb had written to the file then.
    writes: u64,
}

/// When a volume is full, and when a checkpoint is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// A volume with this many bytes is full.
    pub(super) volume_bytes: u64,
    /// With this many bytes of frames since the last checkpoint, the next is due.
    pub(super) checkpoint_bytes: u64,
}

#[derive(Debug)]
enum Connection {
    Open(Opened),
    /// Is being opened anew.
    Away,
    Closed,
}

#[derive(Debug)]
struct Opened {
    database: Database,
    volumes: Volumes,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("path", &self.place.path).finish_non_exhaustive()
    }
}

impl File {
    /// Whether the files still lie where they were opened, and nobody else has written to the log.
    /// What is written to a file that was removed is in no file that a start would find.
    pub(super) fn check_spot(&self) -> Result<(), Error> {
        self.place.check_spot()?;
        match &*lock(&self.journal) {
            Some(journal) => Ok(journal.check_place()?),
            None => Ok(()),
        }
    }

    /// The same, without waiting for a commit that is under way: that one checks by itself.
    pub(super) fn glance(&self) -> Result<(), Error> {
        self.glance_and(|| Ok(()))
    }

    /// The same, and whether nobody else has written to the file of rows. Those who ask within a
    /// millisecond share a look: to look costs more than to find an event id.
    pub(super) fn glance_for_many(&self) -> Result<(), Error> {
        self.glances.share(|| self.glance_and(|| self.check_begin()))
    }

    /// Between two commits also asks for what a commit changes.
    fn glance_and(&self, also: impl FnOnce() -> Result<(), Failure>) -> Result<(), Error> {
        self.place.check_spot()?;
        let journal = match self.journal.try_lock() {
            Ok(journal) => journal,
            Err(TryLockError::Poisoned(left)) => left.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        let Some(journal) = &*journal else { return Err(away().into()) };
        journal.check_place()?;
        Ok(also()?)
    }

    /// Commits a change, and sees to it that what another program writes is noticed. A change that
    /// adds nothing to the log is durable by a checkpoint.
    pub(super) fn commit(&self, change: Change) -> Result<(), Error> {
        let mut journal = lock(&self.journal);
        let journal = journal.as_mut().ok_or_else(away)?;
        let committed = journal.commit(change);
        self.note_begin();
        committed?;
        self.reached.store(journal.applied().write(), Ordering::Relaxed);
        Ok(())
    }

    /// Makes all rows durable, and removes the volumes that none of them points into.
    pub(super) fn checkpoint(&self) -> Result<(), Error> {
        self.commit(self.write()?)?;
        // If the file of rows was removed, a start may find an older one, and its rows may point
        // into these volumes.
        self.check_spot()?;
        lock(&self.journal).as_mut().ok_or_else(away)?.remove_dead();
        Ok(())
    }

    /// The same if it is due; says whether it was.
    pub(super) fn checkpoint_if_due(&self) -> Result<bool, Error> {
        let is_due = lock(&self.journal).as_ref().is_some_and(Journal::is_checkpoint_due);
        if is_due {
            self.checkpoint()?;
        }
        Ok(is_due)
    }

    /// Whether the log says something that the next start would have to make in the rows again.
    pub(super) fn is_behind(&self) -> bool {
        lock(&self.journal).as_ref().is_some_and(Journal::is_behind)
    }

    /// Whether all volumes that are encrypted can be opened; if not, why.
    pub(super) fn check_unlocked(&self) -> Result<(), Failure> {
        self.with(|opened| opened.volumes.check_unlocked())
    }

    /// Goes on with these master keys.
    pub(super) fn set_master_keys(&self, keys: Vec<MasterKey>) {
        self.place.keys.replace(keys);
    }

    /// Has the first master key seal the keys of all volumes that another sealed; gives how many
    /// there were.
    pub(super) fn renew_seals(&self) -> Result<u64, Failure> {
        // Not under the lock: it writes to the disk.
        let volumes = self.with(|opened| Ok::<_, Failure>(opened.volumes.clone()))?;
        volumes.renew_seals()
    }

    /// Writes a little, to see whether the files can be written.
    pub(super) fn probe(&self) -> Result<(), Error> {
        lock(&self.journal).as_mut().ok_or_else(away)?.probe()?;
        self.checkpoint()
    }

    /// What comes next goes to new volumes.
    pub(super) fn leave_volumes(&self) -> Result<(), Error> {
        Ok(lock(&self.journal).as_mut().ok_or_else(away)?.leave_volumes()?)
    }

    /// How long the file of rows is, if it is a file of the system.
    pub(super) fn rows_bytes(&self) -> Option<u64> {
        self.place.begin()?;
        std::fs::metadata(&self.place.path).ok().map(|of| of.len())
    }

    /// Notes how the file of rows begins. Most commits write nothing to it: their rows stay in
    /// memory until a checkpoint.
    fn note_begin(&self) {
        let writes = self.place.writes();
        let mut begin = lock(&self.begin);
        if begin.as_ref().is_none_or(|begin| begin.writes != writes) {
            *begin = self.place.begin().map(|bytes| Begin { bytes, writes });
        }
    }

    /// Whether nobody else has written to the file of rows. Between two commits nobody but another
    /// program writes.
    pub(super) fn check_begin(&self) -> Result<(), Failure> {
        let begin = lock(&self.begin);
        match (&*begin, self.place.begin()) {
            (Some(left), Some(now)) if left.bytes != now => {
                Err(Failure::Overwritten { path: self.place.path.clone() })
            }
            _ => Ok(()),
        }
    }

    fn put(&self, connection: Connection) -> Connection {
        let mut current = self.connection.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, connection)
    }

    fn with<T, E>(&self, ask: impl FnOnce(&Opened) -> Result<T, E>) -> Result<T, Failure>
    where
        Failure: From<E>,
    {
        match &*self.connection.read().unwrap_or_else(PoisonError::into_inner) {
            Connection::Open(opened) => Ok(ask(opened)?),
            Connection::Away => Err(away()),
            Connection::Closed => Err(Failure::Closed),
        }
    }

    /// How many works are open before the low-water mark, by lane and note, and how many are dead,
    /// by kind. Nothing while the files are being opened anew.
    pub(super) fn totals(&self) -> Totals {
        lock(&self.journal).as_ref().map(Journal::totals).unwrap_or_default()
    }

    /// A view of what is committed, which stays as it is.
    pub(super) fn read(&self) -> Result<View, Failure> {
        self.with(|Opened { database, volumes }| {
            loop {
                let shown = volumes.shown();
                let transaction = database.begin_read()?;
                // If no volume came or went meanwhile, there is one for each row.
                if Arc::ptr_eq(&shown, &volumes.shown()) {
                    return Ok::<_, Failure>(View::of(transaction, shown));
                }
            }
        })
    }

    /// An empty change.
    pub(super) fn write(&self) -> Result<Change, Failure> {
        self.check_begin()?;
        let transaction = self.with(|opened| opened.database.begin_write())?;
        lock(&self.journal).as_ref().ok_or_else(away)?.check()?;
        Ok(Change::of(transaction))
    }

    /// Lets the files go: they can be opened again. Everything after this is [`Error::Closed`].
    pub(super) fn close(&self) {
        // Until all of it is closed.
        let _held = self.place.leave();
        let overwritten = self.check_begin();
        drop(lock(&self.journal).take());
        let Connection::Open(Opened { database, .. }) = self.put(Connection::Closed) else {
            return;
        };
        if overwritten.is_err() {
            // To close it is to write to it, and it is no longer ours. The process's end lets it
            // go.
            std::mem::forget(database);
            return;
        }
        // What was committed is safe already; a failure here only makes the next start slower.
        if let Err(error) = database.close() {
            tracing::warn!(error = %error, "the store's file was not closed cleanly");
        }
    }
}

/// Where a repair of this data folder writes the new file of rows until that is whole.
pub(crate) fn draft_in(folder: &Path) -> PathBuf {
    folder.join(rebuild::DRAFT_NAME)
}

/// Where the store of this data folder lies.
pub(crate) fn file_in(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}
