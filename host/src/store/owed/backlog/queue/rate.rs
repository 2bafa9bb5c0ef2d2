//! A rate: how fast the works of one group follow each other, with a burst behind a silence.
//!
//! Pure. It is the generic cell rate algorithm: each work pays for a span of time, and one may go
//! while what is paid reaches no further ahead than a burst. So in no span of time go more than fit
//! into it at that rate, and a burst. Never reads a clock.

use std::time::Duration;

use crate::event::Timestamp;

/// How far apart works are, and how many may follow each other at once.
type Rate = (Duration, u32);

/// What the works of a group have paid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paid {
    /// Up to this time, in more than milliseconds: six million a minute are ten microseconds apart.
    until: Duration,
    /// When the last of them paid.
    last: Timestamp,
}

impl Paid {
    /// Of a group of which nothing is known: all but one of a burst had gone at this time.
    pub(super) fn but_one(rate: Rate, at: Timestamp) -> Self {
        Self { until: span(at).saturating_add(ahead(rate)), last: at }
    }

    /// When the next may go, if that is later than now.
    pub(super) fn waits_until(&mut self, rate: Rate, now: Timestamp) -> Option<Timestamp> {
        // No work pays for more: somebody set the clock back, or the rate was another.
        let most = span(now).saturating_add(ahead(rate)).saturating_add(rate.0);
        self.until = self.until.min(most);
        let next = self.until.saturating_sub(ahead(rate)).as_nanos().div_ceil(1_000_000);
        let next = Timestamp(u64::try_from(next).unwrap_or(u64::MAX));
        (next > now).then_some(next)
    }

    /// A work goes that need not wait.
    pub(super) fn pay(&mut self, (each, _): Rate, now: Timestamp) {
        *self = Self { until: self.until.max(span(now)).saturating_add(each), last: now };
    }

    /// A work that went at this time has not gone after all. If others went later, they may have
    /// waited for nothing: what it paid is lost then, for it may have been over.
    pub(super) fn give_back(&mut self, (each, _): Rate, at: Timestamp) {
        if self.last == at {
            self.until = self.until.saturating_sub(each);
        }
    }
}

/// How far ahead may be paid before a work goes.
fn ahead((each, burst): Rate) -> Duration {
    each.saturating_mul(burst.saturating_sub(1))
}

fn span(time: Timestamp) -> Duration {
    Duration::from_millis(time.0)
}
