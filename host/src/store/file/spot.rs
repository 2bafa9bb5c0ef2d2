//! Where the store's file lies, and whether it still does.
//!
//! A file that was removed goes on taking writes, which nobody will ever read. One that somebody
//! else writes into is no longer what the store believes. Both are noticed here. Never writes, and
//! never asks for the times of the file: on Linux, whoever looks at them makes the next write store
//! a finer one, and the next sync write the inode too.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use crate::store::error::Failure;

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
pub(super) type Number = (u64, u64);
#[cfg(not(unix))]
pub(super) type Number = ();

impl Spot {
    /// The file that lies there now.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let number = number_in(&file.metadata()?);
        Ok(Self { file, number })
    }
}

#[cfg(unix)]
pub(super) fn number_in(metadata: &Metadata) -> Number {
    use std::os::unix::fs::MetadataExt;

    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
pub(super) fn number_in(_metadata: &Metadata) -> Number {}

/// The number of the file that lies there.
#[cfg(target_os = "linux")]
fn number(path: &Path) -> io::Result<Number> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};

    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::INO)?;
    Ok((makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn number(path: &Path) -> io::Result<Number> {
    Ok(number_in(&std::fs::metadata(path)?))
}

/// Whether the file with this number is the one that lies there.
#[cfg(unix)]
pub(super) fn is_at(file: Number, path: &Path) -> io::Result<bool> {
    match number(path) {
        Ok(found) => Ok(found == file),
        Err(error) if is_absence(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Elsewhere an open file can be neither removed nor replaced.
#[cfg(not(unix))]
pub(super) fn is_at(_file: Number, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(unix)]
impl Spot {
    /// Whether it is the one that lies there.
    pub(super) fn check(&self, path: &Path) -> Result<(), Failure> {
        if is_at(self.number, path)? {
            return Ok(());
        }
        Err(Failure::Displaced { path: path.to_owned() })
    }

    /// The beginning of the file, which every commit changes, and its length; `None` if they can't
    /// be read.
    pub(super) fn begin(&self) -> Option<Vec<u8>> {
        use std::os::unix::fs::FileExt;

        use rustix::fs::SeekFrom;

        let mut begin = vec![0; BEGIN_BYTES];
        let length = self.file.read_at(&mut begin, 0).ok()?;
        begin.truncate(length);
        let end = rustix::fs::seek(&self.file, SeekFrom::End(0)).ok()?;
        begin.extend(end.to_le_bytes());
        Some(begin)
    }
}

#[cfg(unix)]
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(not(unix))]
impl Spot {
    pub(super) fn check(&self, _path: &Path) -> Result<(), Failure> {
        Ok(())
    }

    pub(super) fn begin(&self) -> Option<Vec<u8>> {
        None
    }
}
