//! Which frames of packed segments a commit has put in the place of others.
//!
//! A sweep writes such frames before the commit that names them, and a kill may come in between:
//! then they are nobody's, and what they were to replace is still the store's. Where the log is
//! without a gap from a commit on that names one, it names every one that was written later. A
//! frame that is needed up to the end of the log is in a volume that nobody but a stranger has
//! removed. Never decides on a frame that is older than what the log names.

use std::collections::{BTreeMap, BTreeSet};

use super::super::redo::{self, RowChange};
use super::super::schema::FIRST_POSITION;
use super::super::volumes::{Extent, Found, Point, Scan, Scanned, Shown, parts};
use crate::store::error::Failure;
use crate::store::log::segment::Segment;

/// The frames that are named.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// The log says of each frame from here on whether a commit names it; `None` if of none.
    since: Option<Point>,
    places: BTreeSet<Point>,
    /// Those in whose place the log puts no others, by the first positions in them.
    needed: BTreeMap<u64, Point>,
    /// The position with which the next commit begins, if none is missing.
    next: Option<u64>,
}

impl Named {
    /// Reads the log.
    pub(super) fn find(log: Scan) -> Result<Self, Failure> {
        let mut named = Self::default();
        for scanned in log {
            let next = match scanned? {
                Scanned::Frame(found) => named.commit(&found),
                Scanned::Broken { .. } => None,
            };
            if next.is_none() {
                named.begin_again();
            }
            named.next = next;
        }
        Ok(named)
    }

    /// What is before this may lack a commit.
    fn begin_again(&mut self) {
        self.since = None;
        self.places.clear();
    }

    /// Takes what a commit names, and gives the position behind it; `None` if it can't be read.
    fn commit(&mut self, found: &Found) -> Option<u64> {
        let Found { first, body, .. } = found;
        if self.next.is_some_and(|next| next != *first) {
            self.begin_again();
        }
        let (segment, redo) = parts(body)?;
        let segment = Segment::read(*first, segment).ok()?;
        if *first == FIRST_POSITION {
            self.since = Some(Point::START);
        }
        for change in redo::read(redo)? {
            match change {
                RowChange::Packed { first, extent, .. } => {
                    let place = place(Extent::read(&extent)?);
                    self.since.get_or_insert(place);
                    self.places.insert(place);
                    self.needed.insert(first, place);
                }
                RowChange::Gone { first } => {
                    self.needed.remove(&first);
                }
                _ => (),
            }
        }
        Some(segment.next())
    }

    /// Whether no commit names the frame of a packed segment that lies there.
    pub(super) fn is_orphan(&self, extent: Extent) -> bool {
        let place = place(extent);
        self.since.is_some_and(|since| place >= since) && !self.places.contains(&place)
    }

    /// Whether the frame that lies there, of the segment with this first position, is needed.
    pub(super) fn is_needed(&self, first: u64, extent: Extent) -> bool {
        self.needed.get(&first) == Some(&place(extent))
    }

    /// How many volumes are missing in which such frames lie.
    pub(super) fn missing(&self, shown: &Shown) -> u64 {
        let damaged: BTreeSet<u32> = shown.damaged().collect();
        let is_there = |volume: u32| shown.has(volume) || damaged.contains(&volume);
        let volumes: BTreeSet<u32> = self.needed.values().map(|place| place.volume).collect();
        volumes.into_iter().filter(|volume| !is_there(*volume)).count() as u64
    }
}

/// Where a frame begins.
fn place(extent: Extent) -> Point {
    let Extent { volume, offset, .. } = extent;
    Point { volume, offset }
}
