//! How the attempts at an endpoint went, hour by hour.
//!
//! As the store has noted them, every few seconds. Never looks at a delivery.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use super::found;
use crate::admin::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use crate::admin::path::{ENDPOINT_ID, Segment};
use crate::admin::problem::Kind;
use crate::admin::query::{self, TimesQuery};
use crate::admin::reach::Reach;
use crate::admin::schema::Schemas;
use crate::admin::{Admin, Problem};
use crate::event::{Timestamp, in_millis};
use crate::ids::IdKind;
use crate::store::{BUCKETS, StatsHour};
use crate::token::Scope;

const HOUR: Duration = Duration::from_secs(60 * 60);
/// As far back as the hours go that are shown if nobody says otherwise.
const SHOWN: Duration = Duration::from_secs(24 * 60 * 60);

pub(in crate::admin) static OPERATIONS: [Operation; 1] = [Operation {
    verb: Verb::Get,
    path: "/v1/endpoints/{id}/stats",
    id: "getEndpointStats",
    summary: "Counts the attempts at an endpoint by the hour, oldest first: of the last 24 hours, \
              or from `after` on, at most 31 days back.",
    need: Need::Scope(Scope::Read),
    tenants: Tenants::Own,
    turn: Turn::Shared,
    parameters: &[ENDPOINT_ID, query::AFTER, query::BEFORE],
    body: None,
    answers: &[Answer::ok("The hours with attempts.", Schemas::of::<EndpointStats>)],
    problems: &[Kind::InvalidParameter, Kind::InvalidId, Kind::NotFound, Kind::EndpointDeleted],
    handler: || get(stats),
}];

/// How attempts went.
#[derive(Serialize)]
struct EndpointStats {
    hours: Vec<EndpointHour>,
    total: Attempts,
}

/// How attempts went in an hour.
#[derive(Serialize)]
struct EndpointHour {
    hour: Timestamp,
    #[serde(flatten)]
    counted: Attempts,
}

/// Attempts.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Attempts {
    attempts: u64,
    successes: u64,
    bytes: u64,
    latency_ms: Latency,
}

/// How long attempts took.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Latency {
    p50: Option<u64>,
    p95: Option<u64>,
    p99: Option<u64>,
}

object! {
    /// How the attempts at an endpoint went.
    EndpointStats {
        /// Those with attempts, oldest first.
        hours: Vec<EndpointHour>,
        total: Attempts,
    }
}

object! {
    /// How the attempts at an endpoint went in an hour.
    EndpointHour {
        /// When it begins.
        hour: Timestamp,
        [flat] counted: Attempts,
    }
}

object! {
    /// Attempts at an endpoint.
    Attempts {
        /// All of them.
        attempts: u64,
        /// Those that the endpoint answered with 2xx.
        successes: u64,
        /// Bytes of the bodies that were sent.
        bytes: u64,
        latency_ms: Latency,
    }
}

object! {
    /// A number of milliseconds within which a share of the attempts ended; null above an hour, and
    /// above 2,048 where an older version has counted.
    Latency {
        /// Half of them.
        p50: Option<u64>,
        /// 95 of a hundred.
        p95: Option<u64>,
        /// 99 of a hundred.
        p99: Option<u64>,
    }
}

impl From<&StatsHour> for Attempts {
    fn from(hour: &StatsHour) -> Self {
        let StatsHour { attempts, successes, latency, bytes, .. } = hour;
        let of_hundred = |share| within(latency, share);
        let latency_ms = Latency { p50: of_hundred(50), p95: of_hundred(95), p99: of_hundred(99) };
        Self { attempts: *attempts, successes: *successes, bytes: *bytes, latency_ms }
    }
}

/// The milliseconds within which so many of a hundred ended; `None` if the last bucket has it, or
/// there are none.
fn within(latency: &[u32; BUCKETS], share: u64) -> Option<u64> {
    let all: u64 = latency.iter().copied().map(u64::from).sum();
    let wanted = (all * share).div_ceil(100);
    let mut counted = 0;
    let bucket = latency.iter().position(|count| {
        counted += u64::from(*count);
        counted >= wanted
    });
    let bucket = bucket.filter(|bucket| all > 0 && *bucket < BUCKETS - 1)?;
    // What is in it took less than the root of this.
    let squared = 1_u64 << bucket;
    let root = squared.isqrt();
    Some(if root * root == squared { root } else { root + 1 })
}

fn begin(hour: &StatsHour) -> Timestamp {
    Timestamp(u64::from(hour.hour) * in_millis(HOUR))
}

async fn stats(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
    TimesQuery(after, before): TimesQuery,
) -> Result<Json<EndpointStats>, Problem> {
    let listed = found(&admin, &reach, segment.id(IdKind::Endpoint)?)?;
    let day_ago = Timestamp(admin.access.now().0.saturating_sub(in_millis(SHOWN)));
    let key = listed.endpoint.key.clone();
    let mut hours = admin.store.endpoint_stats(key, after.unwrap_or(day_ago)).await?;
    hours.retain(|hour| before.is_none_or(|before| begin(hour) < before));
    let mut total = StatsHour::default();
    hours.iter().for_each(|hour| total.add(hour));
    let shown = |hour: &StatsHour| EndpointHour { hour: begin(hour), counted: hour.into() };
    Ok(Json(EndpointStats { hours: hours.iter().map(shown).collect(), total: (&total).into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_bound_of_the_bucket_that_has_it() {
        let mut hour = StatsHour { attempts: 100, successes: 98, ..StatsHour::default() };
        assert_eq!(within(&hour.latency, 50), None, "there are none");
        // Below 1 ms, 8 ms and 12 ms; and one above all bounds.
        for (bucket, count) in [(0, 50), (6, 44), (7, 5), (BUCKETS - 1, 1)] {
            hour.latency[bucket] = count;
        }
        let latency = Attempts::from(&hour).latency_ms;
        assert_eq!(latency, Latency { p50: Some(1), p95: Some(12), p99: Some(12) });
        assert_eq!(within(&hour.latency, 100), None, "nobody knows how long that took");
        let within_bucket = |bucket: usize| {
            let mut latency = [0; BUCKETS];
            latency[bucket] = 1;
            within(&latency, 99)
        };
        let longest = [22, 32, BUCKETS - 2].map(within_bucket);
        assert_eq!(longest, [Some(2_048), Some(65_536), Some(4_194_304)]);
    }
}
