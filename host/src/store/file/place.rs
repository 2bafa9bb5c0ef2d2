//! Where the files of a store lie: in a folder, or on a medium that somebody else has made.
//!
//! Opens the file of rows there, made if it is not there yet, and opens it anew after a failure.
//! Keeps other gateways out meanwhile. Never reads more of it than whose it is.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use redb::{Database, DatabaseError};

use super::backend::Medium;
use super::folder::Folder;
use super::identity::{
    Identity, check_vacant, create_file, create_folder, create_tables, hold_folder, is_redb,
    read_identity,
};
use super::open_error::{OpenError, failed, foreign, refused};
use super::opener::Opener;
use super::spot::Spot;
use super::volumes::Volumes;
use super::{FILE_NAME, Sizes, migrate, sums};
use crate::lock::lock;
use crate::store::error::Failure;
use crate::store::volume_keys::VolumeKeys;

/// Where the files lie.
pub(super) struct Place {
    /// The file of rows.
    pub(super) path: PathBuf,
    /// Opens that.
    opener: Opener,
    /// Where it lies, if it is a file of the system.
    spot: Option<Spot>,
    /// What the volumes lie on.
    pub(super) medium: Arc<dyn Medium>,
    pub(super) sizes: Sizes,
    /// What seals the volumes.
    pub(super) keys: VolumeKeys,
    /// Keeps other gateways out of the folder until the files are closed for good: in an outage the
    /// file of rows, which has a lock too, is closed for a while.
    held: Mutex<Option<std::fs::File>>,
}

impl Place {
    /// Opens the file of rows in this folder, or makes all of it, and converts one of format 1 to
    /// format 2.
    pub(super) fn in_folder(
        folder: &Path,
        (sizes, keys): (Sizes, &VolumeKeys),
    ) -> Result<(Self, Database), OpenError> {
        let path = folder.join(FILE_NAME);
        create_folder(folder)?;
        let held = Mutex::new(hold_folder(folder, &path)?);
        migrate::finish(folder, sizes.volume_bytes)?;
        let medium: Arc<dyn Medium> = Arc::new(Folder::new(folder));
        if !path.exists() {
            check_vacant(&*medium, &path)?;
            sums::remove(&*medium).map_err(|source| failed(&path, source.into()))?;
            create_file(folder, &path)?;
        }
        if !is_redb(&path)? {
            return Err(foreign(&*medium, path));
        }
        let opener = Opener::in_folder(&path, &medium);
        let open = || opener.open().map_err(|error| refused(&path, error));
        let database = migrate::converted(folder, sizes.volume_bytes, open()?, open)?;
        let spot = Spot::of(&path).map_err(|source| failed(&path, source.into()))?;
        let (spot, keys) = (Some(spot), keys.clone());
        Ok((Self { path, opener, spot, medium, sizes, keys, held }, database))
    }

    /// Opens what a medium holds; `folder` is for messages.
    pub(super) fn on_medium(
        medium: impl Medium,
        folder: &Path,
        (sizes, keys): (Sizes, &VolumeKeys),
    ) -> Result<(Self, Database), OpenError> {
        let path = folder.join(FILE_NAME);
        let medium: Arc<dyn Medium> = Arc::new(medium);
        let opener = Opener::on_medium(&medium);
        let database = opener.open().map_err(|error| refused(&path, error))?;
        let identity = read_identity(&database).map_err(|source| failed(&path, source))?;
        if matches!(identity, Identity::None) {
            check_vacant(&*medium, &path)?;
            create_tables(&database).map_err(|source| failed(&path, source))?;
            medium.sync_names().map_err(|source| failed(&path, source.into()))?;
        }
        let (keys, held) = (keys.clone(), Mutex::default());
        Ok((Self { path, opener, spot: None, medium, sizes, keys, held }, database))
    }

    /// Opens the file of rows anew; whoever had it open has closed it.
    pub(super) fn reopen(&self) -> Result<Database, DatabaseError> {
        self.opener.open_anew()
    }

    /// Whether a page of the file of rows was read that is not what was written. The next who opens
    /// it has redb look at all of it.
    pub(super) fn is_doubted(&self) -> bool {
        self.opener.is_doubted()
    }

    /// The volumes of the store with this tag.
    pub(super) fn volumes(&self, tag: u32) -> Result<Volumes, Failure> {
        let medium = Arc::clone(&self.medium);
        Volumes::open_with(medium, tag, self.sizes.volume_bytes, &self.keys)
    }

    /// Whether the file of rows lies where it was opened.
    pub(super) fn check_spot(&self) -> Result<(), Failure> {
        self.spot.as_ref().map_or(Ok(()), |spot| spot.check(&self.path))
    }

    /// How the file of rows begins now, if it is a file of the system.
    pub(super) fn begin(&self) -> Option<Vec<u8>> {
        self.spot.as_ref().and_then(Spot::begin)
    }

    /// How often redb has written to the file of rows.
    pub(super) fn writes(&self) -> u64 {
        self.opener.writes()
    }

    /// What keeps other gateways out: they may come in once it is dropped.
    pub(super) fn leave(&self) -> Option<std::fs::File> {
        lock(&self.held).take()
    }
}
