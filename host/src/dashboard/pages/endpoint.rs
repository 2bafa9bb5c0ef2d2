//! One endpoint: where it is, how it fares, and what may be done with it.
//!
//! Reads `/v1/endpoints/{id}`; each button is one operation of the API. Never shows a secret.

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
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Submitted, Visitor, link};
use crate::token::Scope;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/endpoints/{id}", get(show))
        .route("/endpoints/{id}/pause", post(pause))
        .route("/endpoints/{id}/resume", post(resume))
}

#[derive(Deserialize)]
struct Endpoint {
    id: String,
    name: String,
    url: String,
    state: String,
    origin: String,
    events: Vec<String>,
}

#[derive(Template)]
#[template(path = "endpoint.html")]
struct EndpointPage {
    frame: Frame,
    endpoint: Endpoint,
    events: String,
    is_paused: bool,
    can_write: bool,
}

async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    let endpoint: Endpoint = visitor.get(&link::below("/v1/endpoints", &id)).await?;
    Ok(page(&EndpointPage {
        frame: visitor.frame(Section::Endpoints, endpoint.name.clone()),
        events: endpoint.events.join(", "),
        is_paused: endpoint.state == "paused",
        // One of the configuration is changed there.
        can_write: visitor.can(Scope::Write) && endpoint.origin == "api",
        endpoint,
    }))
}

async fn pause(Path(id): Path<String>, submitted: Submitted) -> Response {
    act(&submitted.visitor, &id, "pause", "Paused. Its deliveries wait.").await
}

async fn resume(Path(id): Path<String>, submitted: Submitted) -> Response {
    act(&submitted.visitor, &id, "resume", "Resumed. Its deliveries go out again.").await
}

/// Has the API do something with an endpoint, and leads back to its page.
async fn act(visitor: &Visitor, id: &str, verb: &str, said: &str) -> Response {
    let place = link::below("/endpoints", id);
    let path = format!("{}/{verb}", link::below("/v1/endpoints", id));
    match visitor.send::<IgnoredAny>((Method::POST, &path), None).await {
        Ok(IgnoredAny) => visitor.done(&place, said),
        Err(failed) => visitor.failed(&place, &failed),
    }
}
