//! The one door to the wall clock.
//!
//! Everything that asks for the time or waits for one asks a [`Clock`], so that a test can hold
//! time still and move it. Never used to measure how long something took.

use std::future::pending;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::event::Timestamp;

/// The system's clock, or one that a test moves.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The time of the day.
    #[default]
    System,
    /// Stands still until [`Clock::set`] or [`Clock::advance`].
    Manual(Arc<watch::Sender<Hands>>),
}

/// What a manual clock shows.
#[derive(Debug, Clone, Copy)]
pub struct Hands {
    now: Timestamp,
    /// How much time has passed, whatever the clock was set to.
    passed: Duration,
}

/// A time that comes when the clock says so, or when as much time has passed, whichever is first:
/// whoever sets the clock back holds up nobody who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// By [`Clock::passed`].
    passed: Duration,
    at: Timestamp,
}

/// Before anything else was asked.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// No wait is longer, so that a clock that was set is noticed.
const WAIT_MAX: Duration = Duration::from_secs(1);

impl Clock {
    /// A clock that stands at `now`.
    pub fn manual(now: Timestamp) -> Self {
        let hands = Hands { now, passed: Duration::ZERO };
        Self::Manual(Arc::new(watch::Sender::new(hands)))
    }

    /// The time.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => SystemTime::now().into(),
            Self::Manual(hands) => hands.borrow().now,
        }
    }

    /// The time as traces have it: in nanoseconds since 1970.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub(crate) fn nanoseconds(&self) -> u64 {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                since.as_nanos().try_into().unwrap_or(u64::MAX)
            }
            Self::Manual(hands) => hands.borrow().now.0.saturating_mul(1_000_000),
        }
    }

    /// How much time has passed since some moment before: it goes on at its pace when somebody sets
    /// the clock, so that a clock that was set is told from time that has passed.
    pub fn passed(&self) -> Duration {
        match self {
            Self::System => START.elapsed(),
            Self::Manual(hands) => hands.borrow().passed,
        }
    }

    /// The moment that comes after this span.
    pub fn moment(&self, span: Duration) -> Moment {
        Moment { passed: self.passed().saturating_add(span), at: self.now().after(span) }
    }

    /// Whether this moment has come.
    pub fn has_come(&self, moment: Moment) -> bool {
        self.left(moment).is_zero()
    }

    /// How long it is until this moment at most.
    fn left(&self, moment: Moment) -> Duration {
        moment.passed.saturating_sub(self.passed()).min(moment.at.since(self.now()))
    }

    /// Waits until this moment has come; for ever if there is none.
    pub async fn comes(&self, moment: Option<Moment>) {
        let Some(moment) = moment else { return pending().await };
        self.until(|| self.left(moment)).await;
    }

    /// Sets a manual clock to `now`, backwards too, while no time passes; the system's clock stays
    /// as it is.
    pub fn set(&self, now: Timestamp) {
        if let Self::Manual(hands) = self {
            hands.send_modify(|hands| hands.now = now);
        }
    }

    /// Lets time pass on a manual clock.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(hands) = self {
            hands.send_modify(|hands| {
                (hands.now, hands.passed) = (hands.now.after(by), hands.passed.saturating_add(by));
            });
        }
    }

    /// Waits until the time is `due` or later; for ever if there is none.
    pub async fn reached(&self, due: Option<Timestamp>) {
        let Some(due) = due else { return pending().await };
        self.until(|| due.since(self.now())).await;
    }

    /// Waits until `left` is zero, and asks it again as time goes on or somebody sets the clock.
    pub async fn until(&self, left: impl Fn() -> Duration) {
        match self {
            Self::System => loop {
                let left = left();
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(WAIT_MAX)).await;
            },
            Self::Manual(hands) => {
                // Before the first look: what is moved in between must not be missed.
                let mut moved = hands.subscribe();
                while !left().is_zero() {
                    assert!(moved.changed().await.is_ok(), "the clock holds its own sender");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(Timestamp(1_000));
        let waiting = clock.reached(Some(Timestamp(61_000)));
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            () = &mut waiting => panic!("time moved by itself"),
            () = std::future::ready(()) => (),
        }
        clock.advance(Duration::from_secs(60));
        waiting.await;
        assert_eq!(clock.now(), Timestamp(61_000));
    }

    #[tokio::test]
    async fn a_moment_comes_though_the_clock_is_set_back_and_at_once_if_it_is_set_ahead() {
        let clock = Clock::manual(Timestamp(1_000_000));
        let minute = Duration::from_secs(60);
        let first = clock.moment(minute);
        clock.set(Timestamp(0));
        assert!(!clock.has_come(first));
        clock.advance(minute);
        clock.comes(Some(first)).await;

        let second = clock.moment(minute);
        clock.set(Timestamp(2_000_000));
        clock.comes(Some(second)).await;
        assert!(first < second && clock.has_come(second));
    }

    #[tokio::test]
    async fn what_is_due_is_not_waited_for() {
        Clock::System.reached(Some(Timestamp(1))).await;
    }
}
