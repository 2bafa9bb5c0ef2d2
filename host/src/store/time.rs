//! The store's clock: the time that is written down and waited for, and the time that removal goes
//! by, which is the same unless the clock has leapt.
//!
//! A clock that was set wrong by months must not remove history and event ids that are young. So
//! the time that has passed is held against what the clock says; where they differ by more than a
//! day, the clock is believed only after it has said so for a day. Age alone goes by that.

use std::sync::Mutex;
use std::time::Duration;

use crate::clock::Clock;
use crate::event::Timestamp;
use crate::lock::lock;

/// A smaller leap changes nothing that matters. A greater one is believed when it has lasted so
/// long.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The one clock of a store.
#[derive(Debug)]
pub(super) struct StoreClock {
    clock: Clock,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// The last time that was believed.
    time: Timestamp,
    /// When that was, by [`Clock::passed`].
    heard: Duration,
    /// Since when the clock has not been believed.
    doubted: Option<Duration>,
}

/// The time, as far as it can be known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// What the clock says: what is written down, and what is due, goes by it.
    pub(super) now: Timestamp,
    /// It is not earlier: what is too old now is too old.
    pub(super) earliest: Timestamp,
    /// It is not later.
    pub(super) latest: Timestamp,
}

impl StoreClock {
    /// Believes the time that the store was told last, or else the clock's.
    pub(super) fn new(clock: Clock, told: Option<Timestamp>) -> Self {
        let time = told.unwrap_or_else(|| clock.now());
        let known = Mutex::new(Known { time, heard: clock.passed(), doubted: None });
        Self { clock, known }
    }

    /// What the clock says.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits until the clock says `due` or later; for ever if there is none.
    pub(super) async fn reached(&self, due: Option<Timestamp>) {
        self.clock.reached(due).await;
    }

    /// The time now, as far as it can be known.
    pub(super) fn bounds(&self) -> Bounds {
        let mut known = lock(&self.known);
        let said = self.clock.now();
        let passed = self.clock.passed();
        let expected = known.time.after(passed.saturating_sub(known.heard));
        let is_near = said <= expected.after(DAY) && expected <= said.after(DAY);
        let doubted = *known.doubted.get_or_insert_with(|| {
            if !is_near {
                tracing::warn!(
                    clock = %said, %expected,
                    "the clock leapt: for a day the sweep keeps what is expired only by the new time"
                );
            }
            passed
        });
        if is_near || passed.saturating_sub(doubted) >= DAY {
            *known = Known { time: said, heard: passed, doubted: None };
            return Bounds { now: said, earliest: said, latest: said };
        }
        Bounds { now: said, earliest: said.min(expected), latest: said.max(expected) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn days(days: u32) -> Duration {
        DAY * days
    }

    #[test]
    fn time_that_passes_is_believed_however_much_it_is() {
        let clock = Clock::manual(NOW);
        let time = StoreClock::new(clock.clone(), Some(NOW));
        for _ in 0..3 {
            clock.advance(days(100));
            assert_eq!(time.bounds().earliest, clock.now());
        }
    }

    #[test]
    fn a_clock_that_leaps_ahead_is_believed_after_a_day() {
        let clock = Clock::manual(NOW);
        let time = StoreClock::new(clock.clone(), Some(NOW));
        clock.set(NOW.after(days(400)));
        assert_eq!(time.bounds().earliest, NOW);
        clock.advance(DAY / 2);
        assert_eq!(time.bounds().earliest, NOW.after(DAY / 2));
        assert_eq!(time.bounds().latest, NOW.after(days(400) + DAY / 2));
        clock.advance(DAY / 2);
        assert_eq!(time.bounds().earliest, NOW.after(days(401)));
    }

    #[test]
    fn a_clock_that_comes_back_is_believed_at_once() {
        let clock = Clock::manual(NOW);
        let time = StoreClock::new(clock.clone(), Some(NOW));
        for said in [NOW.after(days(90)), NOW, Timestamp(0), NOW] {
            clock.set(said);
            let Bounds { now, earliest, latest } = time.bounds();
            assert_eq!((now, earliest, latest), (said, said.min(NOW), said.max(NOW)));
        }
    }

    #[test]
    fn a_start_after_a_long_rest_waits_for_a_day_too() {
        let clock = Clock::manual(NOW);
        let time = StoreClock::new(clock.clone(), Some(Timestamp(0)));
        assert_eq!(time.bounds().earliest, Timestamp(0));
        clock.advance(DAY);
        assert_eq!(time.bounds().earliest, clock.now());
    }
}
