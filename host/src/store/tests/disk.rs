//! A disk that loses what was not synced, stalls or fails when told.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::store::{Backend, Medium};

/// A disk in memory, with a folder of files on it; clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<(Mutex<Content>, Condvar)>);

/// A file of a disk.
#[derive(Debug)]
struct DiskFile {
    disk: Disk,
    name: String,
}

/// What each file holds.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Default)]
struct Content {
    live: Files,
    synced: Files,
    /// To each file since it was synced last.
    writes: Vec<Written>,
    /// What a power cut would have left, right before each sync was done.
    cuts: Vec<Cut>,
    records_cuts: bool,
    /// After so many more such accesses all of them fail.
    fault: Option<(Fault, usize)>,
    stalls: bool,
    /// A sync waits for the end of that.
    stalled: bool,
}

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Read,
    /// Also making the file larger.
    Write,
    Sync,
}

/// A write that is not synced yet.
#[derive(Debug, Clone)]
struct Written {
    file: String,
    offset: usize,
    data: Vec<u8>,
}

/// What a power cut leaves.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    /// What was synced.
    synced: Files,
    /// What was written behind that: any part of it may be there.
    writes: Vec<Written>,
}

impl Disk {
    /// A disk that holds this.
    pub(super) fn holding(files: Files) -> Self {
        let disk = Self::default();
        disk.content().live.clone_from(&files);
        disk.content().synced = files;
        disk
    }

    /// From now on keeps what a power cut would leave.
    pub(super) fn record_cuts(&self) {
        self.content().records_cuts = true;
    }

    /// How many there are so far.
    pub(super) fn cut_count(&self) -> usize {
        self.content().cuts.len()
    }

    pub(super) fn cuts(&self) -> Vec<Cut> {
        std::mem::take(&mut self.content().cuts)
    }

    /// What is safe now.
    pub(super) fn synced(&self) -> Files {
        self.content().synced.clone()
    }

    /// From now on every sync fails.
    pub(super) fn fail(&self) {
        self.fail_after(Fault::Sync, 0);
    }

    /// After so many more such accesses all of them fail.
    pub(super) fn fail_after(&self, fault: Fault, accesses: usize) {
        self.content().fault = Some((fault, accesses));
    }

    /// Ends [`Disk::fail_after`].
    pub(super) fn mend(&self) {
        self.content().fault = None;
    }

    /// From now on every sync waits.
    pub(super) fn stall(&self) {
        self.content().stalls = true;
    }

    /// Blocks until a sync waits; fails if none comes.
    pub(super) fn wait_for_stall(&self) {
        let waiting = |content: &mut Content| !content.stalled;
        let limit = Duration::from_secs(20);
        let waited = self.0.1.wait_timeout_while(self.content(), limit, waiting).unwrap();
        assert!(!waited.1.timed_out(), "nothing was synced");
    }

    /// Ends [`Disk::stall`].
    pub(super) fn go_on(&self) {
        self.content().stalls = false;
        self.0.1.notify_all();
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.0.lock().unwrap()
    }
}

impl Content {
    fn access(&mut self, kind: Fault) -> io::Result<()> {
        match &mut self.fault {
            Some((fault, 0)) if *fault == kind => Err(io::Error::other("the disk is broken")),
            Some((fault, left)) if *fault == kind => {
                *left -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Cut {
    /// The disk after it, with those of the unsynced writes that `survives` picks.
    pub(super) fn disk(&self, mut survives: impl FnMut() -> bool) -> Disk {
        let mut files = self.synced.clone();
        for written in self.writes.iter().filter(|_| survives()) {
            written.reach(&mut files, written.data.len());
        }
        Disk::holding(files)
    }

    /// The disk after it, with a random part of the unsynced writes, in any order, some of them
    /// only up to a sector.
    pub(super) fn torn(&self, random: &mut fastrand::Rng) -> Disk {
        let mut writes: Vec<&Written> = self.writes.iter().collect();
        random.shuffle(&mut writes);
        let mut files = self.synced.clone();
        for written in writes {
            if random.bool() {
                continue;
            }
            let length = written.data.len();
            let sectors = length.div_ceil(SECTOR_BYTES);
            let kept = if random.u32(..4) == 0 { random.usize(..=sectors) } else { sectors };
            written.reach(&mut files, length.min(kept * SECTOR_BYTES));
        }
        Disk::holding(files)
    }
}

impl Written {
    /// So many bytes of it reach the disk.
    fn reach(&self, files: &mut Files, bytes: usize) {
        write(files.entry(self.file.clone()).or_default(), self.offset, &self.data[..bytes]);
    }
}

/// A disk writes so much whole or not at all.
const SECTOR_BYTES: usize = 512;

fn write(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if bytes.len() < offset + data.len() {
        bytes.resize(offset + data.len(), 0);
    }
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

impl Medium for Disk {
    fn open(&self, name: &str) -> io::Result<Box<dyn Backend>> {
        self.content().live.entry(name.to_owned()).or_default();
        Ok(Box::new(DiskFile { disk: self.clone(), name: name.to_owned() }))
    }
}

impl Backend for DiskFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.content().live[&self.name].len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut content = self.disk.content();
        content.access(Fault::Read)?;
        let bytes = content.live[&self.name].get(index(offset)..index(offset) + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn resize(&self, size: u64) -> io::Result<()> {
        let mut content = self.disk.content();
        content.access(Fault::Write)?;
        content.live.entry(self.name.clone()).or_default().resize(index(size), 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut content = self.disk.content();
        content.stalled = content.stalls;
        self.disk.0.1.notify_all();
        let mut content = self.disk.0.1.wait_while(content, |content| content.stalls).unwrap();
        content.stalled = false;
        content.access(Fault::Sync)?;
        if content.records_cuts {
            let (synced, writes) = (content.synced.clone(), content.writes.clone());
            content.cuts.push(Cut { synced, writes });
        }
        content.writes.retain(|written| written.file != self.name);
        let live = content.live[&self.name].clone();
        content.synced.insert(self.name.clone(), live);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut content = self.disk.content();
        content.access(Fault::Write)?;
        let (file, offset, data) = (self.name.clone(), index(offset), data.to_vec());
        let written = Written { file, offset, data };
        written.reach(&mut content.live, written.data.len());
        content.writes.push(written);
        Ok(())
    }
}
