//! How long what is finished is kept, and what is left of it afterwards.
//!
//! Values and the rule for each kind of record. What is open is never removed, and what is dead
//! only with its letter. The ids that tell duplicates are no part of this: they outlive what they
//! came with. Never reads the store; [`super::sweep`] asks and does it.

use std::time::Duration;

use crate::event::{Timestamp, in_millis};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A segment is looked at again for what is too old in it at most this often; so much longer than
/// said may a thing be kept. Short retentions are cut finer.
const GRAIN_MAX: Duration = DAY;
const GRAIN_MIN: Duration = Duration::from_secs(60);
/// The share of a retention that a thing may be kept longer.
const GRAIN_SHARE: u32 = 16;

/// How long to keep what is finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Bodies and headers of receipts.
    pub bodies: Duration,
    /// Events, parcels, what is known of a receipt beside its body, and tries that added something.
    pub events: Duration,
    /// Attempts, and tries that added nothing.
    pub attempts: Duration,
    /// Dead letters, with all that a replay of them needs.
    pub dead: Duration,
    /// If what is kept takes more bytes on disk, with what handlers remember, the oldest of it that
    /// is neither open nor dead goes before its time.
    pub size_bytes: Option<u64>,
}

impl Default for Retention {
    /// Payment disputes are opened for up to 120 days, but the providers keep the requests: here a
    /// month to look into them, a quarter to look into what was done about them.
    fn default() -> Self {
        Self {
            bodies: 30 * DAY,
            events: 90 * DAY,
            attempts: 30 * DAY,
            dead: 90 * DAY,
            size_bytes: None,
        }
    }
}

impl Retention {
    /// The same, but what is finished goes at once.
    pub(in crate::store) fn at_once(&self) -> Self {
        let zero = Duration::ZERO;
        Self { bodies: zero, events: zero, attempts: zero, ..self.clone() }
    }

    /// How much longer a thing may be kept, so that it goes together with others.
    pub(in crate::store) fn grain(&self) -> Duration {
        let shortest = self.bodies.min(self.events).min(self.attempts).min(self.dead);
        (shortest / GRAIN_SHARE).clamp(GRAIN_MIN, GRAIN_MAX)
    }

    /// Tells these times from others.
    pub(in crate::store) fn mark(&self) -> u64 {
        let times = [self.bodies, self.events, self.attempts, self.dead];
        let fold = |mark: u64, time| (mark ^ in_millis(time)).wrapping_mul(FNV_PRIME);
        times.into_iter().fold(FNV_OFFSET, fold)
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Fate {
    /// Stays as it is, at least until then.
    Keep(Timestamp),
    /// A receipt loses its body and headers; the rest of it stays until then.
    Bare(Timestamp),
    /// Goes.
    Drop,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_times_have_another_mark() {
        let other = Retention { events: DAY, ..Retention::default() };
        assert_ne!(other.mark(), Retention::default().mark());
    }

    #[test]
    fn a_short_retention_is_cut_finer() {
        assert_eq!(Retention::default().grain(), DAY);
        let short = Retention { bodies: DAY, ..Retention::default() };
        assert_eq!(short.grain(), DAY / GRAIN_SHARE);
        assert_eq!(Retention::default().at_once().grain(), GRAIN_MIN);
    }
}
