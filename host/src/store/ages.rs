//! How old what stands in the log is: where the log had ended when.
//!
//! In memory, and pure but for [`Store::waiting_for`]: a few hundred points, close together for
//! what is new and ever farther apart for what is old. A start has found those of what was there.
//! Never reads the log.

use std::collections::VecDeque;
use std::time::Duration;

use super::Store;
use super::kind::WorkKind;
use crate::event::Timestamp;

/// So many points reach back for longer than any gateway runs.
const POINTS_MAX: usize = 512;
/// What has grown within this time is one point.
const STEP: Duration = Duration::from_secs(1);
/// Where there are too many, a point is as far from the one before as this part of its age.
const PRECISION: u32 = 16;

/// Where the log had ended when.
#[derive(Debug, Default)]
pub(super) struct Ages(VecDeque<Point>);

#[derive(Debug, Clone, Copy)]
struct Point {
    /// Where the log ended.
    end: u64,
    /// When it began to grow to there, by the store's count of time.
    at: Timestamp,
}

impl Ages {
    /// The log ends here now.
    pub(super) fn grown(&mut self, end: u64, now: Timestamp) {
        if let Some(last) = self.0.back_mut().filter(|last| now.since(last.at) < STEP) {
            last.end = end;
            return;
        }
        if self.0.len() >= POINTS_MAX {
            self.thin(now);
        }
        self.0.push_back(Point { end, at: now });
    }

    /// Has fewer points of what is old.
    fn thin(&mut self, now: Timestamp) {
        let mut kept: Option<Timestamp> = None;
        self.0.retain(|point| {
            let least = now.since(point.at) / PRECISION;
            let is_kept = kept.is_none_or(|kept| point.at.since(kept) > least);
            if is_kept {
                kept = Some(point.at);
            }
            is_kept
        });
        // Whatever a clock has done.
        while self.0.len() >= POINTS_MAX {
            self.0.pop_front();
        }
    }

    /// How old what stands at this position is, at least.
    fn age(&self, position: u64, now: Timestamp) -> Duration {
        let found = self.0.partition_point(|point| point.end <= position);
        self.0.get(found).map_or(Duration::ZERO, |point| now.since(point.at))
    }
}

impl Store {
    /// For how long, at least, about the oldest work of each kind has waited since that was stored
    /// which it is about, also before a start; `None` where none waits. Replays do not count.
    pub fn waiting_for(&self) -> [(WorkKind, Option<Duration>); WorkKind::ALL.len()] {
        let shared = &self.handle.shared;
        let now = shared.clock.times().counted;
        let oldest = {
            let backlog = shared.backlog();
            WorkKind::ALL.map(|kind| (kind, backlog.oldest_of(kind)))
        };
        let ages = shared.ages();
        oldest.map(|(kind, position)| (kind, position.map(|position| ages.age(position, now))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_position_is_as_old_as_the_first_point_behind_it() {
        let (mut ages, start) = (Ages::default(), Timestamp(1_000_000));
        ages.grown(10, start);
        ages.grown(20, start.after(SECOND * 5));
        ages.grown(30, start.after(SECOND * 5 + SECOND / 2));
        let age = |position| ages.age(position, start.after(SECOND * 9)).as_secs();
        assert_eq!([0, 9, 10, 20, 29, 30].map(age), [9, 9, 4, 4, 4, 0]);
    }

    /// Guards [`Ages::thin`]: if it lets go of what is old, an old work seems to be young; if it
    /// keeps everything, there are more points than there may be.
    #[test]
    fn a_year_takes_a_few_hundred_points_and_the_oldest_is_known_well_enough() {
        let (mut ages, start) = (Ages::default(), Timestamp(1_000_000));
        let mut now = start;
        // Every second for a while, then every minute for days, then every hour.
        let steps = [(20_000, SECOND), (20_000, SECOND * 60), (9_000, SECOND * 3_600)];
        let mut grown = Vec::new();
        for (times, step) in steps {
            for _ in 0..times {
                now = now.after(step);
                grown.push(now);
                ages.grown(grown.len() as u64, now);
                assert!(ages.0.len() <= POINTS_MAX);
            }
        }
        for (position, at) in (0..).zip(&grown).step_by(97) {
            let (age, told) = (now.since(*at), ages.age(position, now));
            assert!(told <= age && age <= told + told / 4 + SECOND * 3_600, "{position}");
        }
    }
}
