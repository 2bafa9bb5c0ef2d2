//! The replays by filter: which go on, how far each is, and what may become of one.
//!
//! Reads `/v1/replays`, of which the store keeps few. Never begins one: a filter is chosen where
//! its dead letters are seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::{page, see_other};
use crate::dashboard::{Dashboard, Failed, Submitted, Visitor, chart, figure, link};
use crate::event::Timestamp;
use crate::token::Scope;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/replays", get(list))
        .route("/replays/{id}", get(show))
        .route("/replays/{id}/pause", post(pause))
        .route("/replays/{id}/resume", post(resume))
        .route("/replays/{id}/cancel", get(confirm).post(cancel))
}

#[derive(Deserialize)]
struct Replays {
    replays: Vec<Replay>,
}

#[derive(Deserialize)]
struct Replay {
    id: String,
    /// Each condition is a text.
    filter: BTreeMap<String, String>,
    requested_at: Timestamp,
    finished_at: Option<Timestamp>,
    total: Option<u64>,
    rate: Option<u64>,
    reopened: u64,
    hastened: u64,
    unchanged: u64,
    #[serde(default)]
    damaged: u64,
    canceled: bool,
    paused: bool,
    waits: bool,
}

impl Replay {
    fn done(&self) -> u64 {
        self.reopened + self.hastened + self.unchanged + self.damaged
    }

    fn goes_on(&self) -> bool {
        self.finished_at.is_none()
    }

    fn state(&self) -> Markup {
        match self {
            Self { finished_at: Some(_), canceled: true, .. } => {
                markup::pill(Mood::Plain, "Canceled")
            }
            Self { finished_at: Some(_), .. } => markup::pill(Mood::Ok, "Done"),
            Self { paused: true, .. } => markup::pill(Mood::Warn, "Paused"),
            Self { waits: true, .. } => markup::pill(Mood::Warn, "Waits"),
            Self { .. } => markup::pill(Mood::Info, "Goes on"),
        }
    }

    /// `1,204 of 3,000`, or of about as many as matched when it began.
    fn said(&self) -> String {
        let done = figure::number(self.done());
        match self.total {
            Some(total) if total >= self.done() => format!("{done} of {}", figure::number(total)),
            _ => done,
        }
    }

    fn meter(&self) -> Markup {
        let done = self.done();
        let whole = match self.total {
            // What has died meanwhile may match too.
            Some(total) if self.goes_on() => total.max(done),
            _ => done,
        };
        chart::meter(done as f64, whole as f64, Mood::Ok)
    }

    /// Which works, in short.
    fn of(&self) -> String {
        let parts = self.filter.iter().map(|(name, value)| format!("{name} {value}"));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Whether the API lets this visitor change it: a tenant what could be its own.
    fn may_change(&self, visitor: &Visitor) -> bool {
        let is_own = self.filter.get("kind").is_some_and(|kind| kind == "delivery");
        visitor.can(Scope::Replay) && (visitor.is_operator() || is_own)
    }
}

struct Row {
    id: Markup,
    of: Markup,
    state: Markup,
    progress: Markup,
    done: String,
    at: Markup,
}

#[derive(Template)]
#[template(path = "replays.html")]
struct ReplaysPage {
    frame: Frame,
    rows: Vec<Row>,
    goes_on: bool,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let Replays { replays } = visitor.get("/v1/replays").await?;
    let now = visitor.now();
    let row = |replay: &Replay| Row {
        id: markup::code_link(&link::below("/replays", &replay.id), &replay.id),
        of: markup::long(&replay.of(), 160),
        state: replay.state(),
        progress: replay.meter(),
        done: replay.said(),
        at: markup::when(now, replay.finished_at.unwrap_or(replay.requested_at)),
    };
    Ok(page(&ReplaysPage {
        frame: visitor.frame(Section::Dead, "Replays"),
        rows: replays.iter().map(row).collect(),
        goes_on: replays.iter().any(Replay::goes_on),
    }))
}

/// A condition of the filter.
struct Condition {
    name: String,
    value: String,
}

#[derive(Template)]
#[template(path = "replay.html")]
struct ReplayPage {
    frame: Frame,
    id: String,
    state: Markup,
    /// What it does now, in a sentence.
    said: &'static str,
    progress: Markup,
    done: String,
    tiles: Vec<Tile>,
    conditions: Vec<Condition>,
    rate: String,
    began: Markup,
    ended: Option<Markup>,
    goes_on: bool,
    is_paused: bool,
    may_change: bool,
}

struct Tile {
    label: &'static str,
    value: String,
    note: &'static str,
}

async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    let replay: Replay = visitor.get(&link::below("/v1/replays", &id)).await?;
    let now = visitor.now();
    let filter = replay.filter.iter();
    let condition =
        |(name, value): (&String, &String)| Condition { name: name.clone(), value: value.clone() };
    let rate = |rate| format!("at most {} a second", figure::counted(rate, "work", "works"));
    Ok(page(&ReplayPage {
        frame: visitor.frame(Section::Dead, "Replay"),
        id: replay.id.clone(),
        state: replay.state(),
        said: said(&replay),
        progress: replay.meter(),
        done: replay.said(),
        tiles: tiles(&replay),
        conditions: filter.map(condition).collect(),
        rate: replay.rate.map_or_else(|| "no limit of its own".to_owned(), rate),
        began: markup::when(now, replay.requested_at),
        ended: replay.finished_at.map(|at| markup::when(now, at)),
        goes_on: replay.goes_on(),
        is_paused: replay.paused,
        may_change: replay.goes_on() && replay.may_change(&visitor),
    }))
}

fn said(replay: &Replay) -> &'static str {
    match replay {
        Replay { finished_at: Some(_), canceled: true, .. } => {
            "Somebody ended it. What it had opened by then, the gateway does all the same."
        }
        Replay { finished_at: Some(_), .. } => {
            "It has come to its end. What it opened is done as any other work."
        }
        Replay { paused: true, .. } => "Somebody paused it. It stands still until it is resumed.",
        Replay { waits: true, .. } => {
            "It stands still for now: too much work is open, or the disk has too little room."
        }
        Replay { .. } => "It goes on by itself.",
    }
}

fn tiles(replay: &Replay) -> Vec<Tile> {
    let tile = |(label, many, note)| Tile { label, value: figure::number(many), note };
    let all = [
        ("Opened again", replay.reopened, "the gateway tries them anew"),
        ("Hastened", replay.hastened, "waited for another try, which is now"),
        ("Unchanged", replay.unchanged, "under way, or no longer dead"),
        ("Damaged", replay.damaged, "can't be read, and stay as they are"),
    ];
    all.into_iter().filter(|(_, many, _)| *many > 0 || !replay.goes_on()).map(tile).collect()
}

async fn pause(Path(id): Path<String>, submitted: Submitted) -> Response {
    act(&submitted.visitor, &id, "pause", "Paused. It stands still until it is resumed.").await
}

async fn resume(Path(id): Path<String>, submitted: Submitted) -> Response {
    act(&submitted.visitor, &id, "resume", "Resumed. It goes on.").await
}

async fn cancel(Path(id): Path<String>, submitted: Submitted) -> Response {
    act(&submitted.visitor, &id, "cancel", "Canceled. What it had opened stays open.").await
}

/// Has the API change a replay, and leads back to its page.
async fn act(visitor: &Visitor, id: &str, verb: &str, said: &str) -> Response {
    let place = link::below("/replays", id);
    let path = format!("{}/{verb}", link::below("/v1/replays", id));
    match visitor.send::<IgnoredAny>((Method::POST, &path), None).await {
        Ok(IgnoredAny) => visitor.done(&place, said),
        Err(failed) => visitor.failed(&place, &failed),
    }
}

#[derive(Template)]
#[template(path = "replay-cancel.html")]
struct CancelPage {
    frame: Frame,
    id: String,
    done: String,
    left: String,
}

/// Says what to cancel it leaves undone. One that has ended is shown as it is.
async fn confirm(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    let replay: Replay = visitor.get(&link::below("/v1/replays", &id)).await?;
    if !replay.goes_on() || !replay.may_change(&visitor) {
        return Ok(see_other(&link::below("/replays", &id)));
    }
    Ok(page(&CancelPage {
        frame: visitor.frame(Section::Dead, "Cancel a replay"),
        done: figure::counted(replay.done(), "work", "works"),
        left: left(&replay),
        id: replay.id,
    }))
}

/// How many it has not looked at. They need not be dead: programs replay others too.
fn left(replay: &Replay) -> String {
    let works = |left| figure::counted(left, "other work", "other works");
    let left = replay.total.map(|total| total.saturating_sub(replay.done()));
    left.map_or_else(|| "All others".to_owned(), |left| format!("About {}", works(left)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_replay_is_what_it_has_not_looked_at() {
        let replay = |total: Option<u64>| -> Replay {
            let shown = serde_json::json!({
                "id": "rpl_1", "filter": {}, "requested_at": Timestamp(0), "finished_at": null,
                "total": total, "rate": null, "reopened": 2, "hastened": 1, "unchanged": 1,
                "canceled": false, "paused": false, "waits": false,
            });
            serde_json::from_value(shown).unwrap()
        };
        assert_eq!(left(&replay(Some(9))), "About 5 other works");
        assert_eq!(left(&replay(Some(3))), "About 0 other works");
        assert_eq!(left(&replay(None)), "All others");
    }
}
