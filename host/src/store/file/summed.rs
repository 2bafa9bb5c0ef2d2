//! The file of rows as redb reads and writes it, with a sum for each block.
//!
//! redb takes what it reads at its word. Here a block that is not what was written is put right, if
//! one flipped bit explains it, and otherwise is an error, and a doubt about the whole file. Never
//! decides what becomes of a file that is in doubt.

use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use redb::{BackendError, StorageBackend};

use super::sums::{BLOCK_BYTES, Sums, are_blocks, sum};
use crate::lock::lock;

/// A file, and the sums of its blocks.
#[derive(Debug)]
pub(super) struct Summed {
    file: Box<dyn StorageBackend>,
    sums: Arc<Sums>,
    /// Held while a block and its sum change.
    writing: Mutex<()>,
    /// Is set where a block is wrong.
    doubt: Arc<AtomicBool>,
    /// How often redb has written to it, or made it longer or shorter.
    writes: Arc<AtomicU64>,
    /// Where the file is only looked at: how many bits were put right. No sum is written then.
    mended: Option<Arc<AtomicU64>>,
}

/// A block that is not what its sum says.
struct Wrong {
    /// Where it begins in what was read.
    at: usize,
    number: usize,
    sum: u64,
}

impl Summed {
    pub(super) fn new(
        file: Box<dyn StorageBackend>,
        sums: Arc<Sums>,
        (doubt, writes): (Arc<AtomicBool>, Arc<AtomicU64>),
    ) -> Self {
        Self { file, sums, writing: Mutex::new(()), doubt, writes, mended: None }
    }

    /// The same of a file that keeps in memory what is written to it. Counts the bits that are put
    /// right, and writes nothing anywhere.
    pub(super) fn looked_at(
        file: Box<dyn StorageBackend>,
        sums: Arc<Sums>,
        doubt: Arc<AtomicBool>,
        mended: Arc<AtomicU64>,
    ) -> Self {
        Self { mended: Some(mended), ..Self::new(file, sums, (doubt, Arc::default())) }
    }

    /// The first block of these that is wrong.
    fn wrong(&self, offset: u64, read: &[u8]) -> Option<Wrong> {
        if !are_blocks(offset, read) {
            return None;
        }
        let first = offset as usize / BLOCK_BYTES;
        let wrong = |(index, block): (usize, &[u8])| {
            let number = first + index;
            let said = self.sums.of(number)?;
            let at = index * BLOCK_BYTES;
            (sum(number, block) != said).then_some(Wrong { at, number, sum: said })
        };
        read.chunks_exact(BLOCK_BYTES).enumerate().find_map(wrong)
    }

    /// Puts right what one bit explains.
    fn mend(&self, offset: u64, read: &mut [u8]) -> io::Result<()> {
        while let Some(Wrong { at, number, sum }) = self.wrong(offset, read) {
            let block = &mut read[at..at + BLOCK_BYTES];
            let Some(bit) = mended(block, number, sum) else {
                self.doubt.store(true, Ordering::Release);
                let begin = number * BLOCK_BYTES;
                let text = format!("hookgate.redb is not what was written, from byte {begin} on");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            };
            let byte = (number * BLOCK_BYTES + bit / 8) as u64;
            match &self.mended {
                Some(mended) => {
                    mended.fetch_add(1, Ordering::AcqRel);
                }
                None => tracing::error!(
                    byte,
                    "one bit of hookgate.redb at byte {byte} was not what the gateway wrote there; \
                     the gateway mended it: look for a fault of the disk or the memory"
                ),
            }
            // One byte is written whole or not at all. If it can't be, the next who reads it mends
            // it again.
            drop(self.file.write(byte, &block[bit / 8..=bit / 8]));
        }
        Ok(())
    }
}

/// Turns the bit of a block that makes its sum right, if there is one, and gives its number.
fn mended(block: &mut [u8], number: usize, said: u64) -> Option<usize> {
    for bit in 0..block.len() * 8 {
        block[bit / 8] ^= 1 << (bit % 8);
        if sum(number, block) == said {
            return Some(bit);
        }
        block[bit / 8] ^= 1 << (bit % 8);
    }
    None
}

impl StorageBackend for Summed {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)?;
        if self.wrong(offset, out).is_none() {
            return Ok(());
        }
        // Somebody may have written it meanwhile.
        let _held = lock(&self.writing);
        self.file.read(offset, out)?;
        self.mend(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let _held = lock(&self.writing);
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.file.set_len(length)?;
        self.sums.cut(length);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.mended.is_none() {
            // A block that counts must not be without its sum.
            self.sums.flush()?;
        }
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let _held = lock(&self.writing);
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.file.write(offset, data)?;
        self.sums.note(offset, data);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;
    use tempfile::TempDir;

    use super::*;
    use crate::store::file::backend::Medium;
    use crate::store::file::folder::Folder;

    const BLOCKS: u64 = 8;

    /// A file of blocks that all have a sum, and the folder in which those are.
    fn summed() -> (TempDir, Summed) {
        let folder = TempDir::new().expect("there is a place for temporary files");
        let medium: Arc<dyn Medium> = Arc::new(Folder::new(folder.path()));
        let file = Box::new(InMemoryBackend::new());
        let sums = Arc::new(Sums::load(&medium, &*file, true).expect("there are none"));
        let summed = Summed::new(file, sums, Default::default());
        summed.set_len(BLOCKS * BLOCK_BYTES as u64).unwrap();
        for number in 0..BLOCKS {
            summed.write(number * BLOCK_BYTES as u64, &block(number)).unwrap();
        }
        (folder, summed)
    }

    fn block(number: u64) -> Vec<u8> {
        (0..BLOCK_BYTES).map(|at| (at as u64 * 31 + number) as u8).collect()
    }

    /// Turns these bits of a byte behind the sums' back.
    fn rot(summed: &Summed, byte: u64, bits: u8) {
        let mut found = [0];
        summed.file.read(byte, &mut found).unwrap();
        summed.file.write(byte, &[found[0] ^ bits]).unwrap();
    }

    #[test]
    fn a_flipped_bit_is_put_right_where_it_is_read_and_where_it_stands() {
        let (_folder, summed) = summed();
        let whole = [block(2), block(3)].concat();
        for byte in [8192, 8193 + 4095, 16_383] {
            rot(&summed, byte, 1 << (byte % 8));
            let mut read = vec![0; 2 * BLOCK_BYTES];
            summed.read(8192, &mut read).unwrap();
            assert!(read == whole, "byte {byte}");
            summed.file.read(8192, &mut read).unwrap();
            assert!(read == whole, "byte {byte}");
        }
        assert!(!summed.doubt.load(Ordering::Relaxed));
    }

    #[test]
    fn what_more_than_a_bit_explains_is_an_error_and_a_doubt() {
        let (_folder, summed) = summed();
        rot(&summed, 9000, 3);
        let mut read = vec![0; BLOCK_BYTES];
        summed.read(4096, &mut read).unwrap();
        assert!(!summed.doubt.load(Ordering::Relaxed));
        let refused = summed.read(8192, &mut read).unwrap_err();
        assert!(refused.to_string().contains("from byte 8192 on"), "{refused}");
        assert!(summed.doubt.load(Ordering::Relaxed));
    }

    #[test]
    fn the_first_block_and_parts_of_blocks_are_read_as_they_are() {
        let (_folder, summed) = summed();
        rot(&summed, 5, 1);
        let mut read = vec![0; BLOCK_BYTES];
        summed.read(0, &mut read).unwrap();
        assert_ne!(read, block(0));
        let mut part = [0; 320];
        summed.read(4096, &mut part).unwrap();
        assert_eq!(part[..], block(1)[..320]);
    }
}
