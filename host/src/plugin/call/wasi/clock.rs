//! The clocks of a guest: the wall clock stands still, and the monotonic one counts its readings.
//!
//! Neither reads the host's clock, so that a call can be repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime_wasi::p2::Pollable;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, async_trait};

use crate::event::Timestamp;

/// How far the monotonic clock goes with each reading, in nanoseconds.
const STEP_NS: u64 = 1_000;

/// The time of the call, all through the call.
#[derive(Debug, Clone)]
pub(super) struct Wall(Arc<AtomicU64>);

impl Wall {
    /// One that shows this time.
    pub(super) fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(now.0)))
    }

    /// Has all clones show this time: that of another call in the same instance.
    pub(super) fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::Relaxed);
    }
}

impl HostWallClock for Wall {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// From 0 on, a step with each reading: it always goes on, so that nobody who looks at it waits for
/// ever, and never by as much as really passed.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps(Arc<AtomicU64>);

impl Steps {
    /// A reading, and the next one is later.
    pub(super) fn read(&self) -> u64 {
        self.0.fetch_add(STEP_NS, Ordering::Relaxed)
    }

    /// From 0 again: another call in the same instance sees what it would see in a fresh one.
    pub(super) fn restart(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl HostMonotonicClock for Steps {
    fn resolution(&self) -> u64 {
        STEP_NS
    }

    fn now(&self) -> u64 {
        self.read()
    }
}

/// A moment that a guest may ask for: ready from then on by this clock.
#[derive(Debug)]
pub(super) struct Timer {
    pub(super) steps: Steps,
    /// The moment, in nanoseconds.
    pub(super) due: u64,
}

#[async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        if self.steps.read() < self.due {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_starts_at_0_and_goes_on_with_every_reading() {
        let steps = Steps::default();
        let readings: Vec<u64> = (0..3).map(|_| steps.now()).collect();
        assert_eq!(readings, [0, 1_000, 2_000]);
        let held = steps.clone();
        steps.restart();
        assert_eq!([held.now(), steps.now()], [0, 1_000]);
    }

    #[test]
    fn the_wall_clock_stands_still_until_another_call() {
        let wall = Wall::at(Timestamp(5));
        let held = wall.clone();
        assert_eq!([held.now(), held.now()], [Duration::from_millis(5); 2]);
        wall.set(Timestamp(7));
        assert_eq!(held.now(), Duration::from_millis(7));
    }
}
