//! Where the log reaches a time, for whoever reads it through.
//!
//! Positions are in the order of time, give or take what a clock was set by. Never exact: what
//! stands there says by itself when it was stored.

use std::time::Duration;

use super::Snapshot;
use crate::event::Timestamp;
use crate::store::damage::Damages;
use crate::store::error::Failure;
use crate::store::file::view::Segments;
use crate::store::log::record::first_written;
use crate::store::log::segment::Segment;

/// A clock may have been set by so much without a list's missing anything.
pub(in crate::store) const CLOCK_SLACK: Duration = Duration::from_secs(24 * 60 * 60);
/// So many segments in a row must be out of a list's times before it ends: fewer than any page
/// reads.
pub(super) const OUTSIDE_MAX: usize = SEGMENTS_MIN / 2;
/// Segments that say nothing of the time which a search passes over.
const SILENT_MAX: usize = 64;
/// Segments that are read whatever the time: a list always gets on.
pub(super) const SEGMENTS_MIN: usize = 16;

/// Where the log reaches a time.
pub(super) enum Reach {
    /// In the segment at this position.
    At(u64),
    /// Nowhere: all of it is older.
    Never,
    /// That can't be said, since too many segments say nothing of the time.
    Unknown,
}

/// The log, for whoever looks for a time in it.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct TimedLog<'l> {
    pub(in crate::store) log: &'l Segments,
    pub(in crate::store) tag: u32,
    /// Where damage is noted that it meets.
    pub(in crate::store) damages: &'l Damages,
}

impl Snapshot<'_> {
    /// Whether all of a segment is older than a list goes.
    pub(super) fn is_before(&self, segment: &Segment, after: Option<Timestamp>) -> bool {
        let at = after.and_then(|after| Some((first_written(segment, self.tag())?, after)));
        at.is_some_and(|(at, after)| at.after(CLOCK_SLACK) < after)
    }

    /// The key of the segment that takes this position, or the position itself.
    pub(super) fn key_at(&self, position: u64) -> Result<u64, Failure> {
        Ok(self.log.key_up_to(position)?.unwrap_or(position))
    }

    /// Before this position nothing is as late as this.
    pub(super) fn begin_at(&self, time: Timestamp) -> Result<u64, Failure> {
        self.timed().begin_at(time)
    }

    /// Where the log reaches this time.
    pub(super) fn first_at(&self, time: Timestamp) -> Result<Reach, Failure> {
        self.timed().first_at(time)
    }

    fn timed(&self) -> TimedLog<'_> {
        TimedLog { log: &self.log, tag: self.tag(), damages: &self.shared.damages }
    }
}

impl TimedLog<'_> {
    /// Before this position nothing is as late as this: where the last segment begins that is
    /// older, since one that was packed may reach over many days.
    pub(in crate::store) fn begin_at(&self, time: Timestamp) -> Result<u64, Failure> {
        let end = match self.first_at(time)? {
            Reach::At(first) => first,
            Reach::Never => u64::MAX,
            Reach::Unknown => return Ok(0),
        };
        let older = self.timed_at(end.saturating_sub(1))?;
        Ok(older.map_or(0, |(first, _)| first))
    }

    /// Where the log reaches this time: the first segment that is as late, if the clock was never
    /// set by more than the slack. By halves.
    fn first_at(&self, time: Timestamp) -> Result<Reach, Failure> {
        let Some(last) = self.log.last_key()? else { return Ok(Reach::Never) };
        let mut early = 0;
        let mut late = last + 1;
        while early < late {
            let middle = early + (late - early) / 2;
            if self.log.key_up_to(middle)?.is_none() {
                early = middle + 1;
                continue;
            }
            let Some((first, at)) = self.timed_at(middle)? else { return Ok(Reach::Unknown) };
            if at >= time {
                late = first;
            } else {
                early = middle + 1;
            }
        }
        Ok(if late <= last { Reach::At(late) } else { Reach::Never })
    }

    /// The latest segment up to a position that says when it was written, and when.
    fn timed_at(&self, position: u64) -> Result<Option<(u64, Timestamp)>, Failure> {
        for row in self.log.within(..=position)?.rev().take(SILENT_MAX) {
            let (first, segment) = row?;
            let segment = self.damages.pass(segment)?;
            if let Some(at) = segment.and_then(|segment| first_written(&segment, self.tag)) {
                return Ok(Some((first, at)));
            }
        }
        Ok(None)
    }
}
