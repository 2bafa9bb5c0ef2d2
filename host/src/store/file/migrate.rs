//! A store of format 1 becomes one of format 2, when a gateway opens it, and then of the format
//! after that.
//!
//! The segments of the log go to packed volumes, all other rows to a draft of the new file. Until
//! both are whole and durable, the old file is the store; then it makes room for the draft, and
//! stays in the folder until the operator deletes it. What a kill leaves is removed, and the
//! conversion begins again. Never changes what the old file holds.

mod copy;
mod room;

use std::fs::{self, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::{
    Database, Key, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition, TableError,
    Value,
};

use super::backend::Medium;
use super::failure::guarded;
use super::folder::Folder;
use super::identity::{Identity, is_redb, is_volume, open_database, read_identity};
use super::open_error::{OpenError, failed, refused};
use super::{FILE_NAME, sums};
use crate::store::error::Failure;

/// The new file until it is whole. While it is there, all volumes belong to it.
const DRAFT_NAME: &str = "hookgate.redb.draft";
/// The old file, once the new one is whole.
const KEPT_NAME: &str = "hookgate.format-1.redb";

/// In format 1: the segments by their first position.
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

/// A conversion, in a data folder.
#[derive(Debug)]
pub(in crate::store) struct Conversion<'a> {
    pub(in crate::store) folder: &'a Path,
    /// What the volumes and the draft are written to: the folder.
    pub(in crate::store) medium: Arc<dyn Medium>,
    /// At how many bytes a volume is full.
    pub(in crate::store) volume_bytes: u64,
    /// How many bytes the gateway may still write there.
    pub(in crate::store) free: fn(&Path) -> io::Result<u64>,
}

/// The store in this folder, which is open: as it is, or converted if it has format 1, and opened
/// anew. Volumes are full at this size.
pub(super) fn converted(
    folder: &Path,
    volume_bytes: u64,
    database: Database,
    open: impl FnOnce() -> Result<Database, OpenError>,
) -> Result<Database, OpenError> {
    let path = folder.join(FILE_NAME);
    let identity = read_identity(&database).map_err(|source| failed(&path, source))?;
    let Identity::Older { tag } = identity else { return Ok(database) };
    Conversion::at(folder, volume_bytes).run(database, tag)?;
    open()
}

/// Finishes a conversion in this folder that a kill ended between its two renames.
pub(super) fn finish(folder: &Path, volume_bytes: u64) -> Result<(), OpenError> {
    let conversion = Conversion::at(folder, volume_bytes);
    let cut_off = || conversion.is_cut_off().map_err(|source| conversion.broken(source.into()));
    if !cut_off()? {
        return Ok(());
    }
    // Who makes the conversion holds the old file until both files have their names.
    let _held = hold(&conversion.kept())?;
    if !cut_off()? {
        return Ok(());
    }
    let draft = conversion.draft();
    if !is_whole(&draft)? {
        return Err(OpenError::Foreign { path: draft });
    }
    conversion.place_draft().map_err(|source| conversion.broken(source))?;
    conversion.tell_kept();
    Ok(())
}

impl<'a> Conversion<'a> {
    fn at(folder: &'a Path, volume_bytes: u64) -> Self {
        Self { folder, medium: Arc::new(Folder::new(folder)), volume_bytes, free: room::free_in }
    }

    fn run(&self, old: Database, tag: u32) -> Result<(), OpenError> {
        let began = Instant::now();
        self.build(&old, tag)?;
        let placed = self.keep_old().and_then(|()| self.place_draft());
        placed.map_err(|source| self.broken(source))?;
        // Only now: as long as it is open, every other gateway finds the store in use.
        if let Err(error) = old.close() {
            tracing::warn!(error = %error, "the store's old file was not closed cleanly");
        }
        let seconds = began.elapsed().as_secs();
        tracing::info!(seconds, "converted the store to format 2 in {seconds} s");
        self.tell_kept();
        Ok(())
    }

    /// Writes the volumes and the draft. When this returns, they are whole and durable.
    pub(in crate::store) fn build(&self, old: &Database, tag: u32) -> Result<(), OpenError> {
        self.check_names()?;
        let begun = self.clear().map_err(Failure::from).and_then(|()| Ok(old.begin_read()?));
        let old = begun.map_err(|source| self.failed(source))?;
        self.check_room(&old)?;
        tracing::info!(
            path = %self.path().display(),
            "converting the store from format 1 to format 2; the gateway starts when this is done"
        );
        let copied = guarded(|| copy::copy(&old, &self.medium, tag, self.volume_bytes));
        copied.map_err(|source| {
            // It may have failed because the disk is full: what it wrote must not stay.
            if let Err(error) = self.clear() {
                tracing::warn!(error = %error, "failed to remove an unfinished conversion");
            }
            self.failed(source)
        })
    }

    /// The old file makes room. From here on a start finishes the conversion.
    fn keep_old(&self) -> Result<(), Failure> {
        let kept = self.kept();
        if is_there(&kept)? {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
        }
        fs::rename(self.path(), kept)?;
        Ok(self.medium.sync_names()?)
    }

    fn place_draft(&self) -> Result<(), Failure> {
        sums::remove(&*self.medium)?;
        fs::rename(self.draft(), self.path())?;
        Ok(self.medium.sync_names()?)
    }

    /// Whether all is there but the last rename.
    fn is_cut_off(&self) -> io::Result<bool> {
        Ok(!is_there(&self.path())? && is_there(&self.draft())? && is_there(&self.kept())?)
    }

    /// Nothing that the conversion removes or replaces may be somebody else's.
    fn check_names(&self) -> Result<(), OpenError> {
        let (path, kept) = (self.path(), self.kept());
        let names = self.medium.names().map_err(|source| self.failed(source.into()))?;
        if is_there(&kept).map_err(|source| self.failed(source.into()))? {
            return Err(OpenError::KeptBefore { path, kept });
        }
        let is_unfinished = names.iter().any(|name| name == DRAFT_NAME);
        match names.iter().find(|name| is_volume(name)) {
            Some(volume) if !is_unfinished => {
                let volume = self.folder.join(volume);
                Err(OpenError::Mixed { path, volume })
            }
            _ => Ok(()),
        }
    }

    fn check_room(&self, old: &ReadTransaction) -> Result<(), OpenError> {
        let path = self.path();
        let look = || -> Result<_, Failure> {
            let free = (self.free)(self.folder)?;
            let bytes = fs::metadata(&path)?.len();
            Ok((free, room::lacking(free, bytes, old)?))
        };
        match look().map_err(|source| self.failed(source))? {
            (_, None) => Ok(()),
            (free, Some(needed)) => {
                let (needed_mib, free_mib) = (mebibytes(needed), free >> 20);
                Err(OpenError::NoRoom { path, needed_mib, free_mib })
            }
        }
    }

    /// Removes what an unfinished conversion left.
    fn clear(&self) -> io::Result<()> {
        let names = self.medium.names()?;
        if !names.iter().any(|name| name == DRAFT_NAME) {
            return Ok(());
        }
        for volume in names.iter().filter(|name| is_volume(name)) {
            self.medium.remove(volume)?;
        }
        // The draft last: it says whose the volumes are.
        self.medium.sync_names()?;
        self.medium.remove(DRAFT_NAME)?;
        self.medium.sync_names()
    }

    fn tell_kept(&self) {
        let kept = self.kept();
        let size = mebibytes(fs::metadata(&kept).map_or(0, |found| found.len()));
        tracing::info!(
            path = %kept.display(),
            "the gateway keeps the store's file of format 1 as {} ({size} MiB) and no longer uses \
             it: delete it when you are sure that you will not go back to the older Hookgate",
            kept.display()
        );
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }

    fn draft(&self) -> PathBuf {
        self.folder.join(DRAFT_NAME)
    }

    fn kept(&self) -> PathBuf {
        self.folder.join(KEPT_NAME)
    }

    /// A conversion that left the store in format 1.
    fn failed(&self, source: Failure) -> OpenError {
        OpenError::Unconverted { path: self.path(), source: source.into() }
    }

    /// A conversion that failed between the renames, or right before or behind them.
    fn broken(&self, source: Failure) -> OpenError {
        failed(&self.path(), source)
    }
}

/// How far a conversion has come, for the log.
#[derive(Debug)]
struct Progress {
    first: u64,
    last: u64,
    told: Instant,
}

impl Progress {
    /// Between two lines of the log.
    const PAUSE: Duration = Duration::from_secs(10);

    fn new(first: u64, last: u64) -> Self {
        Self { first, last, told: Instant::now() }
    }

    /// The log is copied up to this position.
    fn reached(&mut self, position: u64) {
        if self.told.elapsed() < Self::PAUSE {
            return;
        }
        self.told = Instant::now();
        let (done, all) = (position - self.first, (self.last - self.first).max(1));
        let percent = u128::from(done) * 100 / u128::from(all);
        tracing::info!("converting the store to format 2: {percent} % of the log is copied");
    }
}

/// A table of format 1; an older Hookgate made no file with `swept`.
fn table<K: Key + 'static, V: Value + 'static>(
    old: &ReadTransaction,
    definition: TableDefinition<'_, K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, Failure> {
    match old.open_table(definition) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Locks a file that no gateway has open.
fn hold(kept: &Path) -> Result<fs::File, OpenError> {
    let failed = |source: io::Error| failed(kept, source.into());
    let file = fs::File::options().read(true).write(true).open(kept).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: kept.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Whether a draft has become a store of format 2, or is that of a later one by now: the last that
/// is written says so.
fn is_whole(draft: &Path) -> Result<bool, OpenError> {
    if !is_redb(draft)? {
        return Ok(false);
    }
    let database = open_database(draft).map_err(|error| refused(draft, error))?;
    let identity = read_identity(&database).map_err(|source| failed(draft, source))?;
    Ok(matches!(identity, Identity::Before { .. } | Identity::Known { .. }))
}

/// Whether anything has this name, also a link that leads nowhere.
fn is_there(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}
