//! Which failures are written to the log: not all of them, for there may be thousands a second.
//!
//! A few of each endpoint and cause in a minute; the next that is written says how many were not.
//! Pure: the caller says what time it is. Never decides about a delivery.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// After this time a cause is written again.
const WINDOW: Duration = Duration::from_secs(60);

/// What fails, without its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Cause {
    /// Whether it is a dead letter.
    pub(super) is_dead: bool,
    /// The case of the error.
    pub(super) case: &'static str,
    /// The status that was answered, or 0.
    pub(super) status: u16,
}

impl Cause {
    /// How many are written in a minute. Each dead letter is something that somebody may have to
    /// look at.
    fn most(self) -> u32 {
        if self.is_dead { 10 } else { 1 }
    }
}

/// What was written about one endpoint.
#[derive(Debug, Default)]
pub(super) struct Notices(HashMap<Cause, Window>);

#[derive(Debug)]
struct Window {
    since: Instant,
    written: u32,
    left_out: u64,
}

impl Notices {
    /// Whether to write this one, and how many like it were left out since the last.
    pub(super) fn admit(&mut self, cause: Cause, now: Instant) -> Option<u64> {
        let new = Window { since: now, written: 0, left_out: 0 };
        let window = self.0.entry(cause).or_insert(new);
        if now.duration_since(window.since) >= WINDOW {
            (window.since, window.written) = (now, 0);
        }
        if window.written < cause.most() {
            window.written += 1;
            return Some(std::mem::take(&mut window.left_out));
        }
        window.left_out += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: Cause = Cause { is_dead: false, case: "refused", status: 0 };

    #[test]
    fn a_cause_is_written_once_a_minute_with_how_many_were_not() {
        let mut notices = Notices::default();
        let begin = Instant::now();
        assert_eq!(notices.admit(REFUSED, begin), Some(0));
        for second in 1..60 {
            assert_eq!(notices.admit(REFUSED, begin + Duration::from_secs(second)), None);
        }
        assert_eq!(notices.admit(REFUSED, begin + WINDOW), Some(59));
        assert_eq!(notices.admit(REFUSED, begin + 3 * WINDOW), Some(0));
    }

    #[test]
    fn another_cause_is_written_at_once() {
        let mut notices = Notices::default();
        let now = Instant::now();
        assert_eq!(notices.admit(REFUSED, now), Some(0));
        assert_eq!(notices.admit(Cause { case: "timeout", ..REFUSED }, now), Some(0));
        assert_eq!(notices.admit(Cause { status: 503, ..REFUSED }, now), Some(0));
    }

    #[test]
    fn ten_dead_letters_of_a_kind_are_written_in_a_minute() {
        let mut notices = Notices::default();
        let now = Instant::now();
        let gone = Cause { is_dead: true, case: "answered", status: 410 };
        let written = (0..1_000).filter(|_| notices.admit(gone, now).is_some()).count();
        assert_eq!(written, 10);
    }
}
