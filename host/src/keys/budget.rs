//! How many look-ups may be made: so many at a time, and so many in a while.
//!
//! Those of one kind only, so that look-ups of another kind can't use them up. A clock that was set
//! back blocks none.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::KeyError;
use crate::event::Timestamp;
use crate::lock::lock;

/// A number of look-ups that is filled up again.
#[derive(Debug)]
pub(super) struct Budget {
    running: Arc<Semaphore>,
    /// When it will be full again, if nothing more is looked up.
    full_at: Mutex<Timestamp>,
    most: u32,
    /// In which one more is allowed.
    refill: Duration,
}

impl Budget {
    /// A full one: `most` at once, one more after each `refill`, and `at_a_time` of them running.
    pub(super) fn new(at_a_time: usize, most: u32, refill: Duration) -> Self {
        let running = Arc::new(Semaphore::new(at_a_time));
        Self { running, full_at: Mutex::default(), most, refill }
    }

    /// Lets a look-up begin, and counts it as running until the permit is dropped.
    pub(super) fn admit(&self, now: Timestamp) -> Result<OwnedSemaphorePermit, KeyError> {
        let permit = Arc::clone(&self.running).try_acquire_owned().map_err(|_| KeyError::Busy)?;
        let mut full_at = lock(&self.full_at);
        let empty = now.after(self.refill * self.most);
        // It is never that far away, unless the clock was set back: then all is allowed again.
        let full = if *full_at > empty { now } else { now.max(*full_at) };
        let next = full.after(self.refill);
        if next > empty {
            return Err(KeyError::Busy);
        }
        *full_at = next;
        Ok(permit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NOW: Timestamp = Timestamp(1_000_000);

    fn spent() -> Budget {
        let budget = Budget::new(1, 3, SECOND);
        for _ in 0..3 {
            drop(budget.admit(NOW).unwrap());
        }
        assert!(budget.admit(NOW).is_err());
        budget
    }

    #[test]
    fn so_many_run_at_a_time() {
        let budget = Budget::new(2, 10, SECOND);
        let running = [budget.admit(NOW).unwrap(), budget.admit(NOW).unwrap()];
        assert!(budget.admit(NOW).is_err());
        drop(running);
        assert!(budget.admit(NOW).is_ok());
    }

    #[test]
    fn what_is_spent_fills_up_again_one_by_one() {
        let budget = spent();
        assert!(budget.admit(NOW.after(SECOND)).is_ok());
        assert!(budget.admit(NOW.after(SECOND)).is_err());
        let later = NOW.after(SECOND * 100);
        assert_eq!((0..9).filter(|_| budget.admit(later).is_ok()).count(), 3);
    }

    #[test]
    fn a_clock_that_was_set_back_blocks_nothing() {
        let budget = spent();
        let back = Timestamp(NOW.0 - 500_000);
        assert_eq!((0..9).filter(|_| budget.admit(back).is_ok()).count(), 3);
    }
}
