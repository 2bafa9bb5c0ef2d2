//! How much goes to one endpoint at once, how often, and how long it may take.
//!
//! Values and their bounds, the same for the configuration and for the API. Never counts anything.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::form::written;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How long one attempt may take. Whoever needs longer should answer first and work then.
pub(crate) const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=secs(60);
/// Attempts at a time at one endpoint.
pub(crate) const CONCURRENCY: RangeInclusive<usize> = 1..=256;
/// How long the next attempt waits, and how often there may be one.
pub(crate) const RETRY: RangeInclusive<Duration> = Duration::from_millis(100)..=secs(30 * 86_400);
pub(crate) const RETRIES_MAX: usize = 100;
/// Attempts in a minute, and at once.
pub(super) const PER_MINUTE: RangeInclusive<u32> = 1..=6_000_000;
pub(super) const BURST: RangeInclusive<u32> = 1..=10_000;
/// Deliveries that wait while they can't go out.
pub(super) const HELD: RangeInclusive<u64> = 1..=10_000_000;
/// Nothing but failures, before an endpoint is disabled.
const DISABLE_AFTER: RangeInclusive<Duration> = secs(3_600)..=secs(90 * 86_400);

/// How much goes to one endpoint at once, how often, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Attempts at a time.
    pub concurrency: usize,
    /// Attempts in a stretch of time; `None` for as many as there are.
    pub rate: Option<Rate>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How long a connection may take to be opened.
    pub connect_timeout: Duration,
    /// Deliveries that wait while they can't go out; beyond it the oldest end as dead letters.
    pub held: u64,
    /// Whether none go out for a while when attempts fail again and again; `None` for what the
    /// gateway does with all endpoints that do not say it.
    pub use_breaker: Option<bool>,
    /// When it is disabled, if attempts do nothing but fail.
    pub disable_after: DisableAfter,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 16,
            rate: None,
            timeout: secs(15),
            connect_timeout: secs(5),
            held: 100_000,
            use_breaker: None,
            disable_after: DisableAfter::Failing(secs(5 * 86_400)),
        }
    }
}

/// When an endpoint is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisableAfter {
    /// Not for failures.
    Never,
    /// When attempts have done nothing but fail for this time: an hour to 90 days.
    Failing(Duration),
}

/// A text that is no [`DisableAfter`].
#[derive(Debug, thiserror::Error)]
#[error("must be a duration from 1h to 90d such as \"5d\", or \"never\"")]
pub struct InvalidDisableAfter;

impl DisableAfter {
    /// The time, unless it is never.
    pub fn time(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Failing(time) => Some(time),
        }
    }
}

impl FromStr for DisableAfter {
    type Err = InvalidDisableAfter;

    fn from_str(text: &str) -> Result<Self, InvalidDisableAfter> {
        if text == "never" {
            return Ok(Self::Never);
        }
        let time = humantime::parse_duration(text).ok();
        let time = time.filter(|time| DISABLE_AFTER.contains(time));
        time.map(Self::Failing).ok_or(InvalidDisableAfter)
    }
}

impl fmt::Display for DisableAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::Failing(time) => f.write_str(&written(*time)),
        }
    }
}

/// How many attempts there may be in a minute: 1 to 6,000,000, and 1 to 10,000 at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// In a minute.
    pub per_minute: u32,
    /// At once, after a rest.
    pub burst: u32,
}

/// A text that is no [`Rate`].
#[derive(Debug, thiserror::Error)]
#[error("must be a rate such as \"10/s\" or \"600/min\", from 1/min to 100000/s")]
pub struct InvalidRate;

impl Rate {
    /// The same rate with so many at once.
    #[must_use]
    pub fn with_burst(self, burst: u32) -> Self {
        Self { burst, ..self }
    }
}

/// Without a burst in it: at once goes what a second allows.
impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let parse = || {
            let (count, unit) = text.split_once('/')?;
            let minutes = match unit {
                "s" => 60,
                "min" => 1,
                _ => return None,
            };
            let is_plain = count.bytes().all(|byte| byte.is_ascii_digit());
            let count: u32 = is_plain.then(|| count.parse::<u32>().ok())??;
            let per_minute = count.checked_mul(minutes).filter(|rate| PER_MINUTE.contains(rate))?;
            let burst = per_minute.div_ceil(60).clamp(*BURST.start(), *BURST.end());
            Some(Self { per_minute, burst })
        };
        parse().ok_or(InvalidRate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.per_minute.is_multiple_of(60) {
            write!(f, "{}/s", self.per_minute / 60)
        } else {
            write!(f, "{}/min", self.per_minute)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_reads_back_as_it_is_shown() {
        for (text, per_minute, burst) in
            [("10/s", 600, 10), ("90/min", 90, 2), ("1/min", 1, 1), ("100000/s", 6_000_000, 10_000)]
        {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate, Rate { per_minute, burst });
            assert_eq!(rate.to_string(), text);
        }
        assert_eq!("600/min".parse::<Rate>().unwrap().to_string(), "10/s");
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in ["", "10", "10/h", "0/s", "-1/s", "+1/s", "1.5/s", "100001/s", "9999999999/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn when_an_endpoint_is_disabled_reads_back_as_it_is_shown() {
        for text in ["never", "1h", "5d", "90d", "36h"] {
            assert_eq!(text.parse::<DisableAfter>().unwrap().to_string(), text);
        }
        for text in ["", "59m", "91d", "0", "always", "5"] {
            assert!(text.parse::<DisableAfter>().is_err(), "{text}");
        }
    }
}
