//! Adds frames to the volumes, and makes and removes volumes.
//!
//! A commit's frame is durable when it is given back. Whoever has seen a write fail must read anew
//! where the log ends: this writer refuses everything from then on. Never changes a byte of a frame
//! that was written.

use std::io;
use std::sync::Arc;

use super::frame::{self, Kind};
use super::volume::{self, Sort, Volume};
use super::zeros::Zeros;
use super::{Extent, Point, Volumes};
use crate::store::error::Failure;

/// Between frames no more memory is kept than this.
const BUFFER_BYTES: usize = 4 << 20;

/// Adds frames to the volumes of a store. There is one at a time.
#[derive(Debug)]
pub(in crate::store) struct VolumeWriter {
    volumes: Volumes,
    log: Filling,
    /// `None` until something is packed, or where the newest packed volume is full.
    packed: Option<Filling>,
    /// Something was packed since it was synced last.
    is_unsynced: bool,
    /// What comes next goes to a new log volume, however full the newest is.
    is_left: bool,
    /// A write has failed: what stands on the disk is not known.
    is_broken: bool,
    /// A warning about a volume that can't be removed was logged.
    has_warned: bool,
    zeros: Option<Zeros>,
    /// An offset near the end of the log, and the bytes there: if they are others now,
    /// another program has written to the log.
    mark: (u64, Vec<u8>),
    buffer: Vec<u8>,
}

/// A volume that is being filled, and where its next frame goes.
#[derive(Debug)]
struct Filling {
    volume: Arc<Volume>,
    offset: u64,
}

impl VolumeWriter {
    /// Goes on at the end that a scan has found, and cuts off what a kill has left behind it. If
    /// there is no such volume, makes one. When this returns, all that the scan has found is
    /// durable, with its names. The writer before it must have been dropped.
    pub(in crate::store) fn at(volumes: Volumes, end: Point) -> Result<Self, Failure> {
        volumes.remove_unfinished();
        // A kill may have come between a new name and its sync.
        volumes.0.medium.sync_names()?;
        // Whatever was behind the end: no frame of the next volume may lie before it.
        volumes.use_up(end.volume);
        let log = match Filling::at(&volumes, end)? {
            Some(part) => part,
            None => Filling::new(&volumes, Sort::Log)?,
        };
        let packed = Filling::newest_packed(&volumes)?;
        let mark = log.before()?;
        let mut writer = Self {
            volumes,
            log,
            packed,
            is_unsynced: false,
            is_left: false,
            is_broken: false,
            has_warned: false,
            zeros: None,
            mark,
            buffer: Vec::new(),
        };
        writer.begin_zeros();
        Ok(writer)
    }

    /// Adds the frame of a commit, whose body is all the parts; returns when it is durable.
    pub(in crate::store) fn append(
        &mut self,
        first: u64,
        parts: &[&[u8]],
    ) -> Result<Extent, Failure> {
        self.add(Kind::Commit, first, parts)
    }

    /// Adds a frame that says nothing, to see whether one can be written.
    pub(in crate::store) fn probe(&mut self) -> Result<(), Failure> {
        self.add(Kind::Probe, 0, &[]).map(drop)
    }

    fn add(&mut self, kind: Kind, first: u64, parts: &[&[u8]]) -> Result<Extent, Failure> {
        self.check_whole()?;
        if self.is_left || self.log.offset >= self.volumes.limit(Sort::Log) {
            let log = Filling::new(&self.volumes, Sort::Log)?;
            self.mark = log.before()?;
            (self.log, self.is_left) = (log, false);
            self.begin_zeros();
        }
        self.log.volume.write_frame(&mut self.buffer, kind, first, parts)?;
        let extent = self.log.extent(&self.buffer)?;
        self.is_broken = true;
        self.log.volume.backend.write(self.log.offset, &self.buffer)?;
        self.log.volume.backend.sync()?;
        self.is_broken = false;
        self.log.offset += self.buffer.len() as u64;
        self.mark.0 = u64::from(extent.offset);
        self.mark.1.clear();
        self.mark.1.extend_from_slice(&self.buffer[..frame::HEAD_BYTES]);
        self.let_buffer_go();
        self.keep_ahead();
        Ok(extent)
    }

    /// Adds a packed segment; durable after [`Self::sync_packed`].
    pub(in crate::store) fn pack(&mut self, first: u64, segment: &[u8]) -> Result<Extent, Failure> {
        self.check_whole()?;
        let limit = self.volumes.limit(Sort::Packed);
        if self.packed.as_ref().is_none_or(|packed| packed.offset >= limit) {
            self.sync_packed()?;
            self.packed = None;
        }
        let packed = match self.packed.take() {
            Some(packed) => packed,
            None => Filling::new(&self.volumes, Sort::Packed)?,
        };
        let packed = self.packed.insert(packed);
        let volume = &packed.volume;
        volume.write_frame(&mut self.buffer, Kind::Packed, first, &[segment])?;
        let extent = packed.extent(&self.buffer)?;
        self.is_broken = true;
        volume.backend.write(packed.offset, &self.buffer)?;
        (self.is_broken, self.is_unsynced) = (false, true);
        packed.offset += self.buffer.len() as u64;
        self.let_buffer_go();
        Ok(extent)
    }

    /// Leaves the volumes that are there: what comes next goes to new ones.
    pub(in crate::store) fn leave(&mut self) -> Result<(), Failure> {
        self.sync_packed()?;
        (self.packed, self.is_left) = (None, true);
        Ok(())
    }

    /// Returns when all that was packed is durable.
    pub(in crate::store) fn sync_packed(&mut self) -> Result<(), Failure> {
        self.check_whole()?;
        if let Some(packed) = self.packed.as_ref().filter(|_| self.is_unsynced) {
            self.is_broken = true;
            packed.volume.backend.sync()?;
            (self.is_broken, self.is_unsynced) = (false, false);
        }
        Ok(())
    }

    /// Where the log ends.
    pub(in crate::store) fn end(&self) -> Point {
        self.log.point()
    }

    /// Whether it is one to which frames are added: such a volume is never removed.
    pub(in crate::store) fn is_written(&self, volume: u32) -> bool {
        let packed = self.packed.as_ref().map(|packed| packed.volume.number);
        self.log.volume.number == volume || packed == Some(volume)
    }

    /// Removes volumes that no row points into, but for those to which frames are added. Where that
    /// fails, the next start finds them.
    pub(in crate::store) fn remove(&mut self, volumes: &[u32]) {
        for number in volumes.iter().copied() {
            if self.is_written(number) {
                continue;
            }
            let Err(error) = self.volumes.remove(number) else { continue };
            if !self.has_warned {
                let file = volume::name(number);
                tracing::warn!(file, "the gateway can't remove a volume of the store: {error}");
            }
            self.has_warned = true;
        }
    }

    /// Whether the log still lies where it was made, and nobody else has written to its end.
    pub(in crate::store) fn check_place(&self) -> Result<(), Failure> {
        let volume = &self.log.volume;
        let path = || self.volumes.place(volume);
        if !volume.backend.is_in_place()? {
            return Err(Failure::Displaced { path: path() });
        }
        let (offset, left) = &self.mark;
        let mut now = vec![0; left.len()];
        match volume.backend.read(*offset, &mut now) {
            Ok(()) if now == *left => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error.into()),
            _ => Err(Failure::Overwritten { path: path() }),
        }
    }

    fn check_whole(&self) -> Result<(), Failure> {
        if self.is_broken {
            return Err(io::Error::other("an earlier write to the log has failed").into());
        }
        Ok(())
    }

    /// One large frame is no reason to keep as much memory for ever.
    fn let_buffer_go(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES);
    }

    /// Without zeros ahead of it, the volume grows as it is written.
    fn begin_zeros(&mut self) {
        // Ends the thread of the volume before.
        self.zeros = None;
        let Filling { volume, offset } = &self.log;
        let ahead = self.volumes.0.medium.ahead(&volume::name(volume.number));
        let begun = ahead.and_then(|end| end.map(|end| Zeros::behind(end, *offset)).transpose());
        match begun {
            Ok(zeros) => self.zeros = zeros,
            Err(error) => {
                tracing::debug!("the gateway can't lengthen the store's log ahead: {error}");
            }
        }
        self.keep_ahead();
    }

    fn keep_ahead(&self) {
        if let Some(zeros) = &self.zeros {
            zeros.keep_ahead(self.log.offset, self.volumes.limit(Sort::Log));
        }
    }
}

impl Filling {
    fn new(volumes: &Volumes, sort: Sort) -> Result<Self, Failure> {
        let volume = volumes.make(sort)?;
        let offset = u64::from(volume.begin());
        Ok(Self { volume, offset })
    }

    /// The log volume that ends there, and nothing behind that; `None` if there is none, or nothing
    /// may be added to it.
    fn at(volumes: &Volumes, end: Point) -> Result<Option<Self>, Failure> {
        let shown = volumes.shown();
        let volume = shown.volumes.get(&end.volume).filter(|volume| volume.sort == Sort::Log);
        let Some(volume) = volume else { return Ok(None) };
        let (size, offset) = (volume.backend.size()?, u64::from(end.offset.max(volume.begin())));
        if size < offset {
            return Ok(None);
        }
        if size > offset {
            volume.backend.resize(offset)?;
        }
        // What stood there must never come back behind what is written there now. And a kill may
        // have come between the write and the sync of the last frame, which counts from here on.
        volume.backend.sync()?;
        // What is sealed from now on goes to a volume that is.
        let fits = volumes.fits(volume);
        Ok(fits.then(|| Self { volume: Arc::clone(volume), offset }))
    }

    /// The newest packed volume, if it is not full. Whatever a kill has left at its end stays: no
    /// row points there.
    fn newest_packed(volumes: &Volumes) -> Result<Option<Self>, Failure> {
        let shown = volumes.shown();
        let newest = shown.volumes.values().rfind(|volume| volume.sort == Sort::Packed);
        let Some(volume) = newest else { return Ok(None) };
        let offset = volume.backend.size()?;
        let is_open = offset < volumes.limit(Sort::Packed) && volumes.fits(volume);
        Ok(is_open.then(|| Self { volume: Arc::clone(volume), offset }))
    }

    /// Where a frame would lie. Its end must fit an offset too, because a scan may begin there.
    fn extent(&self, frame: &[u8]) -> io::Result<Extent> {
        let (offset, length) = (self.offset, frame.len() as u64);
        if u32::try_from(offset + length).is_err() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let (offset, length) = (offset as u32, length as u32);
        Ok(Extent { volume: self.volume.number, offset, length })
    }

    /// The last bytes before the end, and where they stand.
    fn before(&self) -> Result<(u64, Vec<u8>), Failure> {
        let mut bytes = vec![0; frame::HEAD_BYTES];
        let offset = self.offset - bytes.len() as u64;
        self.volume.backend.read(offset, &mut bytes)?;
        Ok((offset, bytes))
    }

    fn point(&self) -> Point {
        let offset = u32::try_from(self.offset).unwrap_or(u32::MAX);
        Point { volume: self.volume.number, offset }
    }
}
