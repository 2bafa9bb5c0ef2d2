//! The one door to files that somebody else puts in place: plugins, the configuration, secrets.
//!
//! Opens regular files only and reads at most so many bytes of them, so that neither a named pipe
//! nor a device nor a file without end can hold up who reads. Never follows what the bytes say.

use std::fmt;
use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Why there are no bytes. Says neither which file nor what is in it: who asks knows the place.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The system refused.
    Io(io::Error),
    /// It is something else than a regular file, and what.
    NotRegular(&'static str),
    /// It is larger than `bytes_max`.
    TooLarge {
        /// The most bytes that were asked for.
        bytes_max: usize,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::NotRegular(kind) => write!(f, "{kind}, not a regular file"),
            Self::TooLarge { bytes_max } => write!(f, "the file is larger than {bytes_max} bytes"),
        }
    }
}

// The text says it all: with a source it would be said twice.
impl std::error::Error for ReadError {}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A regular file that is open for reading.
#[derive(Debug)]
pub(crate) struct RegularFile {
    file: File,
}

impl RegularFile {
    /// Opens a file, or what a link leads to, if it is a regular one. Never waits for a writer.
    pub(crate) fn open(path: &Path) -> Result<Self, ReadError> {
        // Asked first, because to open a device may do something to it.
        check(fs::metadata(path)?.file_type())?;
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
        let mut options = File::options();
        options.read(true).custom_flags(flags.cast_signed());
        let file = options.open(path)?;
        // Asked again, of what was opened: another file may have come into its place.
        check(file.metadata()?.file_type())?;
        Ok(Self { file })
    }

    /// What the system says of the file now.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// The file itself, for whoever reads it in pieces of bounded size.
    pub(crate) fn into_file(self) -> File {
        self.file
    }

    /// The whole of it, if that is at most `bytes_max` bytes.
    pub(crate) fn read(&mut self, bytes_max: usize) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        // One byte more than is allowed, so that a larger file is known as such.
        let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        self.file.by_ref().take(most).read_to_end(&mut bytes)?;
        if bytes.len() > bytes_max { Err(ReadError::TooLarge { bytes_max }) } else { Ok(bytes) }
    }
}

/// The bytes of a regular file of at most `bytes_max` bytes.
pub(crate) fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, ReadError> {
    RegularFile::open(path)?.read(bytes_max)
}

fn check(kind: FileType) -> Result<(), ReadError> {
    if kind.is_file() {
        return Ok(());
    }
    let kinds = [
        (kind.is_dir(), "a directory"),
        (kind.is_fifo(), "a named pipe"),
        (kind.is_socket(), "a socket"),
        (kind.is_block_device() || kind.is_char_device(), "a device"),
    ];
    let named = kinds.into_iter().find_map(|(is, name)| is.then_some(name));
    Err(ReadError::NotRegular(named.unwrap_or("something unknown")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType as Node, Mode, mknodat};

    use super::*;

    #[test]
    fn a_regular_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let link = folder.path().join("link");
        fs::write(&file, b"four").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(read(&file, 4).unwrap(), b"four");
        assert_eq!(read(&link, 4).unwrap(), b"four");
        assert_eq!(read(&file, 3).unwrap_err().to_string(), "the file is larger than 3 bytes");
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let socket = folder.path().join("socket");
        mknodat(CWD, &pipe, Node::Fifo, Mode::RWXU, 0).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();
        for (path, said) in [
            (pipe.as_path(), "a named pipe, not a regular file"),
            (&socket, "a socket, not a regular file"),
            (folder.path(), "a directory, not a regular file"),
            (Path::new("/dev/zero"), "a device, not a regular file"),
        ] {
            assert_eq!(read(path, 1 << 20).unwrap_err().to_string(), said);
        }
        assert!(matches!(read(&folder.path().join("none"), 1), Err(ReadError::Io(_))));
    }
}
