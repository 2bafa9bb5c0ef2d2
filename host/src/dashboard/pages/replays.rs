//! The replays by filter: which go on, and how far each is.
//!
//! Reads `/v1/replays`, of which the store keeps few. Never begins one: a filter is chosen where
//! its dead letters are seen.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, chart, figure};
use crate::event::Timestamp;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/replays", get(list))
}

#[derive(Deserialize)]
struct Replays {
    replays: Vec<Replay>,
}

#[derive(Deserialize)]
struct Replay {
    id: String,
    requested_at: Timestamp,
    finished_at: Option<Timestamp>,
    total: Option<u64>,
    reopened: u64,
    hastened: u64,
    unchanged: u64,
}

struct Row {
    id: String,
    at: Markup,
    done: String,
    progress: Markup,
}

#[derive(Template)]
#[template(path = "replays.html")]
struct ReplaysPage {
    frame: Frame,
    rows: Vec<Row>,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let Replays { replays } = visitor.get("/v1/replays").await?;
    let now = visitor.now();
    let row = |replay: &Replay| {
        let done = replay.reopened + replay.hastened + replay.unchanged;
        let whole = replay.total.unwrap_or(done);
        Row {
            id: replay.id.clone(),
            at: markup::when(now, replay.finished_at.unwrap_or(replay.requested_at)),
            done: format!("{} of {}", figure::number(done), figure::number(whole)),
            progress: chart::meter(done as f64, whole as f64, Mood::Ok),
        }
    };
    let rows = replays.iter().map(row).collect();
    Ok(page(&ReplaysPage { frame: visitor.frame(Section::Dead, "Replays"), rows }))
}
