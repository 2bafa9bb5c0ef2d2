//! How soon a refused request is answered: at once, unless its source had many of them just now.
//!
//! Whoever sends what is refused, as fast as it is answered, would get most of the processor; so
//! each source has a rate of refusals, and beyond it their answers wait. Requests that are accepted
//! never do.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::lock::lock;

/// What a refusal uses of its source's time, at least and at most.
const USE_MIN: Duration = Duration::from_millis(10);
const USE_MAX: Duration = Duration::from_millis(250);
/// One that took long to find out uses so many times as long.
const USE_FACTOR: u32 = 4;
/// So much of the time can be used at once.
const BURST: Duration = Duration::from_millis(500);
/// No answer waits for longer.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// The refusals of one source.
#[derive(Debug, Default)]
pub(crate) struct Pacing {
    /// Until when the refusals that there were use up the time.
    used_until: Mutex<Option<Instant>>,
}

impl Pacing {
    /// A request was refused now, which took so long to find out; when to answer.
    pub(super) fn refused(&self, now: Instant, took: Duration) -> Instant {
        let mut used_until = lock(&self.used_until);
        let begin = used_until.map_or(now, |used| used.max(now));
        let end = begin + (took * USE_FACTOR).clamp(USE_MIN, USE_MAX);
        let used = end.min(now + BURST + WAIT_MAX);
        *used_until = Some(used);
        now + used.saturating_duration_since(now + BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long each of so many refusals waits, all at the same time.
    fn waits(pacing: &Pacing, now: Instant, took: u64, count: usize) -> Vec<Duration> {
        let took = Duration::from_millis(took);
        (0..count).map(|_| pacing.refused(now, took) - now).collect()
    }

    #[test]
    fn the_first_fifty_are_answered_at_once_and_the_others_at_a_hundred_a_second() {
        let pacing = Pacing::default();
        let now = Instant::now();
        let waits = waits(&pacing, now, 0, 53);
        assert!(waits[..50].iter().all(Duration::is_zero), "{waits:?}");
        assert_eq!(waits[50..], [10, 20, 30].map(Duration::from_millis));
    }

    #[test]
    fn of_those_that_are_dear_fewer_are_answered_at_once() {
        let pacing = Pacing::default();
        let now = Instant::now();
        let waits = waits(&pacing, now, 50, 4);
        assert_eq!(waits, [0, 0, 100, 300].map(Duration::from_millis));
    }

    #[test]
    fn no_answer_waits_for_longer_than_a_second() {
        let pacing = Pacing::default();
        let now = Instant::now();
        let waits = waits(&pacing, now, 1_000_000, 1_000);
        assert_eq!(waits.last(), Some(&WAIT_MAX));
    }

    #[test]
    fn after_a_flood_refusals_are_soon_answered_at_once_again() {
        let pacing = Pacing::default();
        let now = Instant::now();
        waits(&pacing, now, 0, 10_000);
        let later = now + WAIT_MAX + USE_MIN;
        assert_eq!(pacing.refused(later, Duration::ZERO), later);
    }
}
