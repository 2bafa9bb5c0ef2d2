//! Plugins that do everything at once that a plugin can do wrong, beside a provider and a handler
//! that work.
//!
//! In their claims, parses and runs they spin, trap, recurse, take all memory, write lines and read
//! state without end. What each limit does is a test of `tests/hostile`. What is measured is how
//! many events go all the way through the others meanwhile.

use std::time::Duration;

use super::Trouble;
use super::spinning::{Sent, delivered};
use crate::gateway::Workplace;

/// What the spinner does when it is told.
const WAYS: [&str; 6] = ["spin", "trap", "recurse", "hoard", "log", "state"];

/// Events a second that a handler has seen and that were delivered.
pub(super) fn measure(
    workplace: &Workplace,
    trouble: Trouble,
    time: Duration,
) -> anyhow::Result<f64> {
    let each = |how| [Sent::event(how), Sent::request("claim", how), Sent::request("parse", how)];
    delivered(workplace, trouble, time, WAYS.into_iter().flat_map(each).collect())
}
