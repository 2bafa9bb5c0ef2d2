//! How long a command waits until it asks again who did not answer.
//!
//! For commands that stay: `listen` and `event tail`. Twice as long each time, up to a bound. Never
//! waits itself.

use std::time::Duration;

/// The pause after this many that were taken before it: `first` after none, at most `most`, and a
/// fifth more or less, so that many that were hung up on at once do not come back at once.
pub(super) fn growing(first: Duration, most: Duration, taken: u32) -> Duration {
    let pause = first.saturating_mul(1 << taken.min(16)).min(most);
    pause.mul_f64(0.8 + 0.4 * fastrand::f64())
}
