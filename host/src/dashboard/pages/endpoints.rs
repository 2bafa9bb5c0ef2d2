//! The endpoints: who gets deliveries, and how each fares.
//!
//! Reads `/v1/endpoints`, 50 at a time. Never one endpoint whole.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, link};
use crate::token::Scope;

/// What a field of the page shows at most, in bytes.
const TEXT_BYTES_MAX: usize = 128;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/endpoints", get(list))
}

#[derive(Deserialize)]
struct Endpoints {
    items: Vec<Endpoint>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Endpoint {
    id: String,
    name: String,
    tenant: Option<String>,
    url: String,
    state: String,
    breaker: Breaker,
}

#[derive(Deserialize)]
struct Breaker {
    state: String,
}

struct Row {
    name: Markup,
    tenant: String,
    url: Markup,
    state: Markup,
}

#[derive(Template)]
#[template(path = "endpoints.html")]
struct EndpointsPage {
    frame: Frame,
    can_write: bool,
    rows: Vec<Row>,
    next: Option<String>,
}

/// How an endpoint stands, in a word.
fn standing(endpoint: &Endpoint) -> Markup {
    match (&*endpoint.state, &*endpoint.breaker.state) {
        ("paused", _) => markup::pill(Mood::Plain, "Paused"),
        ("disabled", _) => markup::pill(Mood::Bad, "Disabled"),
        (_, "open") => markup::pill(Mood::Bad, "Breaker open"),
        (_, "half_open") => markup::pill(Mood::Warn, "Probing"),
        _ => markup::pill(Mood::Ok, "Healthy"),
    }
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let asked = visitor.asked.pick(&["tenant", "name", "state", "cursor"]);
    let Endpoints { items, next } = visitor.get(&link::with_query("/v1/endpoints", asked)).await?;
    let row = |endpoint: &Endpoint| Row {
        name: markup::link(&link::below("/endpoints", &endpoint.id), &endpoint.name),
        tenant: endpoint.tenant.clone().unwrap_or_default(),
        url: markup::long(&endpoint.url, TEXT_BYTES_MAX),
        state: standing(endpoint),
    };
    let filters = visitor.asked.pick(&["tenant", "name", "state"]);
    let more = |next: &str| {
        link::with_query("/endpoints", filters.iter().copied().chain([("cursor", next)]))
    };
    Ok(page(&EndpointsPage {
        frame: visitor.frame(Section::Endpoints, "Endpoints"),
        can_write: visitor.can(Scope::Write),
        rows: items.iter().map(row).collect(),
        next: next.as_deref().map(more),
    }))
}
