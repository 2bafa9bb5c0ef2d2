//! The `[retention]` table: how long what is finished is kept.
//!
//! Only bounds, and their defaults, which are the store's; the store does the rest.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::Table;
use super::values::{days, hours};
use crate::store::Retention;

/// How long anything is kept. Less than the least would let a duplicate in that a provider repeats
/// after an outage, and leave nobody the time to look into what happened.
const TIMES: RangeInclusive<Duration> = hours(1)..=days(3_650);

/// How much is kept at least, before the oldest goes ahead of its time.
const SIZE_BYTES: RangeInclusive<u64> = 64 << 20..=1 << 50;

/// Reads the table. Every key may be left out.
pub(super) fn read(table: &mut Table<'_>) -> Retention {
    let default = Retention::default();
    Retention {
        bodies: table.duration("bodies", TIMES, default.bodies),
        events: table.duration("events", TIMES, default.events),
        attempts: table.duration("attempts", TIMES, default.attempts),
        dead: table.duration("dead", TIMES, default.dead),
        size_bytes: table.take("size_bytes").and_then(|entry| entry.count(&SIZE_BYTES)),
    }
}
