//! Why a store can't be opened, and what a failure is for whoever opens one.
//!
//! Its texts are an operator's: each says what to do where there is something to do. Never looks at
//! a file beyond whose log lies beside it.

use std::path::{Path, PathBuf};

use redb::DatabaseError;

use super::backend::Medium;
use super::failure::is_cut;
use super::schema::FORMAT_KNOWN;
use super::volumes::first_tag;
use crate::store::error::{Error, Failure};

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
        "the store {} has format {found}; this Hookgate knows formats up to {FORMAT_KNOWN}. If no \
         newer one ever had it, the file is damaged: `hookgate store repair` makes a new one",
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
    /// A restore was cut off here, so that this is no store.
    #[error(
        "the folder {} has what a `hookgate restore` left that did not finish: remove all files in \
         it, and restore again",
        folder.display()
    )]
    HalfRestored {
        /// The folder.
        folder: PathBuf,
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
         belongs to another store. If this gateway ran on the store before, the file is damaged: \
         `hookgate store repair` makes a new one. Else move all files named volume-*.hgv to \
         another folder",
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
    /// There is nothing to repair.
    #[error(
        "redb finds no fault in the store's file {}, so it needs no repair: start the gateway. If \
         `hookgate store check` finds faults in this file, `--anyway` makes a new one, which lacks \
         what the volumes do not tell",
        path.display()
    )]
    Sound {
        /// The file.
        path: PathBuf,
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

pub(super) fn failed(path: &Path, source: Failure) -> OpenError {
    OpenError::because(path, source.into())
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
