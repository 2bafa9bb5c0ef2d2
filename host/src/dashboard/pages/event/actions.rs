//! What may be done with an event and its works: done again, tried now, discarded.
//!
//! Each is one operation of the API, which says whether somebody may. What ends or repeats more
//! than one work says first what it touches. Never decides what is done again.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::view::{Endpoint, EventPage};
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::page::{page, see_other};
use crate::dashboard::{Dashboard, Failed, Submitted, Visitor, figure, link};
use crate::token::Scope;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/events/{id}/replay", get(confirm_replay).post(replay))
        .route("/receipts/{id}/replay", post(replay))
        .route("/runs/{id}/replay", post(replay))
        .route("/runs/{id}", get(run))
        .route("/deliveries/{id}", get(delivery))
        .route("/deliveries/{id}/retry", post(retry))
        .route("/deliveries/{id}/discard", get(confirm_discard).post(discard))
}

/// A form that says first what it touches.
#[derive(Template)]
#[template(path = "event-confirm.html")]
struct ConfirmPage {
    frame: Frame,
    action: String,
    /// Where one comes from, and comes back to.
    back: String,
    question: String,
    said: Vec<String>,
    label: &'static str,
    is_danger: bool,
}

/// A work, and the event that it is about.
#[derive(Deserialize)]
struct Work {
    event_id: String,
}

#[derive(Deserialize)]
struct WorkTo {
    event_id: String,
    endpoint: Endpoint,
}

/// What a replay came to, in works.
#[derive(Deserialize)]
struct Replayed {
    reopened: u64,
    hastened: u64,
    unchanged: u64,
    #[serde(default)]
    damaged: u64,
}

impl Replayed {
    fn said(&self) -> String {
        let work = |many| figure::counted(many, "work", "works");
        let parts = [
            (self.reopened, "done again"),
            (self.hastened, "tried now"),
            (self.unchanged, "as before"),
            (self.damaged, "damaged"),
        ];
        let parts = parts.iter().filter(|(many, _)| *many > 0);
        let parts: Vec<_> = parts.map(|(many, what)| format!("{} {what}", work(*many))).collect();
        match parts.is_empty() {
            true => "There was nothing to do again.".to_owned(),
            false => format!("Replayed: {}.", parts.join(", ")),
        }
    }
}

async fn run(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    event_of(&visitor, &link::below("/v1/runs", &id), &id).await
}

async fn delivery(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    event_of(&visitor, &link::below("/v1/deliveries", &id), &id).await
}

/// Leads to where a work stands in the story of its event.
async fn event_of(visitor: &Visitor, path: &str, id: &str) -> Result<Response, Failed> {
    let Work { event_id } = visitor.get(path).await?;
    let id = id.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "");
    Ok(see_other(&format!("{}#{id}", link::below("/events", &event_id))))
}

async fn confirm_replay(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    let event: EventPage = visitor.get(&link::below("/v1/events", &id)).await?;
    let back = link::below("/events", &event.id);
    if !visitor.can(Scope::Replay) {
        return Ok(see_other(&back));
    }
    let runs = figure::counted(event.runs.len() as u64, "run", "runs");
    let deliveries = figure::counted(event.deliveries.len() as u64, "delivery", "deliveries");
    Ok(page(&ConfirmPage {
        frame: visitor.frame(Section::Events, "Replay an event"),
        action: format!("{back}/replay"),
        back,
        question: format!("Replay {}?", event.event.event_type),
        said: vec![
            format!("The gateway does {runs} and {deliveries} of {} again.", event.id),
            "Endpoints get what is delivered under the same id as before, so that they can tell \
             that they have it already."
                .to_owned(),
        ],
        label: "Replay all",
        is_danger: false,
    }))
}

async fn confirm_discard(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    let WorkTo { event_id, endpoint } = visitor.get(&link::below("/v1/deliveries", &id)).await?;
    let back = link::below("/events", &event_id);
    if !visitor.can(Scope::Write) {
        return Ok(see_other(&back));
    }
    Ok(page(&ConfirmPage {
        frame: visitor.frame(Section::Events, "Discard a delivery"),
        action: format!("{}/discard", link::below("/deliveries", &id)),
        back,
        question: format!("Discard the delivery to {}?", endpoint.name),
        said: vec![
            format!("The gateway makes no further attempt of {id}: it becomes a dead letter."),
            "You can still send it again from there.".to_owned(),
        ],
        label: "Discard",
        is_danger: true,
    }))
}

async fn replay(Path(id): Path<String>, submitted: Submitted) -> Response {
    let Submitted { visitor, .. } = &submitted;
    let back = back(&submitted);
    let body = json!({ "ids": [id] });
    match visitor.send::<Replayed>((Method::POST, "/v1/replay"), Some(&body)).await {
        Ok(replayed) => visitor.done(&back, replayed.said()),
        Err(failed) => visitor.failed(&back, &failed),
    }
}

async fn retry(Path(id): Path<String>, submitted: Submitted) -> Response {
    act(&submitted, &id, "retry", "The gateway sends it now.").await
}

async fn discard(Path(id): Path<String>, submitted: Submitted) -> Response {
    act(&submitted, &id, "discard", "Discarded. It is a dead letter now.").await
}

/// Has the API do something with a delivery.
async fn act(submitted: &Submitted, id: &str, verb: &str, said: &str) -> Response {
    let (visitor, back) = (&submitted.visitor, back(submitted));
    let path = format!("{}/{verb}", link::below("/v1/deliveries", id));
    match visitor.send::<IgnoredAny>((Method::POST, &path), None).await {
        Ok(IgnoredAny) => visitor.done(&back, said),
        Err(failed) => visitor.failed(&back, &failed),
    }
}

/// The page that the form stands on; of none, the list.
fn back(submitted: &Submitted) -> String {
    let back = submitted.fields.text("back");
    link::own(back).unwrap_or("/events").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_says_what_it_came_to() {
        let replayed = |reopened, hastened, unchanged| {
            Replayed { reopened, hastened, unchanged, damaged: 0 }.said()
        };
        assert_eq!(replayed(2, 0, 1), "Replayed: 2 works done again, 1 work as before.");
        assert_eq!(replayed(0, 0, 0), "There was nothing to do again.");
    }
}
