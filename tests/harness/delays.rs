//! How far time has to move until the next try is due, jitter and all.
//!
//! A delay of the gateway's own schedules may be a fifth longer than it says. Never used where a
//! test has a schedule of its own.

use std::time::Duration;

/// Past the delay before the second try of a parse or run: a second.
pub(crate) const SECOND_TRY: Duration = Duration::from_secs(2);
/// Past the delay before its third try: 10 s.
pub(crate) const THIRD_TRY: Duration = Duration::from_secs(13);
/// Past the delay before its fourth try: a minute.
pub(crate) const FOURTH_TRY: Duration = Duration::from_secs(73);

/// Past the delay before the second attempt of a delivery: 5 s.
pub(crate) const SECOND_ATTEMPT: Duration = Duration::from_secs(7);
/// Past the delay before its third attempt: 5 minutes.
pub(crate) const THIRD_ATTEMPT: Duration = Duration::from_secs(361);
