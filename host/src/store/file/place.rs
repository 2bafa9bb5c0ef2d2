//! Where the store's file lies, and whether it still does.
//!
//! A file that was removed goes on taking writes, which nobody will ever read. One that somebody
//! else writes into is no longer what the store believes. Both are noticed here. Never writes.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use crate::store::Failure;

/// As much as tells one commit's beginning of the file from another's.
#[cfg(unix)]
const BEGIN_BYTES: usize = 320;

/// A file of the system, open for reading, and what tells it from others.
#[derive(Debug)]
pub(super) struct Spot {
    file: File,
    number: Number,
}

/// The device and the file's number on it.
#[cfg(unix)]
type Number = (u64, u64);
#[cfg(not(unix))]
type Number = ();

impl Spot {
    /// The file that lies there now.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let number = number(&file.metadata()?);
        Ok(Self { file, number })
    }
}

#[cfg(unix)]
fn number(metadata: &Metadata) -> Number {
    use std::os::unix::fs::MetadataExt;

    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn number(_metadata: &Metadata) -> Number {}

#[cfg(unix)]
impl Spot {
    /// Whether it is the one that lies there.
    pub(super) fn check(&self, path: &Path) -> Result<(), Failure> {
        match std::fs::metadata(path) {
            Ok(found) if number(&found) == self.number => Ok(()),
            Err(error) if !is_absence(&error) => Err(error.into()),
            _ => Err(Failure::Displaced { path: path.to_owned() }),
        }
    }

    /// The beginning of the file, which every commit changes, and its length; `None` if they can't
    /// be read.
    pub(super) fn begin(&self) -> Option<Vec<u8>> {
        use std::os::unix::fs::FileExt;

        let mut begin = vec![0; BEGIN_BYTES];
        let length = self.file.read_at(&mut begin, 0).ok()?;
        begin.truncate(length);
        begin.extend(self.file.metadata().ok()?.len().to_le_bytes());
        Some(begin)
    }
}

#[cfg(unix)]
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Elsewhere an open file can be neither removed nor replaced.
#[cfg(not(unix))]
impl Spot {
    pub(super) fn check(&self, _path: &Path) -> Result<(), Failure> {
        Ok(())
    }

    pub(super) fn begin(&self) -> Option<Vec<u8>> {
        None
    }
}
