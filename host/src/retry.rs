//! What follows a parse, a run or an attempt: done, another try, or the dead letters.
//!
//! Pure: the caller says how it ended and what time it is. Nothing here sleeps, reads the clock,
//! touches the store or knows HTTP.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It did its work.
    Success,
    /// Worth another try, perhaps not before a delay that the other side asked for.
    Transient {
        /// Why, for the operator.
        reason: String,
        /// The delay that the other side asked for.
        retry_after: Option<Duration>,
    },
    /// The same again would end the same.
    Permanent {
        /// Why, for the operator.
        reason: String,
    },
}

impl Outcome {
    /// An outcome that another try may change, on the usual schedule.
    pub fn transient(reason: impl Into<String>) -> Self {
        Self::Transient { reason: reason.into(), retry_after: None }
    }

    /// An outcome that another try would not change.
    pub fn permanent(reason: impl Into<String>) -> Self {
        Self::Permanent { reason: reason.into() }
    }

    /// Why it did not succeed.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Success => None,
            Self::Transient { reason, .. } | Self::Permanent { reason } => Some(reason),
        }
    }
}

/// How a delay is written down.
pub(crate) mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::event::in_millis;

    #[expect(clippy::ref_option, reason = "this is how serde hands over a field")]
    pub(crate) fn serialize<S: Serializer>(
        delay: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        delay.map(in_millis).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(Duration::from_millis))
    }
}

/// What follows a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Nothing is left to do.
    Done,
    /// Another try, not before this time.
    RetryAt(Timestamp),
    /// A dead letter: never again by itself.
    Dead,
}

/// When to try again, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The delay before the second try, the third, and so on. After the last it is dead.
    pub delays: Vec<Duration>,
}

/// A delay that the other side asks for counts up to this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Each delay is stretched or shortened by up to this share, so that what failed together does not
/// come back together.
const JITTER: f64 = 0.2;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn minutes(minutes: u64) -> Duration {
    secs(minutes * 60)
}

const fn hours(hours: u64) -> Duration {
    minutes(hours * 60)
}

impl RetryPolicy {
    /// For deliveries: the schedule that Standard Webhooks advises, about 75 hours.
    pub fn deliveries() -> Self {
        let first = [secs(5), minutes(5), minutes(30)];
        let rest = [2, 5, 10, 14, 20, 24].map(hours);
        Self { delays: first.into_iter().chain(rest).collect() }
    }

    /// For runs and parses: their trouble is near by, so sooner and for about a day.
    pub fn plugins() -> Self {
        let first = [secs(1), secs(10), minutes(1), minutes(10)];
        let rest = [1, 4, 19].map(hours);
        Self { delays: first.into_iter().chain(rest).collect() }
    }

    /// For runs and parses that broke: a bug does not go away by waiting, but a better plugin may
    /// be dropped in.
    pub fn crashes() -> Self {
        Self { delays: vec![secs(1), secs(10), minutes(1)] }
    }

    /// No try waits longer than this for the next, whatever the other side asks for.
    pub fn longest_delay(&self) -> Duration {
        let longest = self.delays.iter().max().copied().unwrap_or_default();
        longest.saturating_mul(2).max(RETRY_AFTER_MAX)
    }

    /// What follows the try that ended so. `tries_made` counts it in; `jitter` is 0 to 1, chosen
    /// evenly.
    pub fn verdict(
        &self,
        tries_made: u32,
        outcome: &Outcome,
        now: Timestamp,
        jitter: f64,
    ) -> Verdict {
        let asked = match outcome {
            Outcome::Success => return Verdict::Done,
            Outcome::Permanent { .. } => return Verdict::Dead,
            Outcome::Transient { retry_after, .. } => retry_after.unwrap_or_default(),
        };
        let Some(delay) = self.delays.get(tries_made.saturating_sub(1) as usize) else {
            return Verdict::Dead;
        };
        let delay = stretched(*delay, jitter);
        // The other side knows better when it is ready, within reason; never sooner than we would.
        Verdict::RetryAt(now.after(delay.max(asked.min(RETRY_AFTER_MAX))))
    }
}

/// The delay with its jitter; one that can't be written is as long as can be.
fn stretched(delay: Duration, jitter: f64) -> Duration {
    let jitter = if jitter.is_nan() { 0.5 } else { jitter.clamp(0.0, 1.0) };
    let seconds = delay.as_secs_f64() * (1.0 + JITTER * (2.0 * jitter - 1.0));
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[track_caller]
    fn check(tries_made: u32, outcome: &Outcome, expected: Verdict) {
        assert_eq!(RetryPolicy::deliveries().verdict(tries_made, outcome, NOW, 0.5), expected);
    }

    fn asked(delay: Duration) -> Outcome {
        Outcome::Transient { reason: String::new(), retry_after: Some(delay) }
    }

    #[test]
    fn a_passing_trouble_is_tried_again_on_the_schedule() {
        let trouble = Outcome::transient("503");
        check(1, &trouble, Verdict::RetryAt(NOW.after(secs(5))));
        check(2, &trouble, Verdict::RetryAt(NOW.after(minutes(5))));
        check(9, &trouble, Verdict::RetryAt(NOW.after(hours(24))));
    }

    #[test]
    fn the_last_try_is_the_last() {
        check(10, &Outcome::transient("503"), Verdict::Dead);
    }

    #[test]
    fn a_lasting_trouble_is_dead_at_once_and_success_is_done() {
        check(1, &Outcome::permanent("410"), Verdict::Dead);
        check(1, &Outcome::Success, Verdict::Done);
    }

    #[test]
    fn a_delay_that_is_asked_for_counts_within_reason() {
        check(1, &asked(minutes(1)), Verdict::RetryAt(NOW.after(minutes(1))));
        check(1, &asked(Duration::from_millis(1)), Verdict::RetryAt(NOW.after(secs(5))));
        check(1, &asked(Duration::MAX), Verdict::RetryAt(NOW.after(hours(24))));
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        let policy = RetryPolicy { delays: vec![secs(100)] };
        let at = |jitter| policy.verdict(1, &Outcome::transient(""), NOW, jitter);
        assert_eq!(at(0.0), Verdict::RetryAt(NOW.after(secs(80))));
        assert_eq!(at(1.0), Verdict::RetryAt(NOW.after(secs(120))));
        assert_eq!(at(f64::INFINITY), Verdict::RetryAt(NOW.after(secs(120))));
        assert_eq!(at(f64::NAN), Verdict::RetryAt(NOW.after(secs(100))));
    }

    #[test]
    fn no_delay_is_too_long_to_be_waited_for() {
        for delay in [Duration::MAX, secs(u64::MAX), hours(u64::MAX / 3_600)] {
            let policy = RetryPolicy { delays: vec![delay] };
            for jitter in [0.0, 0.5, 1.0] {
                let verdict = policy.verdict(1, &Outcome::transient(""), NOW, jitter);
                assert_eq!(verdict, Verdict::RetryAt(Timestamp::MAX));
            }
        }
    }
}
