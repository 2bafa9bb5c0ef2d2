//! The attempts of one endpoint by hours, until somebody notes them in the store.
//!
//! In memory only, and of a fixed size but when an hour ends. Never judges an attempt.

use std::time::Duration;

use crate::event::Timestamp;
use crate::store::{BUCKETS, StatsHour};

const HOUR_MS: u64 = 3_600_000;

#[derive(Debug, Default)]
pub(super) struct Tally {
    now: StatsHour,
    /// Hours that are over.
    before: Vec<StatsHour>,
}

impl Tally {
    /// An attempt has ended that took this time, with a body of so many bytes.
    pub(super) fn add(&mut self, succeeded: bool, took: Duration, bytes: usize, now: Timestamp) {
        let hour = u32::try_from(now.0 / HOUR_MS).unwrap_or(u32::MAX);
        if self.now.hour != hour {
            let over = StatsHour { hour, ..StatsHour::default() };
            let over = std::mem::replace(&mut self.now, over);
            self.before.extend((over.attempts > 0).then_some(over));
        }
        self.now.attempts += 1;
        self.now.successes += u64::from(succeeded);
        self.now.latency[bucket(took)] += 1;
        self.now.bytes = self.now.bytes.saturating_add(bytes as u64);
    }

    /// All that was added since the last time.
    pub(super) fn take(&mut self) -> Vec<StatsHour> {
        let mut hours = std::mem::take(&mut self.before);
        let now = std::mem::take(&mut self.now);
        hours.extend((now.attempts > 0).then_some(now));
        hours
    }
}

/// The first bucket whose bound is above this time: that of number n is 2^(n/2) ms.
fn bucket(took: Duration) -> usize {
    let squared_ms = took.as_micros().saturating_mul(took.as_micros()) / 1_000_000;
    let above = squared_ms.checked_ilog2().map_or(0, |power| power as usize + 1);
    above.min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_counted_in_the_bucket_above_its_time() {
        let times = [0, 999, 1_000, 1_414, 1_415, 2_000, 1_000_000, 60_000_000, 3_600_000_000];
        let buckets = times.map(|us| bucket(Duration::from_micros(us)));
        assert_eq!(buckets, [0, 0, 1, 1, 2, 3, 20, 32, 44]);
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn attempts_are_given_by_hours_and_once() {
        let mut tally = Tally::default();
        let first = Timestamp(HOUR_MS * 7 + 5);
        tally.add(true, Duration::from_millis(1), 10, first);
        tally.add(false, Duration::from_millis(1), 5, first);
        tally.add(true, Duration::from_millis(9), 1, first.after(Duration::from_secs(3_600)));
        let hours = tally.take();
        let counts = |it: &StatsHour| (it.hour, it.attempts, it.successes, it.bytes);
        assert_eq!(hours.iter().map(counts).collect::<Vec<_>>(), [(7, 2, 1, 15), (8, 1, 1, 1)]);
        assert_eq!(hours[0].latency[1], 2);
        assert!(tally.take().is_empty());
    }
}
