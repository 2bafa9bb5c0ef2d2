//! The log in plain files of 256 MiB: a frame with checksums and a sync a group.
//!
//! A frame has a head (magic, length, number, checksums of the body and of the head), then the
//! body. The rows are the keeper's. What follows the last whole frame is cut off at a start.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use twox_hash::XxHash3_64;

use super::hot::{HotFile, Job, Keeper, Place};
use super::{Shape, VOLUME_BYTES, volume_at, volumes_in};

const ENDING: &str = ".log";
const MAGIC: [u8; 4] = *b"HGsh";
/// Magic, length (`u32`), number (`u64`), sum of the body, sum of the head before it.
const HEAD_BYTES: usize = 32;
const HEAD_SUMMED: usize = 24;

/// Zeros that are written at a time.
const AHEAD_BYTES: u64 = 8 << 20;
/// Between two looks whether there are more.
const LOOK: Duration = Duration::from_micros(50);

/// What lies in a file behind the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// It grows with each frame, and each sync writes its new length too.
    Nothing,
    /// Zeros, so that a sync writes nothing but the frame.
    Zeros,
}

/// A file of the log.
struct Volume {
    file: File,
    /// How far there are zeros or frames.
    length: AtomicU64,
}

impl Volume {
    fn open(file: &Path) -> anyhow::Result<Self> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(file)?;
        let length = AtomicU64::new(file.metadata()?.len());
        Ok(Self { file, length })
    }

    /// Writes more zeros behind its end.
    fn lengthen(&self) -> anyhow::Result<()> {
        let length = self.length.load(Ordering::Acquire);
        self.file.write_all_at(&vec![0_u8; AHEAD_BYTES as usize], length)?;
        self.file.sync_data()?;
        self.length.store(length + AHEAD_BYTES, Ordering::Release);
        Ok(())
    }

    /// Counts the frames from an offset on, the first of which has this number; gives where they
    /// end too.
    fn scan(&self, offset: u64, first: u64) -> anyhow::Result<(u64, u64)> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (mut count, mut rest) = (0, bytes.as_slice());
        while let Some(behind) = skip_frame(rest, first + count) {
            rest = behind;
            count += 1;
        }
        Ok((count, offset + (bytes.len() - rest.len()) as u64))
    }
}

/// What follows a whole frame with this number; `None` if there is none.
fn skip_frame(bytes: &[u8], number: u64) -> Option<&[u8]> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let sum = |at: usize| head[at..].first_chunk().copied().map(u64::from_le_bytes);
    let length = u32::from_le_bytes(*head[4..].first_chunk()?) as usize;
    let is_head = head.starts_with(&MAGIC)
        && sum(8)? == number
        && sum(HEAD_SUMMED)? == XxHash3_64::oneshot(&head[..HEAD_SUMMED]);
    let (body, behind) = rest.split_at_checked(length).filter(|_| is_head)?;
    (sum(16)? == XxHash3_64::oneshot(body)).then_some(behind)
}

pub(super) struct Frames {
    folder: PathBuf,
    ahead: Ahead,
    newest: Arc<Volume>,
    /// How far zeros are there or under way.
    zeros: u64,
    place: Place,
    frame: Vec<u8>,
    keeper: Keeper,
}

impl Frames {
    pub(super) fn open(folder: &Path, ahead: Ahead) -> anyhow::Result<Self> {
        let hot = HotFile::open(folder)?;
        let applied = hot.applied()?;
        let mut place = applied;
        let mut newest = Volume::open(&volume_at(folder, applied.volume, ENDING))?;
        for first in volumes_in(folder, ENDING)?.into_iter().filter(|it| *it >= applied.volume) {
            if first > place.volume {
                newest = Volume::open(&volume_at(folder, first, ENDING))?;
                place = Place { volume: first, offset: 0, ..place };
            }
            let (count, offset) = newest.scan(place.offset, place.end)?;
            place = Place { end: place.end + count, offset, ..place };
        }
        newest.file.set_len(place.offset)?;
        newest.length.store(place.offset, Ordering::Release);
        hot.apply(applied.end..place.end, place)?;
        let (folder, zeros, frame) = (folder.to_owned(), place.offset, Vec::new());
        let keeper = Keeper::start(hot, place);
        Ok(Self { folder, ahead, newest: Arc::new(newest), zeros, place, frame, keeper })
    }

    fn write_frame(&mut self, bytes: &[u8]) {
        self.frame.clear();
        self.frame.extend(MAGIC);
        self.frame.extend((bytes.len() as u32).to_le_bytes());
        self.frame.extend(self.place.end.to_le_bytes());
        self.frame.extend(XxHash3_64::oneshot(bytes).to_le_bytes());
        self.frame.extend(XxHash3_64::oneshot(&self.frame).to_le_bytes());
        self.frame.extend(bytes);
    }

    /// Asks for zeros in good time, and waits until they reach up to here. Only the last frame of
    /// a volume goes beyond them.
    fn reach(&mut self, end: u64) -> anyhow::Result<()> {
        while self.zeros < VOLUME_BYTES.min(end + AHEAD_BYTES / 2) {
            let newest = Arc::clone(&self.newest);
            self.keeper.send(Job::Other(Box::new(move || newest.lengthen())))?;
            self.zeros += AHEAD_BYTES;
        }
        while self.newest.length.load(Ordering::Acquire) < VOLUME_BYTES.min(end) {
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Shape for Frames {
    fn end(&self) -> u64 {
        self.place.end
    }

    fn commit(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.write_frame(bytes);
        let Place { end, volume: first, offset } = self.place;
        let behind = offset + self.frame.len() as u64;
        if self.ahead == Ahead::Zeros {
            self.reach(behind)?;
        }
        self.newest.file.write_all_at(&self.frame, offset)?;
        self.newest.file.sync_data()?;
        self.place = Place { end: end + 1, volume: first, offset: behind };
        self.keeper.send(Job::Committed(self.place))?;
        if behind >= VOLUME_BYTES {
            self.newest.file.set_len(behind)?;
            self.newest = Arc::new(Volume::open(&volume_at(&self.folder, end + 1, ENDING))?);
            File::open(&self.folder)?.sync_all()?;
            self.place = Place { end: end + 1, volume: end + 1, offset: 0 };
            self.zeros = 0;
        }
        Ok(())
    }
}
