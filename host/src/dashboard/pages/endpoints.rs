//! The endpoints: who gets deliveries, and how each fares.
//!
//! Reads `/v1/endpoints`, 50 at a time, by the filters that it has. Never one endpoint whole.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, link};
use crate::event::Timestamp;
use crate::token::Scope;

/// What a field of the page shows at most, in bytes.
const TEXT_BYTES_MAX: usize = 128;
/// What an endpoint is found by.
const FILTERS: [&str; 3] = ["name", "state", "tenant"];
/// How an endpoint can stand, and what that is called.
const STATES: [(&str, &str); 4] =
    [("", "Any"), ("enabled", "Enabled"), ("paused", "Paused"), ("disabled", "Disabled")];

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
    since: Timestamp,
    locked: bool,
    breaker: Breaker,
}

/// The breaker of an endpoint.
#[derive(Deserialize)]
pub(super) struct Breaker {
    /// `closed`, `open` or `half_open`.
    pub(super) state: String,
    /// While it is open: when it lets a probe through.
    pub(super) until: Option<Timestamp>,
    /// Since when nothing but failures came back.
    pub(super) failing_since: Option<Timestamp>,
}

struct Choice {
    value: &'static str,
    label: &'static str,
    is_chosen: bool,
}

struct Row {
    name: Markup,
    tenant: Markup,
    url: Markup,
    standing: Markup,
    /// Since when it stands so, if that is not how it should be.
    since: Markup,
}

#[derive(Template)]
#[template(path = "endpoints.html")]
struct EndpointsPage {
    frame: Frame,
    can_write: bool,
    is_operator: bool,
    is_filtered: bool,
    name: String,
    tenant: String,
    states: Vec<Choice>,
    rows: Vec<Row>,
    next: Option<String>,
}

/// How an endpoint stands, in a word: what keeps deliveries from it goes first.
pub(super) fn standing(state: &str, breaker: &Breaker, is_locked: bool) -> Markup {
    match (state, &*breaker.state) {
        ("paused", _) => markup::pill(Mood::Plain, "Paused"),
        ("disabled", _) => markup::pill(Mood::Bad, "Disabled"),
        _ if is_locked => markup::pill(Mood::Bad, "Locked"),
        (_, "open") => markup::pill(Mood::Bad, "Breaker open"),
        (_, "half_open") => markup::pill(Mood::Warn, "Probing"),
        _ if breaker.failing_since.is_some() => markup::pill(Mood::Warn, "Failing"),
        _ => markup::pill(Mood::Ok, "Healthy"),
    }
}

/// Offers a form to nobody who may not send it.
pub(super) fn check_may_write(visitor: &Visitor) -> Result<(), Failed> {
    if visitor.can(Scope::Write) {
        return Ok(());
    }
    let failed = Failed::invalid("The form is for a token with the scope `write`.");
    let (kind, title) = ("missing-scope".to_owned(), "Scope missing".to_owned());
    Err(Failed { status: StatusCode::FORBIDDEN, kind, title, ..failed })
}

fn row(now: Timestamp, endpoint: &Endpoint) -> Row {
    let Endpoint { id, name, tenant, url, state, since, locked, breaker } = endpoint;
    let stands_since = (state != "enabled").then_some(*since);
    let since = stands_since.or(breaker.failing_since);
    Row {
        name: markup::link(&link::below("/endpoints", id), name),
        tenant: markup::long(tenant.as_deref().unwrap_or_default(), TEXT_BYTES_MAX),
        url: markup::long(url, TEXT_BYTES_MAX),
        standing: standing(state, breaker, *locked),
        since: since.map_or_else(|| markup::long("", 1), |since| markup::when(now, since)),
    }
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let asked = &visitor.asked;
    let filters = asked.pick(&FILTERS);
    let page_of = |cursor| filters.iter().copied().chain([("cursor", cursor)]);
    let path = link::with_query("/v1/endpoints", page_of(asked.text("cursor")));
    let Endpoints { items, next } = visitor.get(&path).await?;
    let now = visitor.now();
    let states = STATES.map(|(value, label)| {
        let is_chosen = asked.text("state") == value;
        Choice { value, label, is_chosen }
    });
    Ok(page(&EndpointsPage {
        frame: visitor.frame(Section::Endpoints, "Endpoints"),
        can_write: visitor.can(Scope::Write),
        is_operator: visitor.is_operator(),
        is_filtered: !filters.is_empty(),
        name: asked.text("name").to_owned(),
        tenant: asked.text("tenant").to_owned(),
        states: states.into(),
        rows: items.iter().map(|endpoint| row(now, endpoint)).collect(),
        next: next.as_deref().map(|next| link::with_query("/endpoints", page_of(next))),
    }))
}
