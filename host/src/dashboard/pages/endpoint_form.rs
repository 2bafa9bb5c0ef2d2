//! The form that makes an endpoint.
//!
//! Its fields are settings of the API, which says what is wrong with them. The secret that is made
//! is shown once, on the page that follows. Never keeps one.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::notes::{MadeSecret, Note};
use crate::dashboard::page::{page, page_with};
use crate::dashboard::{Dashboard, Failed, Submitted, Visitor, link};

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/endpoints/new", get(show).post(create))
}

/// What somebody has written into the form.
#[derive(Default)]
struct Written {
    name: String,
    url: String,
    events: String,
}

#[derive(Template)]
#[template(path = "endpoint-new.html")]
struct NewPage {
    frame: Frame,
    written: Written,
    problem: Option<Failed>,
}

#[derive(Deserialize)]
struct Made {
    id: String,
    secrets: Vec<Secret>,
}

#[derive(Deserialize)]
struct Secret {
    value: Option<String>,
}

async fn show(visitor: Visitor) -> Result<Response, Failed> {
    let written = Written { events: "*".to_owned(), ..Written::default() };
    let frame = visitor.frame(Section::Endpoints, "New endpoint");
    Ok(page(&NewPage { frame, written, problem: None }))
}

async fn create(submitted: Submitted) -> Response {
    let Submitted { visitor, fields } = submitted;
    let text = |name| fields.text(name).to_owned();
    let written = Written { name: text("name"), url: text("url"), events: text("events") };
    let events: Vec<&str> = written.events.split([',', ' ', '\n']).map(str::trim).collect();
    let events: Vec<&str> = events.into_iter().filter(|event| !event.is_empty()).collect();
    let body = json!({ "name": written.name, "url": written.url, "events": events });
    match visitor.send((Method::POST, "/v1/endpoints"), Some(&body)).await {
        Ok(made) => shown(&visitor, made),
        Err(failed) => {
            let frame = visitor.frame(Section::Endpoints, "New endpoint");
            page_with(failed.status, &NewPage { frame, written, problem: Some(failed) })
        }
    }
}

/// Leads to the endpoint that was made, with its secret.
fn shown(visitor: &Visitor, Made { id, secrets }: Made) -> Response {
    let secret = secrets.into_iter().find_map(|secret| secret.value);
    let note = Note {
        said: "The endpoint is there. Keep its secret: it is not shown again.".to_owned(),
        is_bad: false,
        secret: secret.map(|value| MadeSecret { name: "Signing secret".to_owned(), value }),
    };
    visitor.say(&link::below("/endpoints", &id), note)
}
