//! The audit log: who changed what, from where, and what became of it.
//!
//! Reads `/v1/audit`, 50 entries at a time. Never changes one.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, highlight, link};
use crate::event::Timestamp;

/// Most bytes of what an entry changed that are shown.
const CHANGE_BYTES_MAX: usize = 16 << 10;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/audit", get(list))
}

#[derive(Deserialize)]
struct Entries {
    items: Vec<Entry>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    number: u64,
    at: Timestamp,
    who: String,
    from: String,
    what: String,
    outcome: String,
    before: Box<RawValue>,
    after: Box<RawValue>,
}

struct Row {
    number: u64,
    at: Markup,
    who: String,
    from: String,
    what: String,
    outcome: String,
    before: Markup,
    after: Markup,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    rows: Vec<Row>,
    older: Option<String>,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let asked = visitor.asked.pick(&["cursor"]);
    let Entries { items, next } = visitor.get(&link::with_query("/v1/audit", asked)).await?;
    let now = visitor.now();
    let row = |entry: Entry| Row {
        number: entry.number,
        at: markup::when(now, entry.at),
        who: entry.who,
        from: entry.from,
        what: entry.what,
        outcome: entry.outcome,
        before: highlight::json(entry.before.get(), CHANGE_BYTES_MAX),
        after: highlight::json(entry.after.get(), CHANGE_BYTES_MAX),
    };
    Ok(page(&AuditPage {
        frame: visitor.frame(Section::Audit, "Audit"),
        rows: items.into_iter().map(row).collect(),
        older: next.as_deref().map(|next| link::with_query("/audit", [("cursor", next)])),
    }))
}
