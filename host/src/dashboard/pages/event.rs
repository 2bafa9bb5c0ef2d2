//! One event: its story from the request to what came of it.
//!
//! Reads `/v1/events/{id}`, one event with its receipt, runs and deliveries. What is long is cut,
//! and whole in a download. Never another event.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dashboard::figure::{self, Money};
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::page::{download, page};
use crate::dashboard::{Dashboard, Failed, Visitor, highlight, link};
use crate::event::Timestamp;

/// Most bytes of the data that are shown.
const DATA_BYTES_MAX: usize = 64 << 10;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/events/{id}", get(show)).route("/events/{id}/data", get(data))
}

#[derive(Deserialize)]
struct EventPage {
    id: String,
    state: String,
    recorded_at: Timestamp,
    event: Event,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    event_type: String,
    source: String,
    subject: Option<String>,
    money: Option<Money>,
    data: Box<RawValue>,
}

#[derive(Template)]
#[template(path = "event.html")]
struct ShownPage {
    frame: Frame,
    id: String,
    event_type: String,
    source: String,
    subject: String,
    money: Option<String>,
    state: Markup,
    at: Markup,
    data: Markup,
    data_bytes: String,
    whole: String,
}

fn path_of(id: &str) -> String {
    link::below("/v1/events", id)
}

async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    let EventPage { id, state, recorded_at, event } = visitor.get(&path_of(&id)).await?;
    let data = event.data.get();
    Ok(page(&ShownPage {
        frame: visitor.frame(Section::Events, event.event_type.clone()),
        whole: format!("{}/data", link::below("/events", &id)),
        id,
        event_type: event.event_type,
        source: event.source,
        subject: event.subject.unwrap_or_default(),
        money: event.money.as_ref().map(Money::shown),
        state: markup::state(&state),
        at: markup::when(visitor.now(), recorded_at),
        data: highlight::json(data, DATA_BYTES_MAX),
        data_bytes: figure::bytes(data.len() as u64),
    }))
}

async fn data(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    let EventPage { id, event, .. } = visitor.get(&path_of(&id)).await?;
    Ok(download(&format!("{id}.json"), event.data.get().to_owned()))
}
