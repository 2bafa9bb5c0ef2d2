//! What was counted since the start, of all sources, handlers and endpoints together.
//!
//! Beside the series for Prometheus, which nobody but Prometheus can add up. A few atomic numbers,
//! so that whoever counts waits for nobody. Never falls.

use std::array::from_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Answered, Metrics};
use crate::retry::Outcome;

/// What there are numbers of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Requests that were stored.
    Accepted,
    /// Requests of which all events were known.
    Duplicates,
    /// Requests that were not genuine, or more than the source takes.
    Refused,
    /// Genuine requests that were put off.
    PutOff,
    /// Requests that did not arrive whole, or that the gateway failed.
    Failed,
    /// Receipts that were parsed.
    Parsed,
    /// Tries to parse one that failed.
    ParseFailures,
    /// Runs that succeeded.
    Ran,
    /// Tries of one that failed.
    RunFailures,
    /// Deliveries that an endpoint took.
    Delivered,
    /// Attempts that failed.
    AttemptFailures,
}

impl Counted {
    /// All of them.
    pub(crate) const ALL: [Self; 11] = [
        Self::Accepted,
        Self::Duplicates,
        Self::Refused,
        Self::PutOff,
        Self::Failed,
        Self::Parsed,
        Self::ParseFailures,
        Self::Ran,
        Self::RunFailures,
        Self::Delivered,
        Self::AttemptFailures,
    ];
}

/// Buckets of a [`Spread`]: four for each time that is twice as long, from a microsecond to more
/// than an hour.
const BUCKETS: usize = 4 * 33;

/// How many took how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spread([u64; BUCKETS]);

impl Default for Spread {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Spread {
    /// With all that this one has more than an earlier one of the same.
    pub(crate) fn add_since(&mut self, now: &Self, before: &Self) {
        for (at, number) in self.0.iter_mut().enumerate() {
            *number += now.0[at].saturating_sub(before.0[at]);
        }
    }

    /// The microseconds within which this many of a hundred ended, at most a quarter too many;
    /// `None` if there are none.
    pub(crate) fn within(&self, of_hundred: u64) -> Option<u64> {
        let all: u64 = self.0.iter().sum();
        let wanted = (all * of_hundred).div_ceil(100).max(1);
        let mut passed = 0;
        let bucket = self.0.iter().position(|number| {
            passed += number;
            passed >= wanted
        });
        bucket.map(bound)
    }
}

/// The bucket of a time.
fn bucket(time: Duration) -> usize {
    let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
    let octave = us.ilog2() as usize;
    // Below four microseconds there is no quarter.
    let quarter = if octave < 2 { 0 } else { (us >> (octave - 2)) & 3 };
    (octave * 4 + quarter as usize).min(BUCKETS - 1)
}

/// The first microsecond behind a bucket.
fn bound(bucket: usize) -> u64 {
    let (octave, quarter) = (bucket / 4, bucket as u64 % 4);
    if octave < 2 { 1 << (octave + 1) } else { (5 + quarter) << (octave - 2) }
}

/// What was counted, as it is at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    counts: [u64; Counted::ALL.len()],
    /// From a request to its answer, whatever that was.
    pub(crate) answers: Spread,
    /// From when an event was stored to when an endpoint had taken it, without replays.
    pub(crate) deliveries: Spread,
}

impl Totals {
    /// How many of these there are.
    pub(crate) fn of(&self, counted: Counted) -> u64 {
        self.counts[counted as usize]
    }

    /// With all that this one has more than an earlier one of the same.
    pub(crate) fn add_since(&mut self, now: &Self, before: &Self) {
        for (at, number) in self.counts.iter_mut().enumerate() {
            *number += now.counts[at].saturating_sub(before.counts[at]);
        }
        self.answers.add_since(&now.answers, &before.answers);
        self.deliveries.add_since(&now.deliveries, &before.deliveries);
    }

    /// With all of another.
    pub(crate) fn add(&mut self, other: &Self) {
        self.add_since(other, &Self::default());
    }
}

/// What there is of totals in [`Metrics`]. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct Sums(Arc<Numbers>);

#[derive(Debug)]
struct Numbers {
    counts: [AtomicU64; Counted::ALL.len()],
    answers: [AtomicU64; BUCKETS],
    deliveries: [AtomicU64; BUCKETS],
}

impl Default for Sums {
    fn default() -> Self {
        let zero = |_: usize| AtomicU64::new(0);
        let numbers =
            Numbers { counts: from_fn(zero), answers: from_fn(zero), deliveries: from_fn(zero) };
        Self(Arc::new(numbers))
    }
}

impl Sums {
    fn count(&self, counted: Counted) {
        self.0.counts[counted as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A request was answered, after this time.
    pub(super) fn answered(&self, answered: Answered, time: Duration) {
        self.0.answers[bucket(time)].fetch_add(1, Ordering::Relaxed);
        match answered {
            Answered::Accepted => self.count(Counted::Accepted),
            Answered::Duplicate => self.count(Counted::Duplicates),
            Answered::Refused | Answered::TooLarge => self.count(Counted::Refused),
            Answered::Busy => self.count(Counted::PutOff),
            Answered::Broken | Answered::Failed => self.count(Counted::Failed),
            Answered::Handshake => (),
        }
    }

    /// A try ended; `done` and `failed` are what it counts as.
    pub(super) fn ended(&self, outcome: &Outcome, done: Counted, failed: Counted) {
        self.count(if matches!(outcome, Outcome::Success) { done } else { failed });
    }

    fn delivered(&self, time: Duration) {
        self.0.deliveries[bucket(time)].fetch_add(1, Ordering::Relaxed);
    }

    fn totals(&self) -> Totals {
        let read = |numbers: &[AtomicU64; BUCKETS]| {
            Spread(from_fn(|at| numbers[at].load(Ordering::Relaxed)))
        };
        Totals {
            counts: from_fn(|at| self.0.counts[at].load(Ordering::Relaxed)),
            answers: read(&self.0.answers),
            deliveries: read(&self.0.deliveries),
        }
    }
}

impl Metrics {
    /// An endpoint has taken an event, this long after it was stored, and not by a replay.
    pub(crate) fn delivered(&self, time: Duration) {
        self.totals.delivered(time);
        self.endpoints.delivered(time);
    }

    /// What was counted since the start.
    pub(crate) fn totals(&self) -> Totals {
        self.totals.totals()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the two halves of the spread: where a time is counted, and what is said of it.
    #[test]
    fn a_time_is_within_the_bound_of_its_bucket_and_at_most_a_quarter_below_it() {
        for us in [1, 2, 3, 4, 5, 7, 8, 600, 1_900, 14_000, 1_000_000, 3_600_000_000] {
            let bound = bound(bucket(Duration::from_micros(us)));
            assert!(us < bound && bound <= us + us / 4 + 2, "{us} {bound}");
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn what_is_within_a_time_is_counted_from_the_shortest() {
        let metrics = Metrics::new();
        assert_eq!(metrics.totals().deliveries.within(50), None, "there are none");
        for _ in 0..98 {
            metrics.delivered(Duration::from_micros(100));
        }
        metrics.delivered(Duration::from_millis(100));
        metrics.delivered(Duration::from_millis(100));
        let spread = metrics.totals().deliveries;
        assert_eq!((spread.within(50), spread.within(99)), (Some(112), Some(114_688)));
    }

    /// Guards that each outcome is counted as what it is.
    #[test]
    fn totals_are_those_of_all_sources_handlers_and_endpoints_together() {
        let (metrics, time) = (Metrics::new(), Duration::from_millis(1));
        for name in ["stripe", "adyen"] {
            let name = name.parse().unwrap();
            metrics.request(&name, Answered::Accepted, time);
            metrics.request(&name, Answered::Refused, time);
            metrics.parse(&name, &Outcome::Success, None);
            metrics.run(&name, &Outcome::transient("down"), None, time);
            metrics.attempt(&name, &Outcome::Success, time);
        }
        let before = Totals::default();
        let mut totals = Totals::default();
        totals.add_since(&metrics.totals(), &before);
        let two = [
            Counted::Accepted,
            Counted::Refused,
            Counted::Parsed,
            Counted::RunFailures,
            Counted::Delivered,
        ];
        for counted in Counted::ALL {
            let expected = if two.contains(&counted) { 2 } else { 0 };
            assert_eq!(totals.of(counted), expected, "{counted:?}");
        }
    }
}
