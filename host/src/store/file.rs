//! What lies under the store: the log in volumes, and a file of rows that say what stands where and
//! how works stand.
//!
//! The one room that knows redb, and no more of what is stored than the tables: nothing of redb
//! leaves it. A commit is durable when its frame is in the log; its rows follow without a sync, and
//! become durable with the next checkpoint. One process has the files open at a time: a second
//! gateway on the same folder is refused.

pub(super) mod backend;
pub(super) mod change;
mod counts;
pub(super) mod death_rows;
pub(super) mod failure;
pub(super) mod folder;
pub(super) mod id_rows;
mod identity;
pub(super) mod index_rows;
pub(super) mod inspection;
mod journal;
mod live;
pub(super) mod migrate;
mod overlay;
pub(super) mod owed_rows;
pub(super) mod rebuild;
pub(super) mod redo;
mod schema;
mod catch_up;
mod spot;
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

use redb::{Database, DatabaseError, ReadableDatabase};

use self::backend::{Lent, Medium};
use self::catch_up::{CaughtUp, catch_up};
use self::change::Change;
use self::counts::Counts;
use self::failure::{away, guarded};
use self::folder::{Folder, forget_pages};
pub use self::identity::OpenError;
use self::identity::{
    Identity, builder, check_vacant, create_file, create_folder, create_tables, failed, foreign,
    hold_folder, is_redb, open_database, read_identity, refused,
};
pub(super) use self::journal::CHECKPOINT_BYTES;
use self::journal::Journal;
pub(super) use self::schema::{END, LOW_WATER, RETENTION, SWEPT_TO, TOLD, UNREAD_WIDTH};
use self::spot::Spot;
use self::totals::Totals;
use self::view::View;
use self::volumes::{Point, VolumeWriter, Volumes};
use super::damage::Damages;
use super::error::{Error, Failure};
use crate::causes::chain;
use crate::lock::lock;

const FILE_NAME: &str = "hookgate.redb";

/// The open files, until they are closed.
pub(super) struct File {
    /// Where commits go; `None` while nothing can be committed.
    journal: Mutex<Option<Journal>>,
    connection: RwLock<Connection>,
    place: Place,
    /// The beginning of the file of rows as the last commit left it.
    begin: Mutex<Option<Vec<u8>>>,
    /// How far the log has come: a [`Point`].
    reached: AtomicU64,
    damages: Arc<Damages>,
    /// The store's tag, below 2^30.
    pub(super) tag: u32,
}

/// Where the files lie.
struct Place {
    /// The file of rows.
    path: PathBuf,
    /// Opens that anew.
    reopen: Box<Reopen>,
    /// Where it lies, if it is a file of the system.
    spot: Option<Spot>,
    /// What the volumes lie on.
    medium: Arc<dyn Medium>,
    sizes: Sizes,
    /// Keeps other gateways out of the folder until the files are closed for good: in an outage the
    /// file of rows, which has a lock too, is closed for a while.
    held: Mutex<Option<std::fs::File>>,
}

/// When a volume is full, and when a checkpoint is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// A volume with this many bytes is full.
    pub(super) volume_bytes: u64,
    /// With this many bytes of frames since the last checkpoint, the next is due.
    pub(super) checkpoint_bytes: u64,
}

type Reopen = dyn Fn() -> Result<Database, DatabaseError> + Send + Sync;

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

/// The rows, after the files were opened anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reopened {
    /// They are as the last commit left them.
    AsLeft,
    /// The file had lost some, and they were made again from the log. Not those of the known ids,
    /// which the log does not spell: they are as the last checkpoint left them.
    FromLog,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("path", &self.place.path).finish_non_exhaustive()
    }
}

impl File {
    /// Opens the files in this folder, or makes all of it, and converts those of format 1 to format
    /// 2. Whoever opens it has format 2 [upgraded](Self::upgrade).
    pub(super) fn open(
        folder: &Path,
        sizes: Sizes,
        damages: Arc<Damages>,
    ) -> Result<Self, OpenError> {
        let path = folder.join(FILE_NAME);
        create_folder(folder)?;
        let held = Mutex::new(hold_folder(folder, &path)?);
        migrate::finish(folder, sizes.volume_bytes)?;
        let medium: Arc<dyn Medium> = Arc::new(Folder::new(folder));
        if !path.exists() {
            check_vacant(&*medium, &path)?;
            create_file(folder, &path)?;
        }
        if !is_redb(&path)? {
            return Err(foreign(&*medium, path));
        }
        let opened = open_database(&path).map_err(|error| refused(&path, error))?;
        let database = migrate::converted(folder, sizes.volume_bytes, opened)?;
        let again = path.clone();
        let reopen = Box::new(move || {
            forget_pages(&std::fs::File::open(&again)?)?;
            open_database(&again)
        });
        let spot = Spot::of(&path).map_err(|source| failed(&path, source.into()))?;
        let place = Place { path, reopen, spot: Some(spot), medium, sizes, held };
        Self::start(place, database, damages)
    }

    /// Opens what a medium holds; `folder` is for messages.
    pub(super) fn open_on(
        medium: impl Medium,
        folder: &Path,
        sizes: Sizes,
        damages: Arc<Damages>,
    ) -> Result<Self, OpenError> {
        let path = folder.join(FILE_NAME);
        let medium: Arc<dyn Medium> = Arc::new(medium);
        let again = Arc::clone(&medium);
        let reopen = move || {
            let backend = again.open(FILE_NAME)?;
            backend.forget()?;
            guarded(|| builder().create_with_backend(Lent(backend)))
        };
        let database = reopen().map_err(|error| refused(&path, error))?;
        let identity = read_identity(&database).map_err(|source| failed(&path, source))?;
        if matches!(identity, Identity::None) {
            check_vacant(&*medium, &path)?;
            create_tables(&database).map_err(|source| failed(&path, source))?;
            medium.sync_names().map_err(|source| failed(&path, source.into()))?;
        }
        let reopen = Box::new(reopen);
        let held = Mutex::default();
        let place = Place { path, reopen, spot: None, medium, sizes, held };
        Self::start(place, database, damages)
    }

    fn start(place: Place, database: Database, damages: Arc<Damages>) -> Result<Self, OpenError> {
        let path = place.path.clone();
        let tag = match read_identity(&database).map_err(|source| failed(&path, source))? {
            Identity::Known { tag } | Identity::Before { tag } => tag,
            Identity::Newer { found } => return Err(OpenError::Newer { path, found }),
            Identity::None | Identity::Older { .. } | Identity::Foreign => {
                return Err(foreign(&*place.medium, path));
            }
        };
        let file = Self {
            journal: Mutex::default(),
            connection: RwLock::new(Connection::Away),
            place,
            begin: Mutex::default(),
            reached: AtomicU64::new(Point::START.write()),
            damages,
            tag,
        };
        file.begin_with(database).map_err(|source| OpenError::because(&path, source))?;
        Ok(file)
    }

    fn begin_with(&self, database: Database) -> Result<(), Error> {
        let volumes = self.open_volumes()?;
        self.attach(database, volumes, Point::START, None)?;
        match self.checkpoint() {
            Err(error @ Error::Unavailable(_)) => {
                // Such as a disk that is full: what is stored can be read all the same, and the
                // first commit finds out how it is then.
                let cause = chain(&error);
                tracing::warn!("the gateway starts although it can't write to the store: {cause}");
                self.renew().map(drop)
            }
            checkpointed => checkpointed,
        }
    }

    fn open_volumes(&self) -> Result<Volumes, Failure> {
        let Place { medium, sizes, .. } = &self.place;
        Volumes::open(Arc::clone(medium), self.tag, sizes.volume_bytes)
    }

    /// Takes rows that were opened, and makes the changes in them that only the log has. The log
    /// must reach at least to `least`. `left` is what the journal before this one knew. Gives the
    /// point up to which the rows had its changes before.
    fn attach(
        &self,
        database: Database,
        volumes: Volumes,
        least: Point,
        left: Option<(Point, Counts)>,
    ) -> Result<Point, Failure> {
        let CaughtUp { found, applied, end, counts } = guarded(|| {
            // Without this volume, the gateway would give its positions to other records.
            volumes.check_present(least.max(catch_up::applied(&database)?))?;
            catch_up(&database, &volumes, least, left, &self.damages)
        })?;
        let writer = VolumeWriter::at(volumes.clone(), end)?;
        let bytes = self.place.sizes.checkpoint_bytes;
        *lock(&self.journal) = Some(Journal::new(writer, volumes.clone(), counts, applied, bytes));
        drop(self.put(Connection::Open(Opened { database, volumes })));
        Ok(found)
    }

    /// Opens the files anew after a failure, without what was not committed. They must be those of
    /// the same store; until they are open, everything is [`Error::Unavailable`].
    pub(super) fn reopen(&self) -> Result<Reopened, Error> {
        let reopened = self.renew()?;
        self.checkpoint()?;
        Ok(reopened)
    }

    fn renew(&self) -> Result<Reopened, Error> {
        *lock(&self.begin) = None;
        let left = lock(&self.journal).take().map(Journal::into_left);
        let had = left.as_ref().map(|(applied, _)| *applied);
        // Closes the old ones; not under the lock, because others must not wait for the disk.
        drop(self.put(Connection::Away));
        let database = (self.place.reopen)().map_err(Failure::from)?;
        match read_identity(&database)? {
            Identity::Known { tag } | Identity::Before { tag } if tag == self.tag => (),
            _ => return Err(Failure::Replaced.into()),
        }
        let volumes = self.open_volumes()?;
        volumes.forget()?;
        let reached = Point::read(self.reached.load(Ordering::Relaxed));
        let found = self.attach(database, volumes, reached, left)?;
        Ok(if had == Some(found) { Reopened::AsLeft } else { Reopened::FromLog })
    }

    /// Whether the files still lie where they were opened, and nobody else has written to the log.
    /// What is written to a file that was removed is in no file that a start would find.
    pub(super) fn check_spot(&self) -> Result<(), Error> {
        self.check_rows_spot()?;
        match &*lock(&self.journal) {
            Some(journal) => Ok(journal.check_place()?),
            None => Ok(()),
        }
    }

    /// The same, without waiting for a commit that is under way: that one checks by itself.
    pub(super) fn glance(&self) -> Result<(), Error> {
        self.check_rows_spot()?;
        let journal = match self.journal.try_lock() {
            Ok(journal) => journal,
            Err(TryLockError::Poisoned(left)) => left.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        match &*journal {
            Some(journal) => Ok(journal.check_place()?),
            None => Err(away().into()),
        }
    }

    fn check_rows_spot(&self) -> Result<(), Failure> {
        let Place { spot, path, .. } = &self.place;
        spot.as_ref().map_or(Ok(()), |spot| spot.check(path))
    }

    /// Commits a change, and sees to it that what another program writes is noticed. A change that
    /// adds nothing to the log is durable by a checkpoint.
    pub(super) fn commit(&self, change: Change) -> Result<(), Error> {
        let mut journal = lock(&self.journal);
        let journal = journal.as_mut().ok_or_else(away)?;
        let committed = journal.commit(change);
        *lock(&self.begin) = self.begin_now();
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

    /// Writes a little, to see whether the files can be written.
    pub(super) fn probe(&self) -> Result<(), Error> {
        lock(&self.journal).as_mut().ok_or_else(away)?.probe()?;
        self.checkpoint()
    }

    fn begin_now(&self) -> Option<Vec<u8>> {
        self.place.spot.as_ref().and_then(Spot::begin)
    }

    /// Between two commits nobody but another program writes.
    fn check_begin(&self) -> Result<(), Failure> {
        let begin = lock(&self.begin);
        match (&*begin, self.begin_now()) {
            (Some(left), Some(now)) if *left != now => {
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
        let _held = lock(&self.place.held).take();
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

/// Where the store of this data folder lies.
pub(crate) fn file_in(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}
