//! The events: by every filter of the API, a page at a time.
//!
//! Reads `/v1/events`, 50 at a time. Never one event whole.

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

/// What an event is found by.
const FILTERS: [&str; 7] = ["source", "type", "subject", "tenant", "state", "after", "before"];
/// What a field of the page shows at most, in bytes.
const TEXT_BYTES_MAX: usize = 128;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/events", get(list))
}

#[derive(Deserialize)]
struct Events {
    items: Vec<Event>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    subject: Option<String>,
    source: String,
    state: String,
    recorded_at: Timestamp,
}

/// A field of the form: its name and what is in it.
struct Filter {
    name: &'static str,
    value: String,
}

struct Row {
    event: Markup,
    subject: Markup,
    source: Markup,
    state: Markup,
    at: Markup,
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    frame: Frame,
    filters: Vec<Filter>,
    is_filtered: bool,
    rows: Vec<Row>,
    /// The page of those that are older, if there are any.
    older: Option<String>,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let asked = &visitor.asked;
    let filters = asked.pick(&FILTERS);
    let page_of = |next| filters.iter().copied().chain([("cursor", next)]);
    let path = link::with_query("/v1/events", page_of(asked.text("cursor")));
    let Events { items, next } = visitor.get(&path).await?;
    let now = visitor.now();
    let row = |event: &Event| Row {
        event: markup::code_link(&link::below("/events", &event.id), &event.event_type),
        subject: markup::long(event.subject.as_deref().unwrap_or_default(), TEXT_BYTES_MAX),
        source: markup::long(&event.source, TEXT_BYTES_MAX),
        state: markup::state(&event.state),
        at: markup::when(now, event.recorded_at),
    };
    Ok(page(&EventsPage {
        frame: visitor.frame(Section::Events, "Events"),
        filters: FILTERS.map(|name| Filter { name, value: asked.text(name).to_owned() }).into(),
        is_filtered: !filters.is_empty(),
        rows: items.iter().map(row).collect(),
        older: next.as_deref().map(|next| link::with_query("/events", page_of(next))),
    }))
}
