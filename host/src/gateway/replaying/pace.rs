//! How fast replays go, and how many works a slice of each has.
//!
//! Stands beside the task that drives the replays. One with a rate keeps to it. One without goes
//! gently while anything comes live, and else as fast as leaves the processors room for others:
//! that is learned from the rests of that task. One that ends late shows that more is ready to run
//! than the processors can do at once; the rests double then, and else become a little shorter.
//! What a slice opens goes out at once, and what comes live meanwhile stands behind it: so slices
//! are small where something may. Never reads a clock.

use std::time::Duration;

use tokio::time::Instant;

/// A timer alone is late by up to 1 ms.
const LATE: Duration = Duration::from_millis(2);
/// 32,000 works a second.
const SHORTEST: Duration = Duration::from_millis(1);
/// 500 works a second: a machine that is busy with other things holds no replay up altogether.
const LONGEST: Duration = Duration::from_millis(64);
/// Most works of a slice where nothing comes live, or of a replay that is behind its rate.
const MOST: u32 = 32;
/// Between the beginnings of two slices, unless each has one work or as many as it may.
const SPAN: Duration = Duration::from_millis(4);
/// Works a second for each processor, of all replays without a rate together, while something comes
/// live.
const GENTLE: u32 = 500;
/// Most works of a slice then, also where a commit takes long.
const GENTLE_MOST: u32 = 8;
/// Something comes live until so long behind the last that came.
const LIVE: Duration = Duration::from_secs(1);

/// How fast replays go.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between slices that go as fast as there is room.
    rest: Duration,
    /// Works a second, of all replays without a rate together, while something comes live.
    gentle: u32,
    /// What had come when somebody looked last.
    came: u64,
    live_until: Option<Instant>,
}

/// When a replay goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// Its next slice begins then, or later.
    pub(super) at: Instant,
    /// Its rate, if it has one, in works a second.
    pub(super) rate: Option<u32>,
}

/// A slice that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    /// It has no more works.
    pub(super) most: u32,
    /// When it should have begun, if that is not too long ago.
    due: Instant,
}

impl Pace {
    /// The slowest, on so many processors.
    pub(super) fn new(processors: usize) -> Self {
        let processors = u32::try_from(processors).unwrap_or(1).clamp(1, 1_000);
        Self { rest: LONGEST, gentle: GENTLE * processors, came: 0, live_until: None }
    }

    /// So much has come live since the start.
    pub(super) fn look(&mut self, came: u64, now: Instant) {
        if came != self.came {
            self.came = came;
            self.live_until = Some(now + LIVE);
        }
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

    /// The slice that begins now, of a replay with this turn, where so many have no rate. One that
    /// is late has more works, so that late timers and slow commits take nothing off a rate. Of a
    /// replay without a turn nobody knows the rate: it begins with one work.
    pub(super) fn begin(&self, turn: Option<Turn>, free: usize, now: Instant) -> Slice {
        let Some(turn) = turn else { return Slice { most: 1, due: now } };
        let Some((rate, most)) = self.bound(turn.rate, free, now) else {
            return Slice { most: MOST, due: now };
        };
        let late = now.saturating_duration_since(turn.at).min(span_of(most, rate));
        let due = now.checked_sub(late).unwrap_or(now);
        let works = u128::from(rate) * (SPAN + late).as_micros() / 1_000_000;
        Slice { most: u32::try_from(works).unwrap_or(most).clamp(1, most), due }
    }

    /// When a replay goes on behind a slice that began now.
    pub(super) fn behind(
        &self,
        slice: Slice,
        rate: Option<u32>,
        free: usize,
        now: Instant,
    ) -> Turn {
        let at = match self.bound(rate, free, now) {
            Some((rate, _)) => slice.due + span_of(slice.most, rate),
            None => now + self.rest,
        };
        Turn { at, rate }
    }

    /// Works a second and in a slice, at most; `None` goes as fast as there is room.
    fn bound(&self, rate: Option<u32>, free: usize, now: Instant) -> Option<(u32, u32)> {
        match rate {
            Some(rate) => Some((rate.max(1), MOST)),
            None if self.live_until.is_some_and(|until| until > now) => {
                let free = u32::try_from(free).unwrap_or(u32::MAX).max(1);
                Some(((self.gentle / free).max(1), GENTLE_MOST))
            }
            None => None,
        }
    }
}

/// How long so many works take at this rate, which is not zero.
fn span_of(works: u32, rate: u32) -> Duration {
    Duration::from_secs(1) * works / rate
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// A slice of a replay that goes on at this time and begins so much later; how many works it
    /// has, and how long behind that time the next begins.
    fn slice(pace: &Pace, rate: Option<u32>, free: usize, late: Duration) -> (u32, Duration) {
        let at = pace.live_until.map_or_else(Instant::now, |until| until - LIVE);
        let slice = pace.begin(Some(Turn { at, rate }), free, at + late);
        let next = pace.behind(slice, rate, free, at + late);
        (slice.most, next.at - at)
    }

    /// On two processors, while something comes live.
    fn live() -> Pace {
        let mut pace = Pace::new(2);
        pace.look(1, Instant::now());
        pace
    }

    #[test]
    fn rests_become_shorter_while_they_end_in_time_and_double_when_one_ends_late() {
        let mut pace = Pace::new(2);
        for _ in 0..1_000 {
            pace.woke(Duration::from_millis(1));
        }
        assert_eq!(pace.rest, SHORTEST);

        pace.woke(LATE + Duration::from_micros(1));
        assert_eq!(pace.rest, SHORTEST * 2);
        for _ in 0..35 {
            pace.woke(LATE);
        }
        assert_eq!(pace.rest, SHORTEST, "one late rest slows a replay down for a moment");
    }

    #[test]
    fn a_machine_without_a_free_moment_stops_no_replay() {
        let mut pace = Pace::new(2);
        for _ in 0..100 {
            pace.woke(Duration::from_secs(10));
        }
        assert_eq!(pace.rest, LONGEST);
    }

    /// Let `begin` give `MOST` to a replay with a rate, and what comes live waits for all of them.
    #[test]
    fn slices_are_small_and_a_late_one_makes_up_for_it() {
        let pace = Pace::new(2);
        let of = |rate, late| slice(&pace, Some(rate), 0, late);
        assert_eq!(of(1_000, Duration::ZERO), (4, 4 * MILLI));
        assert_eq!(of(500, Duration::ZERO), (2, 4 * MILLI));
        assert_eq!(of(1, Duration::ZERO), (1, 1_000 * MILLI));
        assert_eq!(of(1_000, MILLI), (5, 5 * MILLI), "in five milliseconds as many");
        // A commit that took a second: it does not make up for all of that at once.
        let (works, next) = of(1_000, 1_000 * MILLI);
        assert_eq!((works, next), (32, 1_000 * MILLI));
        assert_eq!(of(1_000_000, Duration::ZERO).0, 32);
    }

    /// Take the arm for what comes live out of `bound`: a replay without a rate does not see it.
    #[test]
    fn without_a_rate_replays_go_gently_together_while_something_comes_live() {
        let pace = live();
        assert_eq!(slice(&pace, None, 1, Duration::ZERO), (4, 4 * MILLI));
        assert_eq!(slice(&pace, None, 4, Duration::ZERO), (1, 4 * MILLI));
        assert_eq!(slice(&pace, None, 1, 100 * MILLI).0, 8);
        assert_eq!(slice(&pace, Some(2_000), 1, Duration::ZERO), (8, 4 * MILLI), "its own");
        assert_eq!(slice(&pace, None, 1, LIVE), (32, LIVE + LONGEST), "nothing came any more");
    }

    #[test]
    fn what_came_before_does_not_come_again() {
        let mut pace = live();
        let until = pace.live_until;
        pace.look(1, Instant::now() + LIVE);
        assert_eq!(pace.live_until, until);
    }

    #[test]
    fn a_replay_of_which_nobody_knows_the_rate_begins_with_one_work() {
        let (pace, now) = (Pace::new(2), Instant::now());
        let slice = pace.begin(None, 0, now);
        assert_eq!(slice.most, 1);
        assert_eq!(pace.behind(slice, Some(10), 0, now).at, now + 100 * MILLI);
    }
}
