//! How long a peer may keep the gateway waiting: the times of `[limits]` that are about peers.
//!
//! Only times, their defaults and their bounds. Never waits for anybody.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::Table;
use super::values::{hours, ms, secs};

/// What keeps the gateway waiting, by default.
const STALL: Duration = secs(10);
/// How long an unused connection is kept, by default: longer than Amazon's balancers, which keep it
/// for 60 s, and nginx. Google's keep it for 600 s; who stands behind those writes 620 s.
const IDLE: Duration = secs(75);

const BOUNDS: RangeInclusive<Duration> = ms(100)..=hours(1);

/// A time for each thing that a peer may be slow with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    /// To read some of an answer.
    pub(super) stall: Duration,
    /// To agree on TLS.
    pub(super) tls: Duration,
    /// To send the head of a request.
    pub(super) head: Duration,
    /// To begin with its body.
    pub(super) body: Duration,
    /// To ask for anything else.
    pub(super) idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { stall: STALL, tls: STALL, head: STALL, body: STALL, idle: IDLE }
    }
}

impl Patience {
    /// Reads its keys of the table. Those for TLS, a head and a body are as `stall` unless they are
    /// there.
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let stall = table.duration("stall", BOUNDS, STALL);
        Self {
            stall,
            tls: table.duration("tls_timeout", BOUNDS, stall),
            head: table.duration("head_timeout", BOUNDS, stall),
            body: table.duration("body_timeout", BOUNDS, stall),
            idle: table.duration("idle", secs(1)..=hours(24), IDLE),
        }
    }

    /// Each time by its key.
    pub(super) fn times(self) -> [(&'static str, Duration); 5] {
        let Self { stall, tls, head, body, idle } = self;
        [
            ("stall", stall),
            ("tls_timeout", tls),
            ("head_timeout", head),
            ("body_timeout", body),
            ("idle", idle),
        ]
    }
}
