//! Which frames of packed segments a commit has put in the place of others.
//!
//! A sweep writes such frames before the commit that names them, and a kill may come in between:
//! then they are nobody's, and what they were to replace is still the store's. Where the log is
//! without a gap from a commit on that names one, it names every one that was written later. Never
//! decides on a frame that is older than that.

use std::collections::BTreeSet;

use super::super::redo::{self, RowChange};
use super::super::schema::FIRST_POSITION;
use super::super::volumes::{Extent, Found, Point, Scan, Scanned, parts};
use crate::store::error::Failure;
use crate::store::log::segment::Segment;

/// The frames that are named.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// The log says of each frame from here on whether a commit names it; `None` if of none.
    since: Option<Point>,
    places: BTreeSet<Point>,
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
                named = Self::default();
            }
            named.next = next;
        }
        Ok(named)
    }

    /// Takes what a commit names, and gives the position behind it; `None` if it can't be read.
    fn commit(&mut self, found: &Found) -> Option<u64> {
        let Found { first, body, .. } = found;
        if self.next.is_some_and(|next| next != *first) {
            *self = Self::default();
        }
        let (segment, redo) = parts(body)?;
        let segment = Segment::read(*first, segment).ok()?;
        if *first == FIRST_POSITION {
            self.since = Some(Point::START);
        }
        for change in redo::read(redo)? {
            let RowChange::Packed { extent, .. } = change else { continue };
            let Extent { volume, offset, .. } = Extent::read(&extent)?;
            let place = Point { volume, offset };
            self.since.get_or_insert(place);
            self.places.insert(place);
        }
        Some(segment.next())
    }

    /// Whether no commit names the frame of a packed segment that lies there.
    pub(super) fn is_orphan(&self, extent: Extent) -> bool {
        let Extent { volume, offset, .. } = extent;
        let place = Point { volume, offset };
        self.since.is_some_and(|since| place >= since) && !self.places.contains(&place)
    }
}
