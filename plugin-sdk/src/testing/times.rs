//! The check of signing times, in whole seconds, as the gateway compares them.

use crate::event::Timestamp;
use crate::provider::{ClockRule, ProviderInfo};

/// How far the signing time may be from the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// The tolerance that the provider describes.
    Provider,
    /// Any distance.
    Unchecked,
    /// At most this number of seconds.
    Seconds(u64),
}

/// What signing times are compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// In seconds; `None` accepts any time.
    pub(super) tolerance: Option<u64>,
    pub(super) clock: ClockRule,
    pub(super) now: Timestamp,
}

impl Times {
    pub(super) fn of(info: &ProviderInfo, tolerance: Tolerance, now: Timestamp) -> Self {
        let tolerance = match tolerance {
            Tolerance::Unchecked => None,
            Tolerance::Seconds(seconds) => Some(seconds),
            // With 0 the gateway does not check signing times.
            Tolerance::Provider => info.tolerance_ms.filter(|ms| *ms > 0).map(|ms| ms / 1000),
        };
        Self { tolerance, clock: info.clock, now }
    }

    /// Whether a signing time is within the tolerance.
    pub(super) fn holds(self, signed_at: Timestamp) -> bool {
        let Some(tolerance) = self.tolerance else { return true };
        let (signed_at, now) = (signed_at / 1000, self.now / 1000);
        let old = now.saturating_sub(signed_at) > tolerance;
        let early = signed_at.saturating_sub(now) > tolerance;
        match self.clock {
            ClockRule::Past => !old,
            ClockRule::Both => !old && !early,
        }
    }
}
