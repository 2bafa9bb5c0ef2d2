//! The dead letters: what the gateway does not try again by itself, and why.
//!
//! Reads `/v1/dead`, 50 at a time. Never replays more than somebody has seen a preview of.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, link};
use crate::event::Timestamp;

const FILTERS: [&str; 4] = ["kind", "name", "reason", "tenant"];
/// What a field of the page shows at most, in bytes.
const TEXT_BYTES_MAX: usize = 160;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/dead", get(list))
}

#[derive(Deserialize)]
struct DeadLetters {
    items: Vec<DeadLetter>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct DeadLetter {
    id: String,
    kind: String,
    name: String,
    reason: String,
    detail: String,
    event: Option<String>,
    died_at: Timestamp,
}

struct Row {
    what: Markup,
    kind: String,
    name: String,
    reason: String,
    detail: Markup,
    at: Markup,
}

#[derive(Template)]
#[template(path = "dead.html")]
struct DeadPage {
    frame: Frame,
    rows: Vec<Row>,
    next: Option<String>,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let asked = &visitor.asked;
    let filters = asked.pick(&FILTERS);
    let page_of = |next| filters.iter().copied().chain([("cursor", next)]);
    let path = link::with_query("/v1/dead", page_of(asked.text("cursor")));
    let DeadLetters { items, next } = visitor.get(&path).await?;
    let now = visitor.now();
    let row = |letter: &DeadLetter| Row {
        what: match &letter.event {
            Some(event) => markup::code_link(&link::below("/events", event), &letter.id),
            None => markup::long(&letter.id, TEXT_BYTES_MAX),
        },
        kind: letter.kind.clone(),
        name: letter.name.clone(),
        reason: letter.reason.clone(),
        detail: markup::long(&letter.detail, TEXT_BYTES_MAX),
        at: markup::when(now, letter.died_at),
    };
    Ok(page(&DeadPage {
        frame: visitor.frame(Section::Dead, "Dead letters"),
        rows: items.iter().map(row).collect(),
        next: next.as_deref().map(|next| link::with_query("/dead", page_of(next))),
    }))
}
