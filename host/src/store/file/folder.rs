//! A folder of the system as a medium: its backends are regular files in it.
//!
//! Only the gateway's own user may look inside what is made here. Never asks for the times of a
//! file that is written to: on Linux, whoever looks at them makes the next write store a finer one,
//! and the next sync write the inode too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, SeekFrom};

use super::backend::{Ahead, Backend, Medium};
use super::spot::{self, Number};

/// Zeros that are written at a time: few enough that they stay near the processor. A new piece of
/// memory for all of a step would be cleared first.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A folder of the system.
#[derive(Debug, Clone)]
pub(in crate::store) struct Folder(PathBuf);

/// A file in it, open.
#[derive(Debug)]
struct FolderFile {
    file: File,
    path: PathBuf,
    number: Number,
}

/// A file that is open only to be written at its end. Whatever another thread writes meanwhile, the
/// system puts each write behind all that is there.
#[derive(Debug)]
struct End(File);

impl Folder {
    pub(in crate::store) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl Medium for Folder {
    fn open(&self, name: &str) -> io::Result<Box<dyn Backend>> {
        let path = self.place(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = open_regular(&path, &mut options)?;
        let number = spot::number_in(&file.metadata()?);
        Ok(Box::new(FolderFile { file, path, number }))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            // What is not text is the name of nothing that is opened here.
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.place(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn ahead(&self, name: &str) -> io::Result<Option<Box<dyn Ahead>>> {
        // Opened a second time for another reason too: the system reports a write that failed once
        // to each who opened the file. The thread that writes zeros must not get the report that
        // the sync of a commit needs.
        let file = open_regular(&self.place(name), OpenOptions::new().append(true))?;
        Ok(Some(Box::new(End(file))))
    }
}

/// Opens a regular file. Never waits for a reader or a writer.
fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let refuse = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
    match fs::metadata(path) {
        // Asked first, because to open a device may do something to it.
        Ok(metadata) if !metadata.is_file() => return Err(refuse()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = options.custom_flags(flags.cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refuse()) }
}

fn length(file: &File) -> io::Result<u64> {
    Ok(rustix::fs::seek(file, SeekFrom::End(0))?)
}

impl Backend for FolderFile {
    fn size(&self) -> io::Result<u64> {
        length(&self.file)
    }

    fn resize(&self, size: u64) -> io::Result<()> {
        self.file.set_len(size)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn forget(&self) -> io::Result<()> {
        forget_pages(&self.file)
    }

    fn is_in_place(&self) -> io::Result<bool> {
        spot::is_at(self.number, &self.path)
    }
}

impl Ahead for End {
    fn lengthen(&self, zeros: usize) -> io::Result<u64> {
        let (mut file, mut left) = (&self.0, zeros);
        while left > 0 {
            let piece = &ZEROS[..left.min(ZEROS.len())];
            file.write_all(piece)?;
            left -= piece.len();
        }
        file.sync_data()?;
        length(file)
    }
}

/// Has the system read the file from the disk from now on: after a failed write, what it keeps of a
/// file in memory may not be what the disk has.
#[cfg(target_os = "linux")]
pub(super) fn forget_pages(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn forget_pages(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tempfile::TempDir;

    use super::*;

    fn folder() -> (TempDir, Folder) {
        let place = TempDir::new().expect("there is a place for temporary files");
        let folder = Folder::new(place.path());
        (place, folder)
    }

    fn read(backend: &dyn Backend, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        backend.read(0, &mut bytes).expect("it is there");
        bytes
    }

    #[test]
    fn what_was_written_is_read_by_all_who_open_it() {
        let (place, folder) = folder();
        let one = folder.open("one").unwrap();
        let again = folder.open("one").unwrap();
        one.write(2, b"bytes").unwrap();
        one.sync().unwrap();
        folder.sync_names().unwrap();
        again.forget().unwrap();
        assert_eq!((again.size().unwrap(), read(&*again, 7)), (7, b"\0\0bytes".to_vec()));
        again.resize(4).unwrap();
        let eof = one.read(0, &mut [0; 5]).unwrap_err();
        assert_eq!(eof.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(fs::read(place.path().join("one")).unwrap(), b"\0\0by");
    }

    #[test]
    fn only_the_gateways_own_user_may_look_inside() {
        let (place, folder) = folder();
        folder.open("one").unwrap();
        let mode = fs::metadata(place.path().join("one")).unwrap().permissions().mode();
        assert_eq!(mode & 0o177, 0, "{mode:o}");
    }

    #[test]
    fn a_removed_file_is_read_by_who_has_it_open_and_is_no_longer_in_place() {
        let (_place, folder) = folder();
        let one = folder.open("one").unwrap();
        one.write(0, b"one").unwrap();
        folder.open("two").unwrap();
        assert!(one.is_in_place().unwrap());
        let mut names = folder.names().unwrap();
        names.sort();
        assert_eq!(names, ["one", "two"]);

        folder.remove("one").unwrap();

        assert_eq!(folder.names().unwrap(), ["two"]);
        assert_eq!(read(&*one, 3), b"one");
        assert!(!one.is_in_place().unwrap());
        assert_eq!(folder.open("one").unwrap().size().unwrap(), 0, "a new one");
        assert!(!one.is_in_place().unwrap());
        folder.remove("one").unwrap();
        assert_eq!(folder.remove("one").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let (place, folder) = folder();
        fs::create_dir(place.path().join("folder")).unwrap();
        mknodat(CWD, place.path().join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        symlink("pipe", place.path().join("link")).unwrap();
        for name in ["folder", "pipe", "link"] {
            let refused = folder.open(name).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{name}");
            let refused = folder.ahead(name).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }

    #[test]
    fn zeros_go_behind_all_that_is_there() {
        let (_place, folder) = folder();
        let one = folder.open("one").unwrap();
        let end = folder.ahead("one").unwrap().unwrap();
        one.write(0, b"one").unwrap();
        assert_eq!(end.lengthen(2).unwrap(), 5);
        one.write(3, b"more, and").unwrap();
        assert_eq!(end.lengthen(1).unwrap(), 13);
        assert_eq!(read(&*one, 13), b"onemore, and\0");
        assert_eq!(folder.ahead("none").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
