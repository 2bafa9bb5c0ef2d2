//! The gateway at a glance: what came and went in the last hour, day or week, what waits and for
//! how long.
//!
//! Figures since the start of the gateway, of everything together. Never one item alone, and
//! nothing that is a tenant's.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::problem::Kind;
use super::query::{self, SpanQuery};
use super::schema::Schemas;
use super::{Admin, NotReady};
use crate::disk::Space;
use crate::event::{Timestamp, in_millis};
use crate::metrics::{Counted, Spread, Totals};
use crate::token::Scope;
use crate::traffic::Seen;

pub(super) static OPERATIONS: [Operation; 1] = [Operation {
    verb: Verb::Get,
    path: "/v1/overview",
    id: "getOverview",
    summary: "Counts what came and went in the last hour, day or week since the gateway started, \
              and says what waits.",
    need: Need::Scope(Scope::Read),
    tenants: Tenants::Operator,
    turn: Turn::Shared,
    parameters: &[query::SPAN],
    body: None,
    answers: &[Answer::ok("The figures.", Schemas::of::<Overview>)],
    problems: &[Kind::InvalidParameter],
    handler: || get(overview),
}];

/// The gateway at a glance.
#[derive(Serialize)]
struct Overview {
    version: &'static str,
    now: Timestamp,
    since: Timestamp,
    span: &'static str,
    step_s: u64,
    total: Figures,
    points: Vec<OverviewPoint>,
    waiting: u64,
    waiting_for_s: Option<u64>,
    dead: u64,
    disk: Option<DiskSpace>,
    not_ready: Vec<String>,
    reasons: Vec<NotReady>,
}

object! {
    /// The gateway at a glance.
    Overview {
        /// Of Hookgate.
        version: &'static str,
        now: Timestamp,
        /// From when on anything was counted: the start of the gateway.
        since: Timestamp,
        /// As it was asked for.
        span: &'static str,
        /// The time of one point, in seconds.
        step_s: u64,
        /// Of all points together.
        total: Figures,
        /// Oldest first; the last one is not over. A step in which the gateway did not run is
        /// missing.
        points: Vec<OverviewPoint>,
        /// Works that wait now.
        waiting: u64,
        /// For how many seconds about the oldest of them has waited; null if none does.
        waiting_for_s: Option<u64>,
        /// Dead letters now.
        dead: u64,
        /// Of the data folder's file system; null if the system does not say.
        disk: Option<DiskSpace>,
        /// Why the gateway can't accept requests; empty if it can.
        not_ready: Vec<String>,
        /// The same with names for programs, in the same order.
        reasons: Vec<NotReady>,
    }
}

/// What there was in one step of time.
#[derive(Serialize)]
struct OverviewPoint {
    at: Timestamp,
    #[serde(flatten)]
    figures: Figures,
    waiting: u64,
    dead: u64,
}

object! {
    /// What there was in one step of time.
    OverviewPoint {
        /// When it begins.
        at: Timestamp,
        [flat] figures: Figures,
        /// The most works that waited at a time.
        waiting: u64,
        /// Dead letters at its end.
        dead: u64,
    }
}

/// What was counted.
#[derive(Serialize)]
struct Figures {
    accepted: u64,
    duplicates: u64,
    refused: u64,
    put_off: u64,
    failed: u64,
    parsed: u64,
    parse_failures: u64,
    ran: u64,
    run_failures: u64,
    delivered: u64,
    attempt_failures: u64,
    answer_us: Times,
    delivery_us: Times,
}

object! {
    /// What was counted.
    Figures {
        /// Requests that were stored.
        accepted: u64,
        /// Requests of which all events were stored already.
        duplicates: u64,
        /// Requests that were not genuine, or that their source does not accept.
        refused: u64,
        /// Genuine requests that were put off at a high-water mark.
        put_off: u64,
        /// Requests that did not arrive whole, or over which the gateway or a plugin failed.
        failed: u64,
        /// Receipts that were parsed.
        parsed: u64,
        /// Tries to parse a receipt that failed.
        parse_failures: u64,
        /// Runs of handlers that succeeded.
        ran: u64,
        /// Tries to run a handler that failed.
        run_failures: u64,
        /// Deliveries that an endpoint answered with 2xx.
        delivered: u64,
        /// Attempts to deliver that failed.
        attempt_failures: u64,
        /// From a request to its answer.
        answer_us: Times,
        /// From when an event was stored to when an endpoint had it.
        delivery_us: Times,
    }
}

/// Within which time something ended.
#[derive(Serialize)]
struct Times {
    p50: Option<u64>,
    p99: Option<u64>,
}

object! {
    /// A number of microseconds within which a share ended, at most a quarter too many; null if
    /// there was nothing.
    Times {
        /// Half of them.
        p50: Option<u64>,
        /// 99 of a hundred.
        p99: Option<u64>,
    }
}

/// Of a file system.
#[derive(Serialize)]
struct DiskSpace {
    free_bytes: u64,
    mark_bytes: u64,
    is_low: bool,
}

object! {
    /// The free space of a file system.
    DiskSpace {
        free_bytes: u64,
        /// Below this, the gateway puts off requests.
        mark_bytes: u64,
        /// Whether it does.
        is_low: bool,
    }
}

impl From<Space> for DiskSpace {
    fn from(Space { free, mark, is_low }: Space) -> Self {
        Self { free_bytes: free, mark_bytes: mark, is_low }
    }
}

impl From<&Totals> for Figures {
    fn from(totals: &Totals) -> Self {
        let times = |spread: &Spread| Times { p50: spread.within(50), p99: spread.within(99) };
        Self {
            accepted: totals.of(Counted::Accepted),
            duplicates: totals.of(Counted::Duplicates),
            refused: totals.of(Counted::Refused),
            put_off: totals.of(Counted::PutOff),
            failed: totals.of(Counted::Failed),
            parsed: totals.of(Counted::Parsed),
            parse_failures: totals.of(Counted::ParseFailures),
            ran: totals.of(Counted::Ran),
            run_failures: totals.of(Counted::RunFailures),
            delivered: totals.of(Counted::Delivered),
            attempt_failures: totals.of(Counted::AttemptFailures),
            answer_us: times(&totals.answers),
            delivery_us: times(&totals.deliveries),
        }
    }
}

async fn overview(State(admin): State<Arc<Admin>>, SpanQuery(span): SpanQuery) -> Json<Overview> {
    let Seen { since, points, total, waiting_for } = admin.traffic.over(span);
    let (stats, reasons) = (admin.store.stats(), (admin.ready.0)());
    let points = points.iter().map(|point| OverviewPoint {
        at: point.at,
        figures: (&point.counted).into(),
        waiting: point.waiting,
        dead: point.dead,
    });
    Json(Overview {
        version: env!("CARGO_PKG_VERSION"),
        now: admin.access.now(),
        since,
        span: span.as_str(),
        step_s: in_millis(span.step()) / 1000,
        total: (&total).into(),
        points: points.collect(),
        waiting: stats.works.values().map(|works| works.pending() as u64).sum(),
        waiting_for_s: waiting_for.as_ref().map(Duration::as_secs),
        dead: stats.works.values().map(|works| works.dead).sum(),
        disk: admin.disk.space().map(Into::into),
        not_ready: reasons.iter().map(|reason| reason.detail.clone()).collect(),
        reasons,
    })
}
