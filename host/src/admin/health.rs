//! How the gateway is: whether it runs, is ready and has settled, and its metrics.
//!
//! Whoever looks after it asks here, so all but one of these is always answered at once. Never
//! changes anything.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::json;

use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::problem::Kind;
use super::{Admin, Problem, levels};
use crate::metrics::Metrics;
use crate::token::Scope;

const TEXT: &str = "text/plain";

pub(super) static OPERATIONS: [Operation; 4] = [
    Operation {
        verb: Verb::Get,
        path: "/healthz",
        id: "getHealth",
        summary: "Says that the gateway runs.",
        need: Need::Nothing,
        tenants: Tenants::Open,
        turn: Turn::Always,
        parameters: &[],
        body: None,
        answers: &[Answer::text("It runs.", TEXT)],
        problems: &[],
        handler: || get(async || "ok\n"),
    },
    Operation {
        verb: Verb::Get,
        path: "/readyz",
        id: "getReadiness",
        summary: "Says whether the gateway can accept requests, and if not, why.",
        need: Need::Nothing,
        tenants: Tenants::Open,
        turn: Turn::Always,
        parameters: &[],
        body: None,
        answers: &[Answer::text("It is ready.", TEXT)],
        problems: &[Kind::NotReady],
        handler: || get(readyz),
    },
    Operation {
        verb: Verb::Get,
        path: "/metrics",
        id: "getMetrics",
        summary: "Gives the metrics.",
        need: Need::Metrics,
        tenants: Tenants::Operator,
        turn: Turn::Always,
        parameters: &[],
        body: None,
        answers: &[Answer::text("Metrics as OpenMetrics text.", METRICS)],
        problems: &[],
        handler: || get(metrics),
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/settled",
        id: "waitUntilSettled",
        summary: "Waits until nothing is queued, in flight or due, for a minute at most.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[],
        body: None,
        answers: &[Answer::text("Nothing is left to do now.", TEXT)],
        problems: &[Kind::NotYet],
        handler: || get(settled),
    },
];

/// [`Metrics::CONTENT_TYPE`] without its parameters.
const METRICS: &str = "application/openmetrics-text";

async fn readyz(State(admin): State<Arc<Admin>>) -> Result<&'static str, Problem> {
    let reasons = (admin.ready.0)();
    if reasons.is_empty() {
        return Ok("ready\n");
    }
    // The details alone, for those who have read them there since before the reasons had names.
    let missing: Vec<&str> = reasons.iter().map(|reason| reason.detail.as_str()).collect();
    let detail = "the gateway can't accept requests: see what is `missing`";
    let problem = Problem::new(Kind::NotReady, detail).with("missing", missing);
    Err(problem.with("reasons", json!(reasons)))
}

async fn metrics(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)], admin.measured())
}

impl Admin {
    /// The metrics as they are now, in the text format of OpenMetrics.
    pub(crate) fn measured(&self) -> String {
        levels::set(&self.metrics, &self.store, &self.disk);
        levels::set_plugins(&self.metrics, &self.store, (self.usages.0)());
        levels::set_waiting(&self.metrics, (self.waits.0)());
        self.metrics.render()
    }
}

/// Answers when nothing is queued, in flight or due, for scripts that want to look at the end; or
/// after a minute that this is not so yet. What waits for a plugin may do so for ever, so that is
/// told as soon as all else is done.
async fn settled(State(admin): State<Arc<Admin>>) -> Result<&'static str, Problem> {
    let not_yet = "some work is still queued, in flight or due; ask again later";
    admin.turns.wait(admin.store.idle(), not_yet).await?;
    let waiting = (admin.waits.0)();
    if waiting.is_empty() {
        return Ok("settled\n");
    }
    let waiting: Vec<String> = waiting.iter().map(ToString::to_string).collect();
    let detail = format!("plugins are missing or stopped; what waits: {}", waiting.join(", "));
    Err(Problem::new(Kind::NotYet, detail))
}
