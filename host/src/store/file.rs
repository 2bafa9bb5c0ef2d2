//! The file under the store: opening it, its tables, and what a look-up in them costs.
//!
//! Knows redb and no more of what is stored than the names of the tables. One process has the file
//! open at a time: a second gateway on the same folder is refused.

use std::fs::DirBuilder;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageBackend, TableDefinition,
    TableHandle, WriteTransaction,
};

use super::{Error, Failure};

/// What each commit added, by the first position in it: the one copy of everything that happened.
pub(super) const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// How each work stands that was ever tried, by its position.
pub(super) const OUTCOMES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("outcomes");
/// The open works before the low-water mark.
pub(super) const OPEN: TableDefinition<'_, u64, ()> = TableDefinition::new("open");
/// The dead works, each with its kind.
pub(super) const DEAD: TableDefinition<'_, u64, u8> = TableDefinition::new("dead");
/// What handlers remember, by handler, scope and key.
pub(super) const STATE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("state");
/// Facts of the store itself.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// In [`META`]: every work before this position is finished or in [`OPEN`].
pub(super) const LOW_WATER: &str = "low_water";
const FORMAT: &str = "format";
const TAG: &str = "tag";

/// The layout of the tables and all in them.
const FORMAT_KNOWN: u64 = 1;

/// The first position, so that zero is none.
const FIRST_POSITION: u64 = 1;

/// Pages that redb keeps in memory.
const CACHE_BYTES: usize = 64 << 20;

const FILE_NAME: &str = "hookgate.redb";

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
#[derive(Debug)]
pub(super) struct File {
    database: RwLock<Option<Database>>,
    /// The store's tag, below 2^30.
    pub(super) tag: u32,
}

impl File {
    /// Opens the file in this folder, or makes both.
    pub(super) fn open(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE_NAME);
        create_folder(folder)?;
        let database = builder().create(&path).map_err(|error| refused(&path, error))?;
        Self::check(database, &path)
    }

    /// Opens what a backend holds; `folder` is for messages.
    pub(super) fn open_on(backend: impl StorageBackend, folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE_NAME);
        let database =
            builder().create_with_backend(backend).map_err(|error| refused(&path, error))?;
        Self::check(database, &path)
    }

    fn check(database: Database, path: &Path) -> Result<Self, OpenError> {
        let failed =
            |source: Failure| OpenError::Failed { path: path.to_owned(), source: source.into() };
        match read_identity(&database).map_err(failed)? {
            Identity::None => {
                let tag = fastrand::u32(..1 << 30);
                create_tables(&database, tag).map_err(failed)?;
                Ok(Self { database: RwLock::new(Some(database)), tag })
            }
            Identity::Known { tag } => Ok(Self { database: RwLock::new(Some(database)), tag }),
            Identity::Newer { found } => Err(OpenError::Newer { path: path.to_owned(), found }),
            Identity::Foreign => Err(OpenError::Foreign { path: path.to_owned() }),
        }
    }

    /// A view of what is committed, which stays as it is.
    pub(super) fn read(&self) -> Result<ReadTransaction, Error> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(Error::Closed)?;
        Ok(database.begin_read().map_err(Failure::from)?)
    }

    /// A transaction, synced when it commits.
    pub(super) fn write(&self) -> Result<WriteTransaction, Error> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(Error::Closed)?;
        Ok(database.begin_write().map_err(Failure::from)?)
    }

    /// Lets the file go: it can be opened again. Everything after this is [`Error::Closed`].
    pub(super) fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        // What was committed is safe already; a failure here only makes the next start slower.
        if let Some(Err(error)) = database.map(Database::close) {
            tracing::warn!(error = %error, "the store's file was not closed cleanly");
        }
    }
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Only the gateway's own user may look inside: receipts hold what customers paid.
fn create_folder(folder: &Path) -> Result<(), OpenError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let created = builder.recursive(true).create(folder);
    created.map_err(|source| OpenError::Folder { path: folder.to_owned(), source })
}

fn refused(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { path },
        error => OpenError::Failed { path, source: Failure::from(error).into() },
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

fn create_tables(database: &Database, tag: u32) -> Result<(), Failure> {
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
        super::known_ids::create(&transaction)?;
    }
    Ok(transaction.commit()?)
}
