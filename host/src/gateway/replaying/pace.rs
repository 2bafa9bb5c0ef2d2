//! How fast replays without a rate go: as fast as leaves the processors room for what comes live.
//!
//! Stands beside the task that drives the replays, and learns from that task's rests. One that ends
//! late shows that more is ready to run than the processors can do at once, and that an event that
//! comes live waits as long; the rests double then, and else become a little shorter. Never reads a
//! clock.

use std::time::Duration;

/// A timer alone is late by up to 1 ms.
const LATE: Duration = Duration::from_millis(2);
/// 32,000 works a second.
const SHORTEST: Duration = Duration::from_millis(1);
/// 500 works a second: a machine that is busy with other things holds no replay up altogether.
const LONGEST: Duration = Duration::from_millis(64);

/// How long replays without a rate rest between their slices.
#[derive(Debug)]
pub(super) struct Pace {
    rest: Duration,
}

impl Default for Pace {
    /// The slowest.
    fn default() -> Self {
        Self { rest: LONGEST }
    }
}

impl Pace {
    /// From the beginning of a slice to that of the next.
    pub(super) fn rest(&self) -> Duration {
        self.rest
    }

    /// A rest ended, this long after its time. One late rest outweighs 34 that were not, so rests
    /// are seldom late.
    pub(super) fn woke(&mut self, late: Duration) {
        let rest = match late > LATE {
            true => self.rest * 2,
            false => self.rest * 49 / 50,
        };
        self.rest = rest.clamp(SHORTEST, LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_become_shorter_while_they_end_in_time_and_double_when_one_ends_late() {
        let mut pace = Pace::default();
        for _ in 0..1_000 {
            pace.woke(Duration::from_millis(1));
        }
        assert_eq!(pace.rest(), SHORTEST);

        pace.woke(LATE + Duration::from_micros(1));
        assert_eq!(pace.rest(), SHORTEST * 2);
        for _ in 0..35 {
            pace.woke(LATE);
        }
        assert_eq!(pace.rest(), SHORTEST, "one late rest slows a replay down for a moment");
    }

    #[test]
    fn a_machine_without_a_free_moment_stops_no_replay() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            pace.woke(Duration::from_secs(10));
        }
        assert_eq!(pace.rest(), LONGEST);
    }
}
