//! How the file of rows is opened: with a look at each block that is read.
//!
//! If a block is not what was written, and no one bit explains that, redb holds all its pages
//! against the sums that it has itself. If it finds no fault, no page that counts is damaged, and
//! the sums beside the file are made anew. Never opens a file that redb finds damaged.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageBackend};

use super::FILE_NAME;
use super::backend::{Lent, Medium};
use super::failure::guarded;
use super::folder::forget_pages;
use super::identity::{builder, read_identity};
use super::summed::Summed;
use super::sums::Sums;

/// The bytes of the file, open.
type Opened = Result<Box<dyn StorageBackend>, DatabaseError>;

/// What opens them. Told so, it reads them from the disk and from no cache.
type Bytes = dyn Fn(bool) -> Opened + Send + Sync;

/// Opens the file of rows.
pub(super) struct Opener {
    bytes: Box<Bytes>,
    /// What the sums are on.
    medium: Arc<dyn Medium>,
    /// Whether a block was read that is not what was written.
    doubt: Arc<AtomicBool>,
    /// How often redb has written to the file, whenever it was opened.
    writes: Arc<AtomicU64>,
}

impl Opener {
    /// Of the file at this place, in the folder that is this medium.
    pub(super) fn in_folder(path: &Path, medium: &Arc<dyn Medium>) -> Self {
        let path = path.to_owned();
        Self::of(medium, move |anew| {
            if anew {
                forget_pages(&File::open(&path)?)?;
            }
            let file = OpenOptions::new().read(true).write(true).open(&path)?;
            Ok(Box::new(FileBackend::new(file)?))
        })
    }

    /// Of what a medium holds.
    pub(super) fn on_medium(medium: &Arc<dyn Medium>) -> Self {
        let again = Arc::clone(medium);
        Self::of(medium, move |_| {
            let backend = again.open(FILE_NAME)?;
            backend.forget()?;
            Ok(Box::new(Lent(backend)))
        })
    }

    fn of(
        medium: &Arc<dyn Medium>,
        bytes: impl Fn(bool) -> Opened + Send + Sync + 'static,
    ) -> Self {
        let (doubt, writes) = (Arc::default(), Arc::default());
        Self { bytes: Box::new(bytes), medium: Arc::clone(medium), doubt, writes }
    }

    /// Opens it; whoever had it open has closed it.
    pub(super) fn open(&self) -> Result<Database, DatabaseError> {
        self.opened(false)
    }

    /// The same after a failure: what it has is what the disk has.
    pub(super) fn open_anew(&self) -> Result<Database, DatabaseError> {
        self.opened(true)
    }

    /// Whether a block was read that is not what was written, since redb last looked at all of it.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubt.load(Ordering::Acquire)
    }

    /// How often redb has written to the file. As long as that is the same, so is what it wrote.
    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    fn opened(&self, anew: bool) -> Result<Database, DatabaseError> {
        if !self.is_doubted() {
            let (backend, _) = self.backend(anew, true)?;
            let opened = guarded(|| {
                let database = builder().create_with_backend(backend)?;
                // Whoever opened it asks for that first.
                drop(read_identity(&database));
                Ok(database)
            });
            if !self.is_doubted() {
                return opened;
            }
        }
        self.checked(anew)
    }

    /// Opens it if redb finds no fault in all of it.
    fn checked(&self, anew: bool) -> Result<Database, DatabaseError> {
        tracing::error!(
            "a page of hookgate.redb is not what the gateway wrote: redb looks at all of them"
        );
        let (backend, sums) = self.backend(anew, false)?;
        let database = guarded(|| {
            let mut builder = builder();
            builder.set_check_integrity_on_open(true).create_with_backend(backend)
        })?;
        sums.begin_anew();
        self.doubt.store(false, Ordering::Release);
        tracing::warn!("redb finds no fault in hookgate.redb: the gateway uses it as it is");
        Ok(database)
    }

    /// The file with its sums, which count or not.
    fn backend(&self, anew: bool, count: bool) -> Result<(Summed, Arc<Sums>), DatabaseError> {
        let file = (self.bytes)(anew)?;
        let sums = Arc::new(Sums::load(&self.medium, &*file, count)?);
        let notes = (Arc::clone(&self.doubt), Arc::clone(&self.writes));
        Ok((Summed::new(file, Arc::clone(&sums), notes), sums))
    }
}
