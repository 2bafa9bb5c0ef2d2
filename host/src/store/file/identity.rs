//! Whether a file is a store that can be opened, and how a new one is made.
//!
//! Looks at nothing but how the file begins and the facts in it. A new file is whole before it has
//! its name: one that has it was a store once. Never changes a file that is there.

use std::fs::{DirBuilder, TryLockError};
use std::io::Read;
use std::path::Path;

use redb::{Database, DatabaseError, ReadableDatabase, TableHandle};

use super::backend::Medium;
use super::death_rows::DEATHS_KNOWN;
use super::failure::guarded;
use super::open_error::{OpenError, failed};
use super::schema::{
    DEAD, DUE, END, FIRST_POSITION, FORMAT, FORMAT_2, FORMAT_KNOWN, IDS, LOW_WATER, META, OPEN,
    OUTCOMES, OWED, REPLAYS, SEGMENTS, STATE, SWEPT, TAG, TOTALS,
};
use crate::store::error::Failure;

/// Every file of redb begins so.
const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// Pages that redb keeps in memory.
const CACHE_BYTES: usize = 32 << 20;
/// The file of rows of a store that is being restored, until all of it is there.
pub(super) const RESTORE_NAME: &str = "hookgate.redb.restore";
/// The format that can be converted to the one before this.
const FORMAT_1: u64 = 1;

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
    check_restored(medium, path)?;
    let names = medium.names().map_err(|source| failed(path, source.into()))?;
    let Some(volume) = names.iter().find(|name| is_volume(name)) else { return Ok(()) };
    Err(OpenError::Headless { path: path.to_owned(), volume: path.with_file_name(volume) })
}

/// Whether no restore was cut off there: what it has left is not all of a store.
pub(super) fn check_restored(medium: &dyn Medium, path: &Path) -> Result<(), OpenError> {
    let names = medium.names().map_err(|source| failed(path, source.into()))?;
    if !names.iter().any(|name| name == RESTORE_NAME) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or_else(|| Path::new(".")).to_owned();
    Err(OpenError::HalfRestored { folder })
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
