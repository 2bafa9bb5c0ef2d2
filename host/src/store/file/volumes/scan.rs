//! Reads the log in order: commit after commit, through all its volumes; or one packed volume.
//!
//! Where bytes are no frame it looks for the next whole one behind them. If there is one, they are
//! damage; if there is none, they are the tail that a kill has left of the last write. Holds one
//! frame at a time in memory, and never writes.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::frame::{self, FrameHead, Kind};
use super::volume::{Sort, Volume};
use super::{Extent, Point, Shown};
use crate::store::error::Failure;

/// Read at a time, if a frame does not need more.
const READ_BYTES: usize = 1 << 20;

/// The frame of a commit, or of a packed segment.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Found {
    pub(in crate::store) first: u64,
    pub(in crate::store) extent: Extent,
    pub(in crate::store) body: Vec<u8>,
}

/// What comes next in the log.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Scanned {
    Frame(Found),
    /// Bytes that are no frame, with more of the log behind them, or a volume that can't be read:
    /// damage.
    Broken {
        volume: u32,
        offset: u32,
    },
}

/// The log from a point on.
#[derive(Debug)]
pub(in crate::store) struct Scan {
    left: VecDeque<Step>,
    reader: Option<Reader>,
    from: Point,
    end: Point,
    /// Nothing is added behind what is to be read.
    is_full: bool,
    /// The bodies of frames are given as they lie, also where they are encrypted.
    is_closed: bool,
}

/// A volume that is still to be read.
#[derive(Debug)]
enum Step {
    Volume(Arc<Volume>),
    /// One that can't be read.
    Damaged(u32),
}

impl Scan {
    pub(super) fn new(shown: &Shown, from: Point) -> Self {
        let logs = shown.volumes.values().filter(|volume| volume.sort == Sort::Log);
        let logs = logs.map(|volume| (volume.number, Step::Volume(Arc::clone(volume))));
        let damaged = shown.damaged.iter().map(|number| (*number, Step::Damaged(*number)));
        let mut steps: Vec<_> =
            logs.chain(damaged).filter(|(number, _)| *number >= from.volume).collect();
        steps.sort_by_key(|(number, _)| *number);
        let left = steps.into_iter().map(|(_, step)| step).collect();
        Self { left, reader: None, from, end: from, is_full: false, is_closed: false }
    }

    /// One volume alone. If it is not full, what is broken at its end can't be told from what a
    /// kill has left there.
    pub(super) fn of(volume: Arc<Volume>, is_full: bool) -> Self {
        let (left, from) = (VecDeque::from([Step::Volume(volume)]), Point::START);
        Self { left, reader: None, from, end: from, is_full, is_closed: false }
    }

    /// The same for whoever looks at no body: where one is encrypted, it is not opened.
    #[must_use]
    pub(in crate::store) fn closed(self) -> Self {
        Self { is_closed: true, ..self }
    }

    /// The place behind the last frame so far: where the next one goes.
    pub(in crate::store) fn end(&self) -> Point {
        self.end
    }

    fn step(&mut self) -> Result<Option<Scanned>, Failure> {
        loop {
            let Some(reader) = &mut self.reader else {
                match self.left.pop_front() {
                    None => return Ok(None),
                    Some(Step::Damaged(number)) => {
                        // Nothing goes to it any more, and what comes next goes behind it.
                        self.end = Point { volume: number, offset: 0 };
                        return Ok(Some(Scanned::Broken { volume: number, offset: 0 }));
                    }
                    Some(Step::Volume(volume)) => self.enter(volume)?,
                }
                continue;
            };
            let place = reader.place();
            match reader.step(self.is_full || !self.left.is_empty(), self.is_closed)? {
                Stepped::Frame(found) => {
                    self.end = reader.place();
                    if let Some(found) = found {
                        return Ok(Some(Scanned::Frame(found)));
                    }
                }
                Stepped::Broken => {
                    return Ok(Some(Scanned::Broken {
                        volume: place.volume,
                        offset: place.offset,
                    }));
                }
                Stepped::End => self.reader = None,
            }
        }
    }

    fn enter(&mut self, volume: Arc<Volume>) -> Result<(), Failure> {
        let begin = Point { volume: volume.number, offset: volume.begin() };
        self.end = begin.max(self.from);
        self.reader = Some(Reader::new(volume, self.end.offset)?);
        Ok(())
    }
}

impl Iterator for Scan {
    type Item = Result<Scanned, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// What stands at a place in a volume.
enum Stepped {
    /// A frame; `None` if it says nothing.
    Frame(Option<Found>),
    Broken,
    /// Nothing more in this volume.
    End,
}

/// Reads a volume from front to back.
#[derive(Debug)]
struct Reader {
    volume: Arc<Volume>,
    size: u64,
    /// What is next.
    at: u64,
    /// What was read last, and where it stands.
    held: Vec<u8>,
    held_at: u64,
}

impl Reader {
    fn new(volume: Arc<Volume>, offset: u32) -> Result<Self, Failure> {
        let size = volume.backend.size()?;
        Ok(Self { volume, size, at: u64::from(offset), held: Vec::new(), held_at: 0 })
    }

    fn place(&self) -> Point {
        // A frame begins where an offset can say so; behind the last one nothing is said.
        let offset = u32::try_from(self.at).unwrap_or(u32::MAX);
        Point { volume: self.volume.number, offset }
    }

    /// Reads what is next. If there is another volume behind this one, nothing here is a tail.
    fn step(&mut self, has_successor: bool, is_closed: bool) -> Result<Stepped, Failure> {
        if let Some(head) = self.whole(self.at)? {
            return self.take(head, is_closed).map(Stepped::Frame);
        }
        if let Some(next) = self.find(self.at.saturating_add(1))? {
            self.at = next;
            return Ok(Stepped::Broken);
        }
        let is_broken = has_successor && !self.is_zero(self.at)?;
        self.at = self.size.max(self.at);
        Ok(if is_broken { Stepped::Broken } else { Stepped::End })
    }

    /// Goes behind the frame that is next. A body that does not open is empty, and no record.
    fn take(&mut self, head: FrameHead, is_closed: bool) -> Result<Option<Found>, Failure> {
        let place = self.place();
        let length = frame::HEAD_BYTES + head.length as usize;
        let bytes = self.bytes(self.at, length)?;
        let body = bytes.map_or_else(Vec::new, |it| it[frame::HEAD_BYTES..length].to_vec());
        let body = match is_closed {
            true => body,
            false => self.volume.opened(&head, body)?.unwrap_or_default(),
        };
        self.at += length as u64;
        let Point { volume, offset } = place;
        let extent = Extent { volume, offset, length: length as u32 };
        Ok((head.kind != Kind::Probe).then_some(Found { first: head.first, extent, body }))
    }

    /// The head of the frame at a place, if it is whole.
    fn whole(&mut self, at: u64) -> io::Result<Option<FrameHead>> {
        let (salt, sort) = (self.volume.salt, self.volume.sort);
        let Some(bytes) = self.bytes(at, frame::HEAD_BYTES)? else { return Ok(None) };
        let Some(head) = FrameHead::read(bytes, salt) else { return Ok(None) };
        let length = frame::HEAD_BYTES + head.length as usize;
        let Some(bytes) = self.bytes(at, length)? else { return Ok(None) };
        let is_whole = head.is_of(&bytes[frame::HEAD_BYTES..length], salt);
        Ok(Some(head).filter(|head| is_whole && sort.may_have(head.kind)))
    }

    /// Where the first whole frame from a place on lies.
    fn find(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut at = from;
        while let Some(bytes) = self.bytes(at, frame::HEAD_BYTES)? {
            let begin = frame::MAGIC;
            let Some(found) = bytes.windows(begin.len()).position(|bytes| bytes == begin) else {
                at += (bytes.len() + 1 - begin.len()) as u64;
                continue;
            };
            at += found as u64;
            if self.whole(at)?.is_some() {
                return Ok(Some(at));
            }
            at += 1;
        }
        Ok(None)
    }

    /// Whether there are only zeros from a place on.
    fn is_zero(&mut self, from: u64) -> io::Result<bool> {
        let mut at = from;
        while let Some(bytes) = self.bytes(at, 1)? {
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += bytes.len() as u64;
        }
        Ok(true)
    }

    /// What stands from a place on, at least so many bytes; `None` if there are not so many.
    fn bytes(&mut self, at: u64, least: usize) -> io::Result<Option<&[u8]>> {
        let there = self.size.saturating_sub(at);
        if there < least as u64 {
            return Ok(None);
        }
        let held_end = self.held_at + self.held.len() as u64;
        if at < self.held_at || at + least as u64 > held_end {
            let most = there.min(least.max(READ_BYTES) as u64);
            // If reading fails, nothing is held.
            let mut held = std::mem::take(&mut self.held);
            held.resize(most as usize, 0);
            self.volume.backend.read(at, &mut held)?;
            (self.held, self.held_at) = (held, at);
        }
        Ok(Some(&self.held[(at - self.held_at) as usize..]))
    }
}
