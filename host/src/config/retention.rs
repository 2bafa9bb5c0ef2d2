//! The `[retention]` table: how long what is finished is kept.
//!
//! Only bounds, and their defaults, which are the store's; the store does the rest.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::Table;
use super::values::{days, hours};
use crate::store::Retention;

/// How long anything is kept. A sweep comes every ten minutes: with less than the least it would
/// remove what somebody has just looked up, and write all ids in memory to the file each time.
const TIMES: RangeInclusive<Duration> = hours(1)..=days(3_650);
const WHY_AN_HOUR: &str =
    ": with less, the gateway deletes requests before you can look into them or replay them";

/// How much is kept at least, before the oldest goes ahead of its time.
const SIZE_BYTES: RangeInclusive<u64> = 64 << 20..=1 << 50;

/// Reads the table. Every key may be left out.
pub(super) fn read(table: &mut Table<'_>) -> Retention {
    let default = Retention::default();
    let mut kept = |key, default| {
        let read = table.take(key).map(|entry| entry.duration_for(&TIMES, WHY_AN_HOUR));
        read.flatten().unwrap_or(default)
    };
    Retention {
        bodies: kept("bodies", default.bodies),
        events: kept("events", default.events),
        attempts: kept("attempts", default.attempts),
        dead: kept("dead", default.dead),
        size_bytes: table.take("size_bytes").and_then(|entry| entry.count(&SIZE_BYTES)),
    }
}
