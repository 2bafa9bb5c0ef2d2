//! A disk that loses what was not synced, stalls or fails when told.
//!
//! As strict as a file system may be: a file that was made or removed is made or removed after a
//! power cut only if the names were synced, whatever is in it. It keeps no more than that: a write
//! that a failed sync has lost is still read until the file is told to forget.

pub(super) mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use self::pages::Pages;
use crate::store::{Backend, Medium};

/// A disk in memory, with a folder of files on it; clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<(Mutex<Content>, Condvar)>);

/// A file of a disk, open.
#[derive(Debug)]
struct DiskFile {
    disk: Disk,
    /// As it was called when it was opened.
    name: String,
    number: usize,
}

/// No sync stalls for longer: a test that fails while it holds one up drops its store, which waits
/// for the writer, and so would never end.
const STALL_MAX: Duration = Duration::from_secs(60);

/// What each file holds.
pub(super) type Files = BTreeMap<String, Pages>;

/// The number of the file of each name.
type Names = BTreeMap<String, usize>;

#[derive(Debug, Default)]
struct Content {
    names: Names,
    synced_names: Names,
    /// Whatever was ever made, by number.
    files: Vec<OnDisk>,
    /// To files since they were synced last.
    writes: Vec<Written>,
    /// What a power cut would have left, right before each sync was done.
    cuts: Vec<Cut>,
    records_cuts: bool,
    /// After so many more such accesses to such files all of them fail.
    fault: Option<(Part, Fault, usize)>,
    /// Syncs wait, but for those of the rows.
    stalls: bool,
    /// A sync waits for the end of that.
    stalled: bool,
    /// Syncs of files that went well.
    syncs: usize,
    reads: Reads,
}

/// A file, as whoever reads it sees it, and as it is after a power cut.
#[derive(Debug, Default)]
struct OnDisk {
    live: Pages,
    synced: Pages,
}

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Read,
    /// Also making the file larger, making one and removing one.
    Write,
    Sync,
    /// A sync, and what it should have made durable never will be: it is read as if it were there
    /// until the file forgets it.
    LostSync,
}

/// Where a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    All,
    /// The file of the rows, and that of its sums.
    Rows,
    /// The volumes, and the names.
    Volumes,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// Bytes of the file of the rows, and of its sums.
    pub(super) rows: usize,
    /// Bytes of volumes.
    pub(super) volumes: usize,
}

/// What was done to a file and is not synced yet.
#[derive(Debug, Clone)]
struct Written {
    file: usize,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Bytes {
        offset: usize,
        data: Arc<[u8]>,
    },
    /// A power cut leaves a file as long as it was, unless something was written behind that.
    Length(usize),
}

/// What a power cut leaves.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    /// The names that were synced.
    synced_names: Names,
    /// As they were: any part of what is different may be there.
    names: Names,
    /// What was synced of each file.
    synced: Vec<Pages>,
    /// What was written behind that: any part of it may be there.
    writes: Vec<Written>,
}

impl Disk {
    /// A disk that holds this.
    pub(super) fn holding(files: Files) -> Self {
        let disk = Self::default();
        {
            let mut content = disk.content();
            for (number, (name, bytes)) in files.into_iter().enumerate() {
                content.files.push(OnDisk { live: bytes.clone(), synced: bytes });
                content.names.insert(name, number);
            }
            content.synced_names = content.names.clone();
        }
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
        self.content().cut().files(|| false)
    }

    /// From now on every sync fails.
    pub(super) fn fail(&self) {
        self.fail_after(Fault::Sync, 0);
    }

    /// After so many more such accesses all of them fail.
    pub(super) fn fail_after(&self, fault: Fault, accesses: usize) {
        self.fail_in(Part::All, fault, accesses);
    }

    /// The same, of accesses to these files alone.
    pub(super) fn fail_in(&self, part: Part, fault: Fault, accesses: usize) {
        self.content().fault = Some((part, fault, accesses));
    }

    /// Ends [`Disk::fail_after`].
    pub(super) fn mend(&self) {
        self.content().fault = None;
    }

    /// From now on every commit waits for its sync. A checkpoint, which may come at any time, goes
    /// on.
    pub(super) fn stall(&self) {
        self.content().stalls = true;
    }

    /// Blocks until a commit waits; fails if none comes.
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

    /// Blocks until this is so of what is safe: looks now, and behind every sync.
    pub(super) fn wait_until(&self, is_so: impl Fn(&Files) -> bool) {
        loop {
            let seen = self.content().syncs;
            if is_so(&self.synced()) {
                return;
            }
            let waiting = |content: &mut Content| content.syncs == seen;
            let limit = Duration::from_secs(20);
            let waited = self.0.1.wait_timeout_while(self.content(), limit, waiting).unwrap();
            assert!(!waited.1.timed_out(), "nothing more was synced");
        }
    }

    /// Bytes of a file are no longer what was written, and nobody is told.
    pub(super) fn rot(&self, name: &str, offset: usize, bytes: &[u8]) {
        let mut content = self.content();
        let number = content.names[name];
        let OnDisk { live, synced } = &mut content.files[number];
        live.write(offset, bytes);
        synced.write(offset, bytes);
    }

    /// What was read since this was asked last.
    pub(super) fn reads(&self) -> Reads {
        std::mem::take(&mut self.content().reads)
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.0.lock().unwrap()
    }

    /// What every sync begins with, of a file or of the names.
    fn begin_sync(&self, name: &str) -> (MutexGuard<'_, Content>, io::Result<()>) {
        let stalls = |content: &mut Content| content.stalls && Part::Volumes.has(name);
        let mut content = self.content();
        content.stalled = stalls(&mut content);
        self.0.1.notify_all();
        let mut content = self.0.1.wait_timeout_while(content, STALL_MAX, stalls).unwrap().0;
        content.stalled = false;
        let access = content.access(Fault::Sync, name);
        if access.is_ok() && content.records_cuts {
            let cut = content.cut();
            content.cuts.push(cut);
        }
        (content, access)
    }
}

/// Whether this is the file of the rows, or that of its sums; all others are volumes.
fn is_of_rows(name: &str) -> bool {
    name.starts_with("hookgate.redb")
}

impl Part {
    fn has(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Rows => is_of_rows(name),
            Self::Volumes => !is_of_rows(name),
        }
    }
}

impl Content {
    fn access(&mut self, kind: Fault, name: &str) -> io::Result<()> {
        let Some((part, fault, left)) = &mut self.fault else { return Ok(()) };
        let is_hit = *fault == kind || (*fault == Fault::LostSync && kind == Fault::Sync);
        if !is_hit || !part.has(name) {
            return Ok(());
        }
        if *left == 0 {
            return Err(io::Error::other("the disk is broken"));
        }
        *left -= 1;
        Ok(())
    }

    fn loses(&self) -> bool {
        matches!(self.fault, Some((_, Fault::LostSync, _)))
    }

    /// Makes an empty file.
    fn make(&mut self, name: &str) -> usize {
        let number = self.files.len();
        self.files.push(OnDisk::default());
        self.names.insert(name.to_owned(), number);
        number
    }

    /// Does something to a file, not synced.
    fn write(&mut self, file: usize, what: What) {
        what.reach(&mut self.files[file].live, usize::MAX);
        self.writes.push(Written { file, what });
    }

    /// Takes what was done to a file and is not synced yet.
    fn take_writes(&mut self, file: usize) -> Vec<Written> {
        let writes = std::mem::take(&mut self.writes);
        let (of_it, others) = writes.into_iter().partition(|written| written.file == file);
        self.writes = others;
        of_it
    }

    /// What a power cut would leave now.
    fn cut(&self) -> Cut {
        Cut {
            synced_names: self.synced_names.clone(),
            names: self.names.clone(),
            synced: self.files.iter().map(|file| file.synced.clone()).collect(),
            writes: self.writes.clone(),
        }
    }
}

impl Cut {
    /// The disk after it, with those of the unsynced writes and names that `survives` picks.
    pub(super) fn disk(&self, survives: impl FnMut() -> bool) -> Disk {
        Disk::holding(self.files(survives))
    }

    fn files(&self, mut survives: impl FnMut() -> bool) -> Files {
        let mut synced = self.synced.clone();
        for written in self.writes.iter().filter(|_| survives()) {
            written.what.survive(&mut synced[written.file], usize::MAX);
        }
        self.named(&synced, survives)
    }

    /// The disk after it, with a random part of the unsynced writes and names, in any order, some
    /// of the writes only up to a sector.
    pub(super) fn torn(&self, random: &mut fastrand::Rng) -> Disk {
        let mut writes: Vec<&Written> = self.writes.iter().collect();
        random.shuffle(&mut writes);
        let mut synced = self.synced.clone();
        for written in writes {
            if random.bool() {
                continue;
            }
            let sectors = written.what.length().div_ceil(SECTOR_BYTES);
            let kept = if random.u32(..4) == 0 { random.usize(..=sectors) } else { sectors };
            written.what.survive(&mut synced[written.file], kept * SECTOR_BYTES);
        }
        Disk::holding(self.named(&synced, || random.bool()))
    }

    /// The files by the names that were synced; of the other names, those that `survives` picks.
    fn named(&self, files: &[Pages], mut survives: impl FnMut() -> bool) -> Files {
        let all: BTreeSet<&String> = self.synced_names.keys().chain(self.names.keys()).collect();
        let mut named = Files::new();
        for name in all {
            let (synced, now) = (self.synced_names.get(name), self.names.get(name));
            let number = if synced != now && survives() { now } else { synced };
            if let Some(number) = number {
                named.insert(name.clone(), files[*number].clone());
            }
        }
        named
    }
}

impl What {
    /// At most so many bytes of it reach the file.
    fn reach(&self, file: &mut Pages, most: usize) {
        match self {
            Self::Bytes { offset, data } => file.write(*offset, &data[..data.len().min(most)]),
            Self::Length(length) => file.resize(*length),
        }
    }

    /// The same, in a power cut.
    fn survive(&self, file: &mut Pages, most: usize) {
        if matches!(self, Self::Bytes { .. }) {
            self.reach(file, most);
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Bytes { data, .. } => data.len(),
            Self::Length(_) => 0,
        }
    }
}

/// A disk writes so much whole or not at all.
const SECTOR_BYTES: usize = 512;

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

impl Medium for Disk {
    fn open(&self, name: &str) -> io::Result<Box<dyn Backend>> {
        let mut content = self.content();
        let known = content.names.get(name).copied();
        if known.is_none() {
            content.access(Fault::Write, name)?;
        }
        let number = known.unwrap_or_else(|| content.make(name));
        Ok(Box::new(DiskFile { disk: self.clone(), name: name.to_owned(), number }))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.content().names.keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut content = self.content();
        content.access(Fault::Write, name)?;
        content.names.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_names(&self) -> io::Result<()> {
        let (mut content, access) = self.begin_sync("");
        access?;
        content.synced_names = content.names.clone();
        Ok(())
    }
}

impl Backend for DiskFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.content().files[self.number].live.length() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut content = self.disk.content();
        content.access(Fault::Read, &self.name)?;
        let reads = &mut content.reads;
        let counted = if is_of_rows(&self.name) { &mut reads.rows } else { &mut reads.volumes };
        *counted += out.len();
        let is_there = content.files[self.number].live.read(index(offset), out);
        is_there.then_some(()).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn resize(&self, size: u64) -> io::Result<()> {
        let mut content = self.disk.content();
        content.access(Fault::Write, &self.name)?;
        content.write(self.number, What::Length(index(size)));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let (mut content, access) = self.disk.begin_sync(&self.name);
        if access.is_err() {
            if content.loses() {
                drop(content.take_writes(self.number));
            }
            return access;
        }
        for written in content.take_writes(self.number) {
            written.what.reach(&mut content.files[self.number].synced, usize::MAX);
        }
        content.syncs += 1;
        self.disk.0.1.notify_all();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut content = self.disk.content();
        content.access(Fault::Write, &self.name)?;
        let (offset, data) = (index(offset), data.into());
        content.write(self.number, What::Bytes { offset, data });
        Ok(())
    }

    fn forget(&self) -> io::Result<()> {
        let mut content = self.disk.content();
        let content = &mut *content;
        let file = &mut content.files[self.number];
        file.live = file.synced.clone();
        for written in content.writes.iter().filter(|written| written.file == self.number) {
            written.what.reach(&mut file.live, usize::MAX);
        }
        Ok(())
    }

    fn is_in_place(&self) -> io::Result<bool> {
        Ok(self.disk.content().names.get(&self.name) == Some(&self.number))
    }
}
