//! The files of a store are opened, at a start and again after a failure.
//!
//! The rows are brought up to what the log says, whoever left them behind. Never decides when they
//! are opened anew: the writer does.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use redb::Database;

use super::backend::Medium;
use super::catch_up::{self, CaughtUp, catch_up};
use super::counts::Counts;
use super::failure::guarded;
use super::glances::Glances;
use super::identity::{Identity, read_identity};
use super::journal::Journal;
use super::open_error::{OpenError, failed, foreign};
use super::place::Place;
use super::volumes::{Point, VolumeWriter, Volumes};
use super::{Connection, File, Opened, Sizes};
use crate::causes::chain;
use crate::lock::lock;
use crate::store::damage::Damages;
use crate::store::error::{Error, Failure};
use crate::store::volume_keys::VolumeKeys;

/// The rows, after the files were opened anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Reopened {
    /// They are as the last commit left them.
    AsLeft,
    /// The file had lost some, and they were made again from the log. Not those of the known ids,
    /// which the log does not spell: they are as the last checkpoint left them.
    FromLog,
}

impl File {
    /// Opens the files in this folder, or makes all of it, and converts those of format 1 to format
    /// 2. Whoever opens it has format 2 [upgraded](Self::upgrade).
    pub(in crate::store) fn open(
        folder: &Path,
        (sizes, keys): (Sizes, &VolumeKeys),
        damages: Arc<Damages>,
    ) -> Result<Self, OpenError> {
        let (place, database) = Place::in_folder(folder, (sizes, keys))?;
        Self::start(place, database, damages)
    }

    /// Opens what a medium holds; `folder` is for messages.
    pub(in crate::store) fn open_on(
        medium: impl Medium,
        folder: &Path,
        (sizes, keys): (Sizes, &VolumeKeys),
        damages: Arc<Damages>,
    ) -> Result<Self, OpenError> {
        let (place, database) = Place::on_medium(medium, folder, (sizes, keys))?;
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
            glances: Glances::default(),
            reached: AtomicU64::new(Point::START.write()),
            damages,
            tag,
        };
        let begun = file.begin_with(database).or_else(|error| file.checked(error).map(drop));
        begun.map_err(|source| OpenError::because(&path, source))?;
        Ok(file)
    }

    /// What is asked of the files; once more if a page was not what was written, and redb finds all
    /// of them sound nevertheless.
    pub(in crate::store) fn asked<T>(
        &self,
        ask: impl Fn() -> Result<T, Error>,
    ) -> Result<T, Error> {
        ask().or_else(|error| {
            self.checked(error)?;
            ask()
        })
    }

    /// Opens the files anew if `error` came of a page that was not what was written: then redb
    /// looks at all of them.
    fn checked(&self, error: Error) -> Result<Reopened, Error> {
        if self.place.is_doubted() { self.reopen() } else { Err(error) }
    }

    /// Whether redb has found pages that are not what was written.
    pub(in crate::store) fn is_damaged(&self) -> bool {
        self.place.is_doubted()
    }

    fn begin_with(&self, database: Database) -> Result<(), Error> {
        let volumes = self.place.volumes(self.tag)?;
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
    pub(in crate::store) fn reopen(&self) -> Result<Reopened, Error> {
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
        let database = self.place.reopen().map_err(Failure::from)?;
        match read_identity(&database)? {
            Identity::Known { tag } | Identity::Before { tag } if tag == self.tag => (),
            _ => return Err(Failure::Replaced.into()),
        }
        let volumes = self.place.volumes(self.tag)?;
        volumes.forget()?;
        let reached = Point::read(self.reached.load(Ordering::Relaxed));
        let found = self.attach(database, volumes, reached, left)?;
        Ok(if had == Some(found) { Reopened::AsLeft } else { Reopened::FromLog })
    }
}
