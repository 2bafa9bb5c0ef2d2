//! The log on disk: plain files in the data folder, the volumes, and in them frames.
//!
//! Two sorts in one numbering: to the newest log volume each commit adds one frame, to packed ones
//! go the segments that were packed. Here is the set of them and how one frame of it is read;
//! `scan` reads the log in order, `writer` adds to it. Never knows what a frame's body says, but
//! where in one of a commit the segment lies.

mod frame;
mod scan;
mod seal;
mod sizes;
mod volume;
mod writer;
mod zeros;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use self::frame::Kind;
pub(in crate::store) use self::scan::{Found, Scan, Scanned};
use self::seal::Seal;
use self::volume::{Opened, Sort, Volume};
pub(in crate::store) use self::writer::VolumeWriter;
use super::backend::Medium;
use crate::lock::lock;
use crate::store::error::Failure;
use crate::store::volume_keys::VolumeKeys;

/// A volume is full at this size: no frame begins behind it, but the last one may end behind it.
pub(in crate::store) const VOLUME_BYTES: u64 = 256 << 20;
/// The same for a log volume, which is smaller: all in it is soon packed, and only then it goes.
const LOG_VOLUME_BYTES: u64 = 16 << 20;

/// What an extent takes in a row.
pub(in crate::store) const EXTENT_BYTES: usize = 12;

/// Where a whole frame lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Extent {
    pub(in crate::store) volume: u32,
    pub(in crate::store) offset: u32,
    /// With the frame's head.
    pub(in crate::store) length: u32,
}

impl Extent {
    /// As it stands in a row.
    pub(in crate::store) fn write(self) -> [u8; EXTENT_BYTES] {
        let mut bytes = [0; EXTENT_BYTES];
        for (to, part) in bytes.chunks_exact_mut(4).zip([self.volume, self.offset, self.length]) {
            to.copy_from_slice(&part.to_le_bytes());
        }
        bytes
    }

    /// `None` if these are not [`EXTENT_BYTES`].
    pub(in crate::store) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; EXTENT_BYTES] = bytes.try_into().ok()?;
        let part = |at: usize| bytes[at..].first_chunk().copied().map(u32::from_le_bytes);
        Some(Self { volume: part(0)?, offset: part(4)?, length: part(8)? })
    }

    /// The place behind it.
    pub(in crate::store) fn end(self) -> Point {
        Point { volume: self.volume, offset: self.offset.saturating_add(self.length) }
    }
}

/// A place between the frames of log volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct Point {
    pub(in crate::store) volume: u32,
    pub(in crate::store) offset: u32,
}

impl Point {
    /// Before all.
    pub(in crate::store) const START: Self = Self { volume: 0, offset: 0 };

    /// As it stands among the facts of the store.
    pub(in crate::store) fn write(self) -> u64 {
        (u64::from(self.volume) << 32) | u64::from(self.offset)
    }

    pub(in crate::store) fn read(fact: u64) -> Self {
        // Each half is what it says.
        Self { volume: (fact >> 32) as u32, offset: fact as u32 }
    }
}

/// The volumes of a store. Clones are the same.
#[derive(Debug, Clone)]
pub(in crate::store) struct Volumes(Arc<Set>);

#[derive(Debug)]
struct Set {
    medium: Arc<dyn Medium>,
    tag: u32,
    /// No frame begins behind this.
    limit: u64,
    keys: VolumeKeys,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    shown: Arc<Shown>,
    /// The highest number that a volume of this store has or had.
    last: u32,
    /// Numbers of which other files have the names.
    foreign: BTreeSet<u32>,
    /// Numbers of files that were not finished.
    unfinished: BTreeSet<u32>,
}

/// The volumes as they are at a time. They can be read while this lives, also when they are removed
/// meanwhile.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Shown {
    volumes: BTreeMap<u32, Arc<Volume>>,
    /// Those whose heads can't be read, and so nothing in them.
    damaged: BTreeSet<u32>,
}

impl Volumes {
    /// Finds the volumes of the store with this tag, and reads the head of each; a volume is full
    /// when it has `limit` bytes. Leaves other files with names of volumes alone.
    pub(in crate::store) fn open(
        medium: Arc<dyn Medium>,
        tag: u32,
        limit: u64,
    ) -> Result<Self, Failure> {
        Self::open_with(medium, tag, limit, &VolumeKeys::default())
    }

    /// The same where volumes are sealed, or may be.
    pub(in crate::store) fn open_with(
        medium: Arc<dyn Medium>,
        tag: u32,
        limit: u64,
        keys: &VolumeKeys,
    ) -> Result<Self, Failure> {
        let mut shown = Shown::default();
        let (mut foreign, mut unfinished) = (BTreeSet::new(), BTreeSet::new());
        for number in medium.names()?.iter().filter_map(|name| volume::number_in(name)) {
            let file = volume::name(number);
            match Volume::open(&*medium, (tag, number), keys)? {
                Opened::Volume(volume) => {
                    shown.volumes.insert(number, Arc::new(volume));
                }
                Opened::Unfinished => {
                    unfinished.insert(number);
                }
                Opened::Damaged => {
                    tracing::error!(
                        file,
                        "the gateway can't read a volume of the store: its head is damaged"
                    );
                    shown.damaged.insert(number);
                }
                Opened::Foreign(kind) => {
                    tracing::warn!(
                        file,
                        kind,
                        "a file has the name of a volume of the store; the gateway ignores it"
                    );
                    foreign.insert(number);
                }
            }
        }
        let last = shown.volumes.keys().chain(&shown.damaged).copied().max().unwrap_or(0);
        let state = Mutex::new(State { shown: Arc::new(shown), last, foreign, unfinished });
        Ok(Self(Arc::new(Set { medium, tag, limit, keys: keys.clone(), state })))
    }

    /// The volumes of now.
    pub(in crate::store) fn shown(&self) -> Arc<Shown> {
        Arc::clone(&lock(&self.0.state).shown)
    }

    /// The frames of commits from a point on, in order.
    pub(in crate::store) fn frames_from(&self, point: Point) -> Scan {
        Scan::new(&self.shown(), point)
    }

    /// The frames of a packed volume, in order; `None` if there is no such volume.
    pub(in crate::store) fn frames_of(&self, number: u32) -> Option<Scan> {
        let shown = self.shown();
        let volume = shown.volumes.get(&number).filter(|volume| volume.sort == Sort::Packed)?;
        let mut later = shown.volumes.range(number..).skip(1);
        let is_full = later.any(|(_, volume)| volume.sort == Sort::Packed);
        Some(Scan::of(Arc::clone(volume), is_full))
    }

    /// What is read from now on comes from the disk.
    pub(in crate::store) fn forget(&self) -> Result<(), Failure> {
        for volume in self.shown().volumes.values() {
            volume.backend.forget()?;
        }
        Ok(())
    }

    /// What all of them take on the disk. One whose size can't be asked for counts nothing.
    #[cfg(test)]
    pub(in crate::store) fn bytes(&self) -> u64 {
        let shown = self.shown();
        shown.volumes.values().map(|volume| volume.backend.size().unwrap_or(0)).sum()
    }

    /// Makes a new volume, whose number is above those of all others.
    fn make(&self, sort: Sort) -> Result<Arc<Volume>, Failure> {
        let number = self
            .take_number()
            .ok_or_else(|| io::Error::other("the store has no number left for a new volume"))?;
        let made = Volume::make(&*self.0.medium, (self.0.tag, number), sort, &self.0.keys)?;
        let made = Arc::new(made);
        self.change(|shown| shown.volumes.insert(number, Arc::clone(&made)));
        // Another master key may have come since it was sealed, and nobody has seen it then.
        made.renew_seal()?;
        Ok(made)
    }

    /// Whether frames may be added to a volume: not if they are to be sealed, and it is not.
    fn fits(&self, volume: &Volume) -> bool {
        volume.seal.is_some() || !self.0.keys.seals()
    }

    /// Has the first master key seal the keys of all volumes that another sealed; gives how many
    /// there were.
    pub(in crate::store) fn renew_seals(&self) -> Result<u64, Failure> {
        let mut renewed = 0;
        for volume in self.shown().volumes.values() {
            renewed += u64::from(volume.renew_seal()?);
        }
        Ok(renewed)
    }

    /// Whether all volumes that are sealed can be opened; if not, why.
    pub(in crate::store) fn check_unlocked(&self) -> Result<(), Failure> {
        let shown = self.shown();
        let mut seals = shown.volumes.values().filter_map(|volume| volume.seal.as_deref());
        seals.try_for_each(Seal::check)
    }

    /// Whether the volume of this place is there: nothing that was written to it, and nothing
    /// behind that, is found without it.
    pub(in crate::store) fn check_present(&self, place: Point) -> Result<(), Failure> {
        let Point { volume: number, .. } = place;
        let shown = self.shown();
        let is_there = shown.volumes.contains_key(&number) || shown.damaged.contains(&number);
        if place == Point::START || is_there {
            return Ok(());
        }
        Err(Failure::Missing { path: self.0.medium.place(&volume::name(number)) })
    }

    /// No new volume has a number up to this.
    fn use_up(&self, number: u32) {
        let mut state = lock(&self.0.state);
        state.last = state.last.max(number);
    }

    /// A number that no volume has had. If no volume is made with it, it stays unused.
    fn take_number(&self) -> Option<u32> {
        let mut state = lock(&self.0.state);
        loop {
            state.last = state.last.checked_add(1)?;
            let number = state.last;
            if !state.foreign.contains(&number) && !state.unfinished.contains(&number) {
                return Some(number);
            }
        }
    }

    /// Removes the file of a volume that can be read.
    fn remove(&self, number: u32) -> io::Result<()> {
        if !self.shown().volumes.contains_key(&number) {
            return Ok(());
        }
        match self.0.medium.remove(&volume::name(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        // Whoever closes a large file that was removed waits until its space is free: not under the
        // lock.
        drop(self.change(|shown| shown.volumes.remove(&number)));
        Ok(())
    }

    /// Removes the files that a kill has left empty.
    fn remove_unfinished(&self) {
        let unfinished = lock(&self.0.state).unfinished.clone();
        for number in unfinished {
            let removed = self.0.medium.remove(&volume::name(number));
            if removed.is_ok() {
                lock(&self.0.state).unfinished.remove(&number);
            }
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Shown) -> T) -> T {
        change(Arc::make_mut(&mut lock(&self.0.state).shown))
    }

    /// At how many bytes a volume is full.
    fn limit(&self, sort: Sort) -> u64 {
        match sort {
            Sort::Log => self.0.limit.min(LOG_VOLUME_BYTES),
            Sort::Packed => self.0.limit,
        }
    }

    fn place(&self, volume: &Volume) -> PathBuf {
        volume.place(&*self.0.medium)
    }
}

impl Shown {
    /// The numbers of the volumes, in order. Those that can't be read are not among them: nobody
    /// may think that they can go.
    pub(in crate::store) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.volumes.keys().copied()
    }

    /// Whether the volume with this number can be read.
    pub(in crate::store) fn has(&self, number: u32) -> bool {
        self.volumes.contains_key(&number)
    }

    /// The volumes whose heads can't be read.
    pub(in crate::store) fn damaged(&self) -> impl Iterator<Item = u32> {
        self.damaged.iter().copied()
    }

    /// The volumes of whose heads one bit was mended.
    pub(in crate::store) fn mended(&self) -> impl Iterator<Item = u32> {
        self.volumes.values().filter(|volume| volume.is_mended).map(|volume| volume.number)
    }

    /// The volumes before this number that hold more than their heads and the live bytes that are
    /// said of each: log volumes, whose frames say more than their segments, and packed ones with
    /// segments that no row points to any more.
    pub(in crate::store) fn stale(
        &self,
        before: u32,
        live: &BTreeMap<u32, u64>,
    ) -> Result<BTreeSet<u32>, Failure> {
        let mut stale = BTreeSet::new();
        for (number, volume) in self.volumes.range(..before) {
            let live = u64::from(volume.begin()) + live.get(number).copied().unwrap_or(0);
            if volume.sort == Sort::Log || volume.backend.size()? > live {
                stale.insert(*number);
            }
        }
        Ok(stale)
    }

    /// The volumes that are sealed and that no master key opens, with the ids of those that would.
    pub(in crate::store) fn locked(&self) -> BTreeMap<u32, Vec<String>> {
        let sealed = self.volumes.values().filter_map(|it| Some((it.number, it.seal.as_deref()?)));
        let locked = sealed.filter(|(_, seal)| seal.check().is_err());
        locked.map(|(number, seal)| (number, seal.sealed_by())).collect()
    }

    /// The body of the frame that lies there and begins at this position. `None` if it is not
    /// whole, or another one.
    #[cfg(test)]
    pub(in crate::store) fn body(
        &self,
        first: u64,
        extent: Extent,
    ) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.frame(first, extent)?.map(|(_, body)| body))
    }

    /// The segment in it: all of a packed one's body, and a part of a commit's.
    pub(in crate::store) fn segment(
        &self,
        first: u64,
        extent: Extent,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let Some((kind, mut body)) = self.frame(first, extent)? else { return Ok(None) };
        if kind == Kind::Commit {
            let Some((segment, _)) = parts(&body) else { return Ok(None) };
            let length = segment.len();
            drop(body.drain(..SEGMENT_LENGTH_BYTES));
            body.truncate(length);
        }
        Ok(Some(body))
    }

    fn frame(&self, first: u64, extent: Extent) -> Result<Option<(Kind, Vec<u8>)>, Failure> {
        let Extent { volume, offset, length } = extent;
        let Some(volume) = self.volumes.get(&volume) else { return Ok(None) };
        let frame = volume.frame(offset, length)?;
        let found =
            frame.filter(|(head, _)| head.first == first && volume.sort.may_have(head.kind));
        Ok(found.map(|(head, body)| (head.kind, body)))
    }
}

/// The name of the file of a volume.
pub(in crate::store) fn file_name(number: u32) -> String {
    volume::name(number)
}

/// The tag in the first head of a volume that can be read.
pub(in crate::store) fn first_tag(medium: &dyn Medium) -> io::Result<Option<u32>> {
    let names = medium.names()?;
    let numbers: BTreeSet<u32> = names.iter().filter_map(|name| volume::number_in(name)).collect();
    for number in numbers {
        if let Some(tag) = volume::tag_in(medium, number)? {
            return Ok(Some(tag));
        }
    }
    Ok(None)
}

/// In the body of a commit, before the segment.
const SEGMENT_LENGTH_BYTES: usize = 4;

/// The parts of a commit's body: the segment, and the redo.
pub(in crate::store) fn parts(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = body.split_first_chunk::<SEGMENT_LENGTH_BYTES>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_and_points_come_back_from_their_bytes() {
        let extent = Extent { volume: 1, offset: u32::MAX - 9, length: 9 };
        assert_eq!(extent.write()[..5], [1, 0, 0, 0, 0xf6]);
        assert_eq!(Extent::read(&extent.write()), Some(extent));
        assert_eq!(Extent::read(&extent.write()[1..]), None);
        assert_eq!(Extent::read(&[0; 13]), None);
        let point = extent.end();
        assert_eq!(point, Point { volume: 1, offset: u32::MAX });
        assert_eq!(point.write(), 0x1_ffff_ffff);
        assert_eq!(Point::read(point.write()), point);
        assert_eq!(Point::read(0), Point::START);
        assert!(Point::START < Point { volume: 1, offset: 0 } && point < Point::read(2 << 32));
    }

    #[test]
    fn a_body_that_claims_more_than_it_has_has_no_parts() {
        assert_eq!(parts(b"\x02\0\0\0abc"), Some((&b"ab"[..], &b"c"[..])));
        assert_eq!(parts(b"\0\0\0\0"), Some((&b""[..], &b""[..])));
        assert_eq!(parts(b"\x04\0\0\0abc"), None);
        assert_eq!(parts(b"\0\0\0"), None);
    }
}
