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
        // Opened a second time for another reason too: the system tells a failed write once to each
        // who has opened the file, and it must not be told here instead of there.
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
        let mut file = &self.0;
        file.write_all(&vec![0; zeros])?;
        file.sync_data()?;
        length(file)
    }
}

/// After a failed write the system may show what is not on the disk: it has to look there.
#[cfg(target_os = "linux")]
fn forget_pages(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
fn forget_pages(_file: &File) -> io::Result<()> {
    Ok(())
}
