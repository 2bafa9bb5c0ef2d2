//! What a store may lie on: bytes that are read, written and synced.
//!
//! A file of the system is redb's own to open; this is for everything else. Nothing outside of the
//! file's room knows how redb wants them.

use std::fmt::Debug;
use std::io;

use redb::StorageBackend;

/// Bytes that are read, written and synced. Clones of it hold the same bytes.
pub trait Backend: Debug + Clone + Send + Sync + 'static {
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
}

/// A backend as redb wants it.
#[derive(Debug)]
pub(in crate::store) struct Lent<B>(pub(in crate::store) B);

impl<B: Backend> StorageBackend for Lent<B> {
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
