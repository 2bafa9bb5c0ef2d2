//! The file under the store: opening it, its tables, and what a look-up in them costs.
//!
//! The one room that knows redb, and no more of what is stored than the tables: nothing of redb
//! leaves it. One process has the file open at a time: a second gateway on the same folder is
//! refused.

pub(super) mod backend;
pub(super) mod change;
mod failure;
#[allow(dead_code, reason = "the store moves to volumes in the changes that follow")]
pub(super) mod folder;
pub(super) mod id_rows;
mod spot;
pub(super) mod view;
#[allow(dead_code, unused_imports, reason = "the store moves to volumes in what follows")]
pub(super) mod volumes;

use std::fs::DirBuilder;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition,
    TableHandle,
};

use self::backend::{Lent, Medium};
use self::change::Change;
use self::failure::access;
use self::id_rows::IdsKey;
use self::spot::Spot;
use self::view::View;
use super::error::{Error, Failure};
use super::rows::Rows;
use crate::lock::lock;

/// What each commit added, by the first position in it: the one copy of everything that happened.
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// How each work stands that was ever tried, by its position.
const OUTCOMES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("outcomes");
/// The open works before the low-water mark.
const OPEN: TableDefinition<'_, u64, ()> = TableDefinition::new("open");
/// The dead works, each with its kind.
const DEAD: TableDefinition<'_, u64, u8> = TableDefinition::new("dead");
/// What handlers remember, by handler, scope and key.
const STATE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("state");
/// The segments that were packed, each with when to look at it again and its bytes.
const SWEPT: TableDefinition<'_, u64, (u64, u64)> = TableDefinition::new("swept");
/// The known event ids: sorted runs by number, part and first id, and under number zero the mark.
const IDS: TableDefinition<'_, IdsKey, &[u8]> = TableDefinition::new("ids");
/// Facts of the store itself.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// In [`META`]: every work before this position is finished or in [`OPEN`].
pub(super) const LOW_WATER: &str = "low_water";
/// In [`META`]: every segment before this position is in [`SWEPT`].
pub(super) const SWEPT_TO: &str = "swept_to";
/// In [`META`]: the [`super::keep::retention::Retention::mark`] that [`SWEPT`] goes by.
pub(super) const RETENTION: &str = "retention";
/// In [`META`]: the time as it was last believed, in milliseconds.
pub(super) const TOLD: &str = "told";
const FORMAT: &str = "format";
const TAG: &str = "tag";

/// The layout of the tables and all in them.
const FORMAT_KNOWN: u64 = 1;

/// The first position, so that zero is none.
const FIRST_POSITION: u64 = 1;

/// Pages that redb keeps in memory.
const CACHE_BYTES: usize = 64 << 20;

const FILE_NAME: &str = "hookgate.redb";
/// Every file of redb begins so.
const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder can't be made.
    #[error("failed to create the data folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another gateway runs on it.
    #[error("the store {} is in use by another gateway", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else's database.
    #[error("{} is not a store of Hookgate", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer Hookgate wrote it.
    #[error("the store {} has format {found}; this Hookgate knows formats up to {FORMAT_KNOWN}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// The writer can't be started.
    #[error("failed to start the store's writer thread")]
    Thread {
        /// Why not.
        source: std::io::Error,
    },
    /// The file can't be opened or read.
    #[error("failed to open the store {}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Error,
    },
}

/// The open file, until it is closed.
pub(super) struct File {
    connection: RwLock<Connection>,
    reopen: Box<Reopen>,
    path: PathBuf,
    /// Where it lies, if it is a file of the system.
    spot: Option<Spot>,
    /// The beginning of the file as the last commit left it.
    begin: Mutex<Option<Vec<u8>>>,
    /// The store's tag, below 2^30.
    pub(super) tag: u32,
}

type Reopen = dyn Fn() -> Result<Database, DatabaseError> + Send + Sync;

#[derive(Debug)]
enum Connection {
    Open(Database),
    /// Is being opened anew.
    Away,
    Closed,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("path", &self.path).finish_non_exhaustive()
    }
}

impl File {
    /// Opens the file in this folder, or makes both.
    pub(super) fn open(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE_NAME);
        create_folder(folder)?;
        if !path.exists() {
            create_file(folder, &path)?;
        }
        if !is_redb(&path)? {
            return Err(OpenError::Foreign { path });
        }
        let database = open_database(&path).map_err(|error| refused(&path, error))?;
        let again = path.clone();
        let reopen = move || {
            forget_pages(&again)?;
            open_database(&again)
        };
        let mut file = Self::check(path, database, Box::new(reopen))?;
        let spot = Spot::of(&file.path).map_err(|source| failed(&file.path, source.into()))?;
        file.spot = Some(spot);
        Ok(file)
    }

    /// Opens what a medium holds; `folder` is for messages.
    pub(super) fn open_on(medium: impl Medium, folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE_NAME);
        let medium = Arc::new(medium);
        let again = Arc::clone(&medium);
        let reopen = move || {
            let backend = again.open(FILE_NAME)?;
            backend.forget()?;
            builder().create_with_backend(Lent(backend))
        };
        let database = reopen().map_err(|error| refused(&path, error))?;
        let identity = read_identity(&database).map_err(|source| failed(&path, source))?;
        if matches!(identity, Identity::None) {
            create_tables(&database).map_err(|source| failed(&path, source))?;
            medium.sync_names().map_err(|source| failed(&path, source.into()))?;
        }
        Self::check(path, database, Box::new(reopen))
    }

    fn check(path: PathBuf, database: Database, reopen: Box<Reopen>) -> Result<Self, OpenError> {
        match read_identity(&database).map_err(|source| failed(&path, source))? {
            Identity::Known { tag } => {
                let connection = RwLock::new(Connection::Open(database));
                Ok(Self { connection, reopen, path, spot: None, begin: Mutex::default(), tag })
            }
            Identity::Newer { found } => Err(OpenError::Newer { path, found }),
            Identity::None | Identity::Foreign => Err(OpenError::Foreign { path }),
        }
    }

    /// Whether it still lies where it was opened. What is written to a file that was removed is in
    /// no file that a start would find.
    pub(super) fn check_spot(&self) -> Result<(), Error> {
        let Some(spot) = &self.spot else { return Ok(()) };
        Ok(spot.check(&self.path)?)
    }

    /// Commits a change, and sees to it that what another program writes is noticed.
    pub(super) fn commit(&self, change: Change) -> Result<(), Error> {
        let committed = change.commit();
        let begin = self.spot.as_ref().and_then(Spot::begin);
        *lock(&self.begin) = begin;
        Ok(committed?)
    }

    /// Between two commits nobody but another program writes.
    fn check_begin(&self) -> Result<(), Failure> {
        let begin = lock(&self.begin);
        let now = self.spot.as_ref().and_then(Spot::begin);
        match (&*begin, now) {
            (Some(left), Some(now)) if *left != now => {
                Err(Failure::Overwritten { path: self.path.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Opens the file anew after a failure, without what was not committed. It must be the same
    /// store; until it is open, everything is [`Error::Unavailable`].
    pub(super) fn reopen(&self) -> Result<(), Error> {
        *lock(&self.begin) = None;
        // Closes the old one; not under the lock, because others must not wait for the disk.
        drop(self.put(Connection::Away));
        let database = (self.reopen)().map_err(Failure::from)?;
        match read_identity(&database)? {
            Identity::Known { tag } if tag == self.tag => {
                drop(self.put(Connection::Open(database)));
                Ok(())
            }
            _ => Err(Failure::Replaced.into()),
        }
    }

    /// Writes a little, to see whether the file can be written.
    pub(super) fn probe(&self) -> Result<(), Error> {
        let change = self.write()?;
        change.remember(TAG, u64::from(self.tag))?;
        self.commit(change)
    }

    fn put(&self, connection: Connection) -> Connection {
        let mut current = self.connection.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, connection)
    }

    fn with<T, E>(&self, ask: impl FnOnce(&Database) -> Result<T, E>) -> Result<T, Failure>
    where
        Failure: From<E>,
    {
        match &*self.connection.read().unwrap_or_else(PoisonError::into_inner) {
            Connection::Open(database) => Ok(ask(database)?),
            Connection::Away => Err(access(redb::Error::PreviousIo)),
            Connection::Closed => Err(Failure::Closed),
        }
    }

    /// A view of what is committed, which stays as it is.
    pub(super) fn read(&self) -> Result<View, Failure> {
        Ok(View::of(self.with(Database::begin_read)?))
    }

    /// An empty change, synced when it is committed.
    pub(super) fn write(&self) -> Result<Change, Failure> {
        self.check_begin()?;
        Ok(Change::of(self.with(Database::begin_write)?))
    }

    /// Lets the file go: it can be opened again. Everything after this is [`Error::Closed`].
    pub(super) fn close(&self) {
        let overwritten = self.check_begin();
        let Connection::Open(database) = self.put(Connection::Closed) else { return };
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

impl<T: ReadableTable<u64, &'static [u8]>> Rows for T {
    fn row<R>(&self, number: u64, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Failure> {
        Ok(self.get(number)?.map(|row| read(row.value())))
    }

    fn last_row<R>(
        &self,
        number: u64,
        read: impl FnOnce(u64, &[u8]) -> R,
    ) -> Result<Option<R>, Failure> {
        let Some(row) = self.range(..=number)?.next_back() else { return Ok(None) };
        let (number, row) = row?;
        Ok(Some(read(number.value(), row.value())))
    }
}

/// Where the store of this data folder lies.
pub(crate) fn file_in(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// redb takes a file that was not closed at its word, and panics where one was cut short.
fn open_database(path: &Path) -> Result<Database, DatabaseError> {
    let broken = || StorageError::Corrupted("the file contradicts itself".to_owned());
    std::panic::catch_unwind(|| builder().open(path)).unwrap_or_else(|_| Err(broken().into()))
}

/// Only the gateway's own user may look inside: receipts hold what customers paid.
fn create_folder(folder: &Path) -> Result<(), OpenError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let created = builder.recursive(true).create(folder);
    created.map_err(|source| OpenError::Folder { path: folder.to_owned(), source })
}

/// Makes the file whole before it has its name: one that has it was a store once.
fn create_file(folder: &Path, path: &Path) -> Result<(), OpenError> {
    let create = || -> Result<(), Failure> {
        let draft = tempfile::Builder::new().suffix(".draft").tempfile_in(folder)?.into_temp_path();
        let database = builder().create(&draft)?;
        create_tables(&database)?;
        database.close()?;
        match draft.persist_noclobber(path) {
            // Another gateway was faster: it will be in use.
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => (),
            persisted => persisted.map_err(|error| error.error)?,
        }
        Ok(std::fs::File::open(folder)?.sync_all()?)
    };
    create().map_err(|source| failed(path, source))
}

/// Whether the file begins as every file of redb.
fn is_redb(path: &Path) -> Result<bool, OpenError> {
    let read = || -> std::io::Result<bool> {
        // To open a named pipe is to wait for a writer.
        if !std::fs::metadata(path)?.is_file() {
            return Ok(false);
        }
        let mut begin = Vec::new();
        std::fs::File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut begin)?;
        Ok(begin == MAGIC)
    };
    read().map_err(|source| failed(path, source.into()))
}

/// After a failed write the system may show what is not on the disk: it has to look there.
#[cfg(target_os = "linux")]
fn forget_pages(path: &Path) -> std::io::Result<()> {
    let file = std::fs::File::open(path)?;
    Ok(rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
fn forget_pages(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

fn failed(path: &Path, source: Failure) -> OpenError {
    OpenError::Failed { path: path.to_owned(), source: source.into() }
}

fn refused(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { path },
        error => failed(&path, error.into()),
    }
}

enum Identity {
    None,
    Known { tag: u32 },
    Newer { found: u64 },
    Foreign,
}

fn read_identity(database: &Database) -> Result<Identity, Failure> {
    let transaction = database.begin_read()?;
    let mut tables = transaction.list_tables()?.peekable();
    if tables.peek().is_none() {
        return Ok(Identity::None);
    }
    if !tables.any(|table| table.name() == META.name()) {
        return Ok(Identity::Foreign);
    }
    let Ok(meta) = transaction.open_table(META) else { return Ok(Identity::Foreign) };
    let format = meta.get(FORMAT)?.map(|format| format.value());
    let tag = meta.get(TAG)?.and_then(|tag| u32::try_from(tag.value()).ok());
    Ok(match (format, tag) {
        (Some(FORMAT_KNOWN), Some(tag)) => Identity::Known { tag },
        (Some(found), _) if found > FORMAT_KNOWN => Identity::Newer { found },
        _ => Identity::Foreign,
    })
}

fn create_tables(database: &Database) -> Result<(), Failure> {
    let tag = fastrand::u32(..1 << 30);
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(FORMAT, FORMAT_KNOWN)?;
        meta.insert(TAG, u64::from(tag))?;
        meta.insert(LOW_WATER, FIRST_POSITION)?;
        transaction.open_table(LOG)?;
        transaction.open_table(OUTCOMES)?;
        transaction.open_table(OPEN)?;
        transaction.open_table(DEAD)?;
        transaction.open_table(STATE)?;
        transaction.open_table(SWEPT)?;
        transaction.open_table(IDS)?;
    }
    Ok(transaction.commit()?)
}
