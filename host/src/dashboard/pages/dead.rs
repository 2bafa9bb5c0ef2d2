//! The dead letters: what the gateway does not try again by itself, and why.
//!
//! Reads `/v1/dead`, 50 at a time, and above it how many there are by reason. One letter is
//! replayed here by its button. Never replays more than somebody has seen a preview of.

mod choices;
mod endpoints;
mod reasons;
mod replay;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

use self::choices::{Choice, kind_said, reason_said};
use self::endpoints::Endpoints;
use self::reasons::{GroupRow, Groups};
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::page::{page, see_other};
use crate::dashboard::{Dashboard, Failed, Submitted, Visitor, figure, link};
use crate::event::Timestamp;
use crate::failure::Reason;
use crate::token::Scope;

const FILTERS: [&str; 4] = ["kind", "name", "reason", "tenant"];
/// What a field of the page shows at most, in bytes.
const TEXT_BYTES_MAX: usize = 160;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/dead", get(list))
        .route("/dead/again", post(again))
        .merge(replay::routes())
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
    reason: Reason,
    detail: String,
    event: Option<String>,
    died_at: Timestamp,
    tries_made: u64,
}

impl DeadLetter {
    /// Leads to the event that it is about, if it is about one.
    fn link(&self) -> Markup {
        match &self.event {
            Some(event) => markup::code_link(&link::below("/events", event), &self.id),
            None => markup::long(&self.id, TEXT_BYTES_MAX),
        }
    }

    /// Leads to the source or endpoint; a handler has no page.
    fn of(&self, endpoints: &Endpoints) -> Markup {
        match self.kind.as_str() {
            "delivery" => endpoints.link(&self.name),
            "parse" => markup::link(&link::below("/sources", &self.name), &self.name),
            _ => markup::long(&self.name, TEXT_BYTES_MAX),
        }
    }
}

struct Row {
    id: String,
    what: Markup,
    kind: &'static str,
    of: Markup,
    reason: &'static str,
    detail: Markup,
    tries: String,
    at: Markup,
}

#[derive(Template)]
#[template(path = "dead.html")]
struct DeadPage {
    frame: Frame,
    /// By reason; none on a page behind the first.
    groups: Vec<GroupRow>,
    /// How many there are, in a sentence.
    counted: String,
    kinds: Vec<Choice>,
    reasons: Vec<Choice>,
    name: String,
    tenant: String,
    is_operator: bool,
    is_filtered: bool,
    rows: Vec<Row>,
    can_replay: bool,
    /// The preview of a replay of all that match.
    replay: Option<String>,
    /// This page.
    here: String,
    next: Option<String>,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let asked = &visitor.asked;
    let endpoint = asked.text("endpoint");
    if !endpoint.is_empty() {
        // As pages of endpoints lead here; letters know it by another text.
        let key = endpoints::key(&visitor, endpoint).await?;
        let pairs = [("kind", "delivery"), ("name", key.as_str())];
        return Ok(see_other(&link::with_query("/dead", pairs)));
    }
    let filters = asked.pick(&FILTERS);
    let page_of = |next| filters.iter().copied().chain([("cursor", next)]);
    let at = asked.text("cursor");
    let path = link::with_query("/v1/dead", page_of(at));
    let DeadLetters { items, next } = visitor.get(&path).await?;
    let groups = match at {
        "" => Some(Groups::counted(&visitor, &filters).await?),
        _ => None,
    };
    let newest = groups.iter().flat_map(Groups::newest);
    let keys: Vec<&str> = newest.chain(&items).filter_map(endpoints::key_of).collect();
    let endpoints = Endpoints::named(&visitor, &keys).await;
    let now = visitor.now();
    let row = |letter: &DeadLetter| Row {
        id: letter.id.clone(),
        what: letter.link(),
        kind: kind_said(&letter.kind),
        of: letter.of(&endpoints),
        reason: reason_said(letter.reason),
        detail: markup::long(&letter.detail, TEXT_BYTES_MAX),
        tries: figure::counted(letter.tries_made, "try", "tries"),
        at: markup::when(now, letter.died_at),
    };
    let can_replay = visitor.can(Scope::Replay);
    Ok(page(&DeadPage {
        frame: visitor.frame(Section::Dead, "Dead letters"),
        counted: groups.as_ref().map(Groups::said).unwrap_or_default(),
        groups: groups.map(|it| it.rows(now, &filters, &endpoints)).unwrap_or_default(),
        kinds: choices::kinds(asked.text("kind")),
        reasons: choices::reasons(asked.text("reason")),
        name: asked.text("name").to_owned(),
        tenant: asked.text("tenant").to_owned(),
        is_operator: visitor.is_operator(),
        is_filtered: !filters.is_empty(),
        rows: items.iter().map(row).collect(),
        can_replay,
        replay: replay::place(&filters).filter(|_| can_replay && !items.is_empty()),
        here: link::with_query("/dead", page_of(at)),
        next: next.as_deref().map(|next| link::with_query("/dead", page_of(next))),
    }))
}

#[derive(Deserialize)]
struct Replayed {
    reopened: u64,
    hastened: u64,
}

/// Replays one letter.
async fn again(submitted: Submitted) -> Response {
    let Submitted { visitor, fields } = submitted;
    let back = link::own(fields.text("back")).unwrap_or("/dead");
    let id = fields.text("id");
    let body = json!({ "ids": [id] });
    match visitor.send::<Replayed>((Method::POST, "/v1/replay"), Some(&body)).await {
        Ok(Replayed { reopened: 0, hastened: 0 }) => {
            visitor.done(back, "Nothing changed: the gateway is at it already.")
        }
        Ok(_) => visitor.done(back, format!("The gateway tries {id} again.")),
        Err(failed) => visitor.failed(back, &failed),
    }
}
