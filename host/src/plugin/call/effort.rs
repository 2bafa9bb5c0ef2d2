//! What a thread has computed, for calls whose time counts only that.
//!
//! Where cores are short, a thread waits for one longer than a quick call takes, and a deadline by
//! the clock would end calls that are not slow. Never lets one wait for longer than it may.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A call since it began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    began: Instant,
    /// What its thread had computed then.
    before: Duration,
    most: Duration,
    patience: Duration,
}

impl Effort {
    /// One that begins now on this thread, computes so much at most and is over behind this time
    /// in any case.
    pub(super) fn begin(most: Duration, patience: Duration) -> Self {
        Self { began: Instant::now(), before: computed(), most, patience }
    }

    /// Whether it has used that up. To be asked on its own thread.
    pub(super) fn is_spent(&self) -> bool {
        self.computed() >= self.most || self.began.elapsed() >= self.patience
    }

    /// Whether it has computed for more than half of what it may. To be asked on its own thread.
    pub(super) fn is_dear(&self) -> bool {
        let half = self.most / 2;
        // No thread computes for longer than passes. To ask what it computed is a system call.
        self.began.elapsed() > half && self.computed() > half
    }

    fn computed(&self) -> Duration {
        computed().saturating_sub(self.before)
    }
}

/// What this thread has computed so far.
fn computed() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_computes_spends_it_and_who_waits_spends_patience() {
        let hour = Duration::from_secs(3_600);
        let effort = Effort::begin(Duration::from_millis(2), hour);
        let mut number = 0_u64;
        while !effort.is_spent() {
            number = std::hint::black_box(number.wrapping_mul(3) + 1);
        }
        assert!(effort.is_dear() && effort.began.elapsed() < hour);
        let idle = Effort::begin(hour, hour);
        assert!(!idle.is_spent() && !idle.is_dear());
        assert!(Effort::begin(hour, Duration::ZERO).is_spent());
    }
}
