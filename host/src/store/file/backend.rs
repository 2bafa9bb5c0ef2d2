//! What a store may lie on: a folder of backends, each of which holds bytes.
//!
//! A folder of the system is redb's own to open; this is for everything else. Nothing outside of
//! the file's room knows how redb wants them.

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;

use redb::StorageBackend;

/// A folder of backends. Clones of it are the same folder.
pub trait Medium: Debug + Send + Sync + 'static {
    /// Opens the backend of this name. If there is none, makes an empty one.
    fn open(&self, name: &str) -> io::Result<Box<dyn Backend>>;

    /// The names of all that is there.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Removes the backend of this name. Who has it open reads on.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns when all names are durable.
    fn sync_names(&self) -> io::Result<()>;

    /// Where the backend of this name lies, for messages.
    fn place(&self, name: &str) -> PathBuf {
        name.into()
    }

    /// What makes the backend of this name longer before its bytes are needed. `None` where nothing
    /// is gained by that.
    fn ahead(&self, _name: &str) -> io::Result<Option<Box<dyn Ahead>>> {
        Ok(None)
    }
}

/// Makes a backend longer while another thread writes to it.
pub trait Ahead: Debug + Send + 'static {
    /// Adds this number of zeros at the end, and never writes over anything. Returns when they are
    /// durable, with the number of bytes that there are then.
    fn lengthen(&self, zeros: usize) -> io::Result<u64>;
}

/// Bytes that are read, written and synced.
pub trait Backend: Debug + Send + Sync + 'static {
    /// How many bytes there are.
    fn size(&self) -> io::Result<u64>;

    /// Makes it as long as this; what is new is zero.
    fn resize(&self, size: u64) -> io::Result<()>;

    /// Fills `out` with what stands from an offset on; an error if there is less.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes from an offset on.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Returns when everything that was written is durable.
    fn sync(&self) -> io::Result<()>;

    /// What is read from now on comes from where it is durable, and not from a cache.
    fn forget(&self) -> io::Result<()> {
        Ok(())
    }

    /// Whether it still lies where it was opened: what is written to one that does not is lost.
    fn is_in_place(&self) -> io::Result<bool> {
        Ok(true)
    }
}

/// A backend as redb wants it.
#[derive(Debug)]
pub(super) struct Lent(pub(super) Box<dyn Backend>);

impl StorageBackend for Lent {
    fn len(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.resize(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
