//! Whether a file is a store that can be opened, and how a new one is made.
//!
//! Looks at nothing but how the file begins and the facts in it. A new file is whole before it has
//! its name: one that has it was a store once. Never changes a file that is there.

use std::fs::{DirBuilder, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};

use redb::{Database, DatabaseError, ReadableDatabase, TableHandle};

use super::backend::Medium;
use super::death_rows::DEATHS_KNOWN;
use super::failure::{guarded, is_cut};
use super::schema::{
    DEAD, DUE, END, FIRST_POSITION, FORMAT, FORMAT_2, FORMAT_KNOWN, IDS, LOW_WATER, META, OPEN,
    OUTCOMES, OWED, REPLAYS, SEGMENTS, STATE, SWEPT, TAG, TOTALS,
};
use super::volumes::first_tag;
use crate::store::error::{Error, Failure};

/// Every file of redb begins so.
const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// Pages that redb keeps in memory.
const CACHE_BYTES: usize = 64 << 20;
/// The format that can be converted to the one before this.
const FORMAT_1: u64 = 1;

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
    #[error(
        "the store {} has format {found}; this Hookgate knows formats up to {FORMAT_KNOWN}",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// It has an older format, and whoever asks does not convert it.
    #[error(
        "the store {} has format {found}, and this command reads format {FORMAT_KNOWN} only: start \
         the gateway once, which converts it",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// The log of a store is there, and its rows are not.
    #[error(
        "the store's file {} is missing, but {} belongs to it: put the file back, or move all \
         files named volume-*.hgv to another folder; if the file is lost, `hookgate store repair` \
         makes a new one",
        path.display(),
        volume.display()
    )]
    Headless {
        /// The file.
        path: PathBuf,
        /// A file of the log.
        volume: PathBuf,
    },
    /// The conversion to format 2 would put the old file in the place of another.
    #[error(
        "the store {} has format 1, and the gateway can't convert it to format 2, because it would \
         rename this file to {}, which exists already: move that file to another folder",
        path.display(),
        kept.display()
    )]
    KeptBefore {
        /// The store.
        path: PathBuf,
        /// The place.
        kept: PathBuf,
    },
    /// A store of format 1 lies beside the log of another.
    #[error(
        "the store {} has format 1, and the gateway can't convert it to format 2, because {} \
         belongs to another store: move all files named volume-*.hgv to another folder",
        path.display(),
        volume.display()
    )]
    Mixed {
        /// The store.
        path: PathBuf,
        /// A file of the log.
        volume: PathBuf,
    },
    /// The conversion to format 2 needs more room than the disk has.
    #[error(
        "the store {} has format 1, and to convert it to format 2 the gateway needs {needed_mib} \
         MiB on the disk, which has {free_mib} MiB left",
        path.display()
    )]
    NoRoom {
        /// The store.
        path: PathBuf,
        /// How much it takes.
        needed_mib: u64,
        /// How much there is.
        free_mib: u64,
    },
    /// The store can't be read, or the disk can't take what it becomes.
    #[error("failed to convert the store {} to format 2; it still has format 1", path.display())]
    Unconverted {
        /// The store.
        path: PathBuf,
        /// Why not.
        source: Error,
    },
    /// The store can't be read or written on the way from format 2 to this one.
    #[error(
        "failed to upgrade the store {} to format {FORMAT_KNOWN}; the next start goes on",
        path.display()
    )]
    Unfinished {
        /// The store.
        path: PathBuf,
        /// Why not.
        source: Error,
    },
    /// It is damaged as a whole.
    #[error(
        "failed to open the store {}, which is damaged: `hookgate store repair` makes a new file \
         from the volumes beside it",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Error,
    },
    /// A file that is not a store lies beside the log of one.
    #[error(
        "{} is damaged, or is not a store of Hookgate: `hookgate store repair` makes a new file \
         from the volumes beside it",
        path.display()
    )]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// No new file of rows can be made. The store is as it was.
    #[error("failed to repair the store {}; it is as it was", path.display())]
    Unrepaired {
        /// The store.
        path: PathBuf,
        /// Why not.
        source: Error,
    },
    /// Nothing is left to make a file of rows from.
    #[error("the folder {} has no volume of a store that can be read", folder.display())]
    NoLog {
        /// The folder.
        folder: PathBuf,
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

/// What a file is.
pub(super) enum Identity {
    /// Nothing yet.
    None,
    /// A store of this format.
    Known {
        tag: u32,
    },
    /// A store of the format before, which becomes one of this format where it lies.
    Before {
        tag: u32,
    },
    /// A store of format 1, which has to be converted first.
    Older {
        tag: u32,
    },
    Newer {
        found: u64,
    },
    Foreign,
}

pub(super) fn failed(path: &Path, source: Failure) -> OpenError {
    OpenError::because(path, source.into())
}

impl OpenError {
    /// What it is that the store at this place can't be opened for this reason.
    pub(in crate::store) fn because(path: &Path, source: Error) -> Self {
        let path = path.to_owned();
        let is_damaged = match &source {
            Error::Damaged(_) => true,
            Error::Failed(why) => {
                matches!(**why, Failure::Access { .. } | Failure::DamagedIds { .. })
            }
            Error::Unavailable(why) => is_cut(why),
            _ => false,
        };
        if is_damaged { Self::Damaged { path, source } } else { Self::Failed { path, source } }
    }
}

/// What a file is that is not a store: beside the log of one it may have been its rows.
pub(super) fn foreign(medium: &dyn Medium, path: PathBuf) -> OpenError {
    match first_tag(medium) {
        Ok(Some(_)) => OpenError::Unknown { path },
        _ => OpenError::Foreign { path },
    }
}

pub(super) fn refused(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { path },
        error => failed(&path, error.into()),
    }
}

pub(super) fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

pub(super) fn open_database(path: &Path) -> Result<Database, DatabaseError> {
    guarded(|| builder().open(path))
}

/// Only the gateway's own user may look inside: receipts hold what customers paid.
pub(super) fn create_folder(folder: &Path) -> Result<(), OpenError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let created = builder.recursive(true).create(folder);
    created.map_err(|source| OpenError::Folder { path: folder.to_owned(), source })
}

/// Keeps every other gateway out of a folder while what this gives lives. `None` where folders
/// can't be locked: there the file of rows is, while it is open. `path` is for messages.
pub(super) fn hold_folder(folder: &Path, path: &Path) -> Result<Option<std::fs::File>, OpenError> {
    let Ok(held) = std::fs::File::open(folder) else { return Ok(None) };
    match held.try_lock() {
        Ok(()) => Ok(Some(held)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Whether a new store can be made there: where there is a log, a new one would not be it.
pub(super) fn check_vacant(medium: &dyn Medium, path: &Path) -> Result<(), OpenError> {
    let names = medium.names().map_err(|source| failed(path, source.into()))?;
    let Some(volume) = names.iter().find(|name| is_volume(name)) else { return Ok(()) };
    Err(OpenError::Headless { path: path.to_owned(), volume: path.with_file_name(volume) })
}

/// Whether a file has the name of a volume, whoever it belongs to.
pub(super) fn is_volume(name: &str) -> bool {
    name.starts_with("volume-") && name.ends_with(".hgv")
}

/// Makes the file whole before it has its name.
pub(super) fn create_file(folder: &Path, path: &Path) -> Result<(), OpenError> {
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

pub(super) fn create_tables(database: &Database) -> Result<(), Failure> {
    let tag = fastrand::u32(..1 << 30);
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(FORMAT, FORMAT_KNOWN)?;
        meta.insert(TAG, u64::from(tag))?;
        meta.insert(LOW_WATER, FIRST_POSITION)?;
        meta.insert(END, FIRST_POSITION)?;
        transaction.open_table(SEGMENTS)?;
        transaction.open_table(OUTCOMES)?;
        transaction.open_table(OPEN)?;
        transaction.open_table(OWED)?;
        transaction.open_table(DUE)?;
        transaction.open_table(TOTALS)?;
        transaction.open_table(DEAD)?;
        meta.insert(DEATHS_KNOWN, 1_u64)?;
        transaction.open_table(STATE)?;
        transaction.open_table(SWEPT)?;
        transaction.open_table(IDS)?;
        transaction.open_table(REPLAYS)?;
    }
    Ok(transaction.commit()?)
}

/// Whether the file begins as every file of redb.
pub(super) fn is_redb(path: &Path) -> Result<bool, OpenError> {
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

pub(super) fn read_identity(database: &Database) -> Result<Identity, Failure> {
    guarded(|| -> Result<Identity, Failure> {
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
            (Some(FORMAT_2), Some(tag)) => Identity::Before { tag },
            (Some(FORMAT_1), Some(tag)) => Identity::Older { tag },
            (Some(found), _) if found > FORMAT_KNOWN => Identity::Newer { found },
            _ => Identity::Foreign,
        })
    })
}
