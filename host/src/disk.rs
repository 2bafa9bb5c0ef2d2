//! The room on the file system of a folder, held against a high-water mark.
//!
//! A resource: asks the system when somebody has it look, and remembers what it said. Whoever
//! decides about a request reads that. Never frees anything.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use crate::lock::lock;

/// Where the operator sets no mark, it is the size of the file system divided by this, and at most
/// [`MARK_BYTES_MAX`].
const MARK_PART: u64 = 20;
const MARK_BYTES_MAX: u64 = 1 << 30;

/// The room that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Space {
    /// What is free, in bytes.
    pub(crate) free: u64,
    /// What should be, in bytes.
    pub(crate) mark: u64,
    /// Whether it was less than that, and has not become an eighth more since.
    pub(crate) is_low: bool,
}

/// The file system of a folder.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the operator says.
    mark: Option<u64>,
    /// `None` before the first look.
    size: Option<Size>,
    is_low: bool,
}

/// What the system says, in bytes.
#[derive(Debug, Clone, Copy)]
struct Size {
    free: u64,
    whole: u64,
}

impl Disk {
    /// Not looked at yet, and so not low.
    pub(crate) fn of(folder: PathBuf) -> Self {
        Self { folder, state: Mutex::default() }
    }

    /// Asks the system. May wait for it.
    pub(crate) fn look(&self) -> io::Result<()> {
        let seen = rustix::fs::statvfs(&self.folder)?;
        let bytes = |blocks: u64| blocks.saturating_mul(seen.f_frsize);
        self.saw(Size { free: bytes(seen.f_bavail), whole: bytes(seen.f_blocks) });
        Ok(())
    }

    fn saw(&self, size: Size) {
        let mut state = self.state();
        state.size = Some(size);
        state.judge();
    }

    /// The mark in bytes, from now on; `None` is the usual part of the file system.
    pub(crate) fn set_mark(&self, mark: Option<u64>) {
        let mut state = self.state();
        state.mark = mark;
        state.judge();
    }

    /// Whether too little was free at the last look.
    pub(crate) fn is_low(&self) -> bool {
        self.state().is_low
    }

    /// What was free at the last look, if there was one.
    pub(crate) fn space(&self) -> Option<Space> {
        let state = self.state();
        let size = state.size?;
        Some(Space { free: size.free, mark: state.mark_of(size), is_low: state.is_low })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn mark_of(&self, size: Size) -> u64 {
        self.mark.unwrap_or_else(|| MARK_BYTES_MAX.min(size.whole / MARK_PART))
    }

    fn judge(&mut self) {
        let Some(size) = self.size else { return };
        let mark = self.mark_of(size);
        // So that it is not low and not low by turns.
        let more = if self.is_low { mark / 8 } else { 0 };
        self.is_low = size.free < mark.saturating_add(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    /// Whether it is low after each of these looks.
    fn is_low(disk: &Disk, whole: u64, free: &[u64]) -> Vec<bool> {
        let look = |free: &u64| {
            disk.saw(Size { free: *free, whole });
            disk.is_low()
        };
        free.iter().map(look).collect()
    }

    #[test]
    fn without_a_mark_a_gibibyte_or_a_twentieth_should_be_free() {
        let large = Disk::of("nowhere".into());
        assert_eq!(is_low(&large, 1_000 * GIB, &[GIB, GIB - 1]), [false, true]);
        let small = Disk::of("nowhere".into());
        assert_eq!(is_low(&small, 20 << 20, &[1 << 20, (1 << 20) - 1]), [false, true]);
    }

    #[test]
    fn a_disk_that_was_low_is_so_until_an_eighth_more_is_free() {
        let disk = Disk::of("nowhere".into());
        disk.set_mark(Some(800));
        let low = is_low(&disk, GIB, &[800, 799, 800, 899, 900, 800]);
        assert_eq!(low, [false, true, true, true, false, false]);
    }

    #[test]
    fn a_mark_counts_at_once_and_zero_is_never_reached() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::of(folder.path().to_owned());
        disk.set_mark(Some(u64::MAX));
        assert!(!disk.is_low() && disk.space().is_none(), "nobody has looked");
        disk.look().unwrap();
        assert!(disk.is_low());
        disk.set_mark(Some(0));
        assert!(!disk.is_low());
        assert!(Disk::of(folder.path().join("gone")).look().is_err());
    }
}
