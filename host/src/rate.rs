//! How often something may happen: so many times in a second, and so many at once.
//!
//! A value with a number in it. Never looks at a clock: whoever asks says when it is.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::lock::lock;

/// How often something may happen.
#[derive(Debug)]
pub(crate) struct Rate {
    /// The time of which each uses this much.
    each: Duration,
    /// How much of it may be used at once.
    at_once: Duration,
    /// Until when those that there were use it up.
    used_until: Mutex<Option<Instant>>,
}

impl Rate {
    /// So many in a second, and so many at once.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let each = Duration::from_secs(1) / per_second.max(1);
        Self { each, at_once: each * burst.max(1), used_until: Mutex::new(None) }
    }

    /// Lets one pass, or says how long the next has to wait.
    pub(crate) fn pass(&self, now: Instant) -> Result<(), Duration> {
        let mut used_until = lock(&self.used_until);
        let begin = used_until.map_or(now, |used| used.max(now));
        let end = begin + self.each;
        let over = end.saturating_duration_since(now + self.at_once);
        if over.is_zero() {
            *used_until = Some(end);
            return Ok(());
        }
        Err(over)
    }
}
