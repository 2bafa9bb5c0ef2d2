//! The file of rows for whoever only looks at it: what redb writes stays in memory.
//!
//! redb writes to each file that it opens, be it only that it is open. Here it reads what it wrote,
//! and the file is what it was; its locks are the file's own, so that no gateway comes between.
//! Never writes to the disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::Mutex;

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

use crate::lock::lock;

/// What is written is kept in pieces of so many bytes.
const BLOCK_BYTES: u64 = 4096;

/// A file, and what was written over it.
#[derive(Debug)]
pub(super) struct Overlay {
    file: FileBackend,
    written: Mutex<Written>,
}

/// What was written.
#[derive(Debug)]
struct Written {
    length: u64,
    /// So much of the file is still to be seen; behind that there are zeros.
    under: u64,
    /// Pieces that are not as they are in the file, by number.
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    pub(super) fn of(file: File) -> Result<Self, DatabaseError> {
        let length = file.metadata()?.len();
        let file = FileBackend::new(file)?;
        let written = Written { length, under: length, blocks: BTreeMap::new() };
        Ok(Self { file, written: Mutex::new(written) })
    }
}

impl Written {
    /// Fills `out` with what stands from an offset on.
    fn fill(&self, file: &FileBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = self.under.saturating_sub(offset).min(out.len() as u64) as usize;
        let (from_file, zeros) = out.split_at_mut(there);
        if !from_file.is_empty() {
            file.read(offset, from_file)?;
        }
        zeros.fill(0);
        let end = offset + out.len() as u64;
        for (number, block) in self.blocks.range(offset / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES)) {
            let begin = number * BLOCK_BYTES;
            let (from, to) = (begin.max(offset), (begin + BLOCK_BYTES).min(end));
            let piece = &block[(from - begin) as usize..(to - begin) as usize];
            out[(from - offset) as usize..(to - offset) as usize].copy_from_slice(piece);
        }
        Ok(())
    }

    /// A piece, to be written to.
    fn block(&mut self, file: &FileBackend, number: u64) -> io::Result<&mut Vec<u8>> {
        let block = match self.blocks.remove(&number) {
            Some(block) => block,
            None => {
                let mut block = vec![0; BLOCK_BYTES as usize];
                self.fill(file, number * BLOCK_BYTES, &mut block)?;
                block
            }
        };
        Ok(self.blocks.entry(number).or_insert(block))
    }

    /// Forgets what stands behind this, so that it is zero if it comes again.
    fn cut(&mut self, length: u64) {
        self.under = self.under.min(length);
        drop(self.blocks.split_off(&length.div_ceil(BLOCK_BYTES)));
        if let Some(block) = self.blocks.get_mut(&(length / BLOCK_BYTES)) {
            block[(length % BLOCK_BYTES) as usize..].fill(0);
        }
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.written).length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = lock(&self.written);
        if offset.saturating_add(out.len() as u64) > written.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        written.fill(&self.file, offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut written = lock(&self.written);
        written.cut(length);
        written.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = lock(&self.written);
        let (mut at, mut left) = (offset, data);
        while !left.is_empty() {
            let inside = (at % BLOCK_BYTES) as usize;
            let (piece, rest) = left.split_at(left.len().min(BLOCK_BYTES as usize - inside));
            let block = written.block(&self.file, at / BLOCK_BYTES)?;
            block[inside..inside + piece.len()].copy_from_slice(piece);
            (at, left) = (at + piece.len() as u64, rest);
        }
        written.length = written.length.max(at);
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
    use std::io::Write;

    use super::*;

    /// A file of so many bytes that count up, and what lies over it.
    fn overlay(length: usize) -> (tempfile::NamedTempFile, Overlay) {
        let mut file = tempfile::NamedTempFile::new().expect("there is a place for it");
        let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
        file.write_all(&bytes).expect("there is room");
        let opened = File::options().read(true).write(true).open(file.path());
        let overlay = Overlay::of(opened.expect("it is there")).expect("it is a file");
        (file, overlay)
    }

    fn all(overlay: &Overlay) -> Vec<u8> {
        let mut bytes = vec![0xee; overlay.len().expect("it is known") as usize];
        overlay.read(0, &mut bytes).expect("it is there");
        bytes
    }

    #[test]
    fn what_is_written_is_read_and_the_file_stays_as_it_is() {
        let (file, overlay) = overlay(10_000);
        let mut expected = std::fs::read(file.path()).unwrap();
        assert_eq!(all(&overlay), expected);
        for (offset, length) in [(0, 1), (4000, 200), (4096, 4096), (9_990, 30), (12_000, 9000)] {
            let data = vec![0xaa; length];
            overlay.write(offset as u64, &data).unwrap();
            expected.resize(expected.len().max(offset + length), 0);
            expected[offset..offset + length].copy_from_slice(&data);
            assert_eq!(all(&overlay), expected, "{offset}");
        }
        let mut part = [0; 300];
        overlay.read(3950, &mut part).unwrap();
        assert_eq!(part, expected[3950..4250]);
        assert!(overlay.read(20_900, &mut part).is_err(), "there is less");
        assert_eq!(std::fs::metadata(file.path()).unwrap().len(), 10_000);
        assert_eq!(std::fs::read(file.path()).unwrap()[4000], (4000 % 256) as u8);
    }

    #[test]
    fn what_was_cut_off_is_zero_when_it_comes_again() {
        let (file, overlay) = overlay(10_000);
        overlay.write(4090, &[0xaa; 20]).unwrap();
        overlay.set_len(4100).unwrap();
        overlay.set_len(9000).unwrap();
        let mut expected = std::fs::read(file.path()).unwrap();
        expected[4090..4100].fill(0xaa);
        expected.truncate(4100);
        expected.resize(9000, 0);
        assert_eq!(all(&overlay), expected);
    }
}
