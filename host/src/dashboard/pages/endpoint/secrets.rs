//! The secrets of an endpoint: what may be known of them, and the form that rotates the one that
//! signs.
//!
//! Reads `/v1/endpoints/{id}/secrets`. A new secret is shown once, on the page that follows. Never
//! shows another value, and never gives back one that somebody has written.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::known::Endpoint;
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::notes::{MadeSecret, Note};
use crate::dashboard::page::{page, page_with};
use crate::dashboard::pages::endpoints::check_may_write;
use crate::dashboard::{Failed, Submitted, Visitor, link};
use crate::event::Timestamp;

/// What a public key shows at most, in bytes.
const KEY_BYTES_MAX: usize = 128;
/// How long the secrets of before sign beside a new one, unless somebody says otherwise.
const OVERLAP: &str = "24h";

#[derive(Deserialize)]
pub(super) struct Secrets {
    secrets: Vec<Secret>,
}

#[derive(Deserialize)]
struct Secret {
    kind: String,
    fingerprint: Option<String>,
    public_key: Option<String>,
    created_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    /// In the answer that makes it.
    value: Option<String>,
}

pub(super) struct Row {
    pub(super) kind: &'static str,
    pub(super) fingerprint: Markup,
    pub(super) key: Markup,
    pub(super) made: Markup,
    pub(super) until: Markup,
}

#[derive(Template)]
#[template(path = "endpoint-rotate.html")]
struct RotatePage {
    frame: Frame,
    name: String,
    place: String,
    action: String,
    overlap: String,
    /// Of which kind a new one is, and whether it is the one that somebody chose.
    kinds: Vec<Choice>,
    rows: Vec<Row>,
    problem: Option<Failed>,
}

impl RotatePage {
    /// What is wrong with a field, if it is this one.
    fn wrong(&self, field: &str) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        (problem.field.as_deref() == Some(field)).then_some(&*problem.detail)
    }
}

struct Choice {
    value: &'static str,
    label: &'static str,
    is_chosen: bool,
}

/// What an endpoint has.
pub(super) async fn secrets(visitor: &Visitor, id: &str) -> Result<Secrets, Failed> {
    visitor.get(&format!("{}/secrets", link::below("/v1/endpoints", id))).await
}

/// What a kind of secret does.
fn said(kind: &str) -> &'static str {
    match kind {
        "whsec" => "signs by HMAC-SHA256 (v1)",
        "whsk" => "signs by Ed25519 (v1a)",
        "basic" => "user and password",
        "bearer" => "bearer token",
        "header" => "header",
        "client_key" => "key of the client certificate",
        _ => "of a newer version",
    }
}

impl Secrets {
    pub(super) fn rows(&self, now: Timestamp) -> Vec<Row> {
        let time = |at: Option<Timestamp>, none| {
            at.map_or_else(|| markup::long(none, KEY_BYTES_MAX), |at| markup::when(now, at))
        };
        let row = |secret: &Secret| Row {
            kind: said(&secret.kind),
            fingerprint: markup::long(secret.fingerprint.as_deref().unwrap_or("-"), KEY_BYTES_MAX),
            key: markup::long(secret.public_key.as_deref().unwrap_or_default(), KEY_BYTES_MAX),
            made: time(secret.created_at, "in the configuration"),
            until: time(secret.expires_at, "stays"),
        };
        self.secrets.iter().map(row).collect()
    }
}

/// The form that rotates, with what somebody wrote into it but for a secret.
async fn form(
    visitor: &Visitor,
    id: &str,
    (overlap, kind): (&str, &str),
    problem: Option<Failed>,
) -> Result<RotatePage, Failed> {
    let endpoint: Endpoint = visitor.get(&link::below("/v1/endpoints", id)).await?;
    let known = secrets(visitor, id).await?;
    let kinds =
        [("", "Of the same kind as before"), ("v1", "HMAC-SHA256 (v1)"), ("v1a", "Ed25519 (v1a)")];
    let choice = |(value, label)| Choice { value, label, is_chosen: value == kind };
    let place = link::below("/endpoints", id);
    Ok(RotatePage {
        frame: visitor.frame(Section::Endpoints, format!("Rotate the secret of {}", endpoint.name)),
        name: endpoint.name,
        action: format!("{place}/rotate"),
        place,
        overlap: overlap.to_owned(),
        kinds: kinds.map(choice).into(),
        rows: known.rows(visitor.now()),
        problem,
    })
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    check_may_write(&visitor)?;
    Ok(page(&form(&visitor, &id, (OVERLAP, ""), None).await?))
}

pub(super) async fn rotate(
    Path(id): Path<String>,
    submitted: Submitted,
) -> Result<Response, Failed> {
    let Submitted { visitor, fields } = submitted;
    let mut body = Map::new();
    for name in ["overlap", "signature", "secret"] {
        if let Some(text) = fields.given(name) {
            body.insert(name.to_owned(), text.into());
        }
    }
    let path = format!("{}/rotate", link::below("/v1/endpoints", &id));
    let body = Value::Object(body);
    let rotated: Result<Secrets, Failed> = visitor.send((Method::POST, &path), Some(&body)).await;
    let Secrets { secrets } = match rotated {
        Ok(rotated) => rotated,
        Err(failed) => {
            let status = failed.status;
            let written = (fields.text("overlap"), fields.text("signature"));
            return Ok(page_with(status, &form(&visitor, &id, written, Some(failed)).await?));
        }
    };
    // One that somebody brought along is theirs already.
    let made = secrets.into_iter().find_map(|secret| secret.value);
    let made = made.filter(|_| fields.given("secret").is_none());
    let said = match made {
        Some(_) => "Rotated. Keep the new secret: it is not shown again.",
        None => "Rotated. The secret that you gave signs from now on.",
    };
    let secret = made.map(|value| MadeSecret { name: "Signing secret".to_owned(), value });
    let note = Note { said: said.to_owned(), is_bad: false, secret };
    Ok(visitor.say(&link::below("/endpoints", &id), note))
}
