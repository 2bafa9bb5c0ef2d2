//! The form that makes a token.
//!
//! What is sent is shown once, on the page that follows. The first token closes the port for
//! whoever has none, also for the visitor who made it, so that page is the answer itself then.
//! Never keeps a token.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::{LIST, Tokens};
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::notes::{MadeSecret, Note};
use crate::dashboard::page::{page, page_with};
use crate::dashboard::submitted::Fields;
use crate::dashboard::{Dashboard, Failed, Submitted, Visitor};
use crate::token::Scope;

const DAY_SECONDS: u64 = 86_400;

/// How long a token may be good, in days, and how that is said.
const LIFETIMES: [(&str, &str); 6] = [
    ("", "Never"),
    ("1", "In a day"),
    ("7", "In a week"),
    ("30", "In 30 days"),
    ("90", "In 90 days"),
    ("365", "In a year"),
];

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/settings/tokens/new", get(show).post(create))
}

/// What a scope lets somebody do.
fn allowed(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "look at everything but what needs admin",
        Scope::Replay => "replay events, runs and deliveries",
        Scope::Write => {
            "change endpoints and canaries, send samples, discard deliveries, and have the files \
             read again"
        }
        Scope::Admin => {
            "all of this, and tokens, the audit log, rehearsals, and what handlers remember"
        }
    }
}

/// Something to choose in the form.
struct Choice {
    value: &'static str,
    label: &'static str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "token-new.html")]
struct NewPage {
    frame: Frame,
    name: String,
    tenant: String,
    scopes: Vec<Choice>,
    lifetimes: Vec<Choice>,
    /// Whether the port asks nobody for a token yet.
    is_first: bool,
    problem: Option<Failed>,
}

#[derive(Template)]
#[template(path = "token-made.html")]
struct MadePage {
    frame: Frame,
}

/// A token that was made.
#[derive(Deserialize)]
struct Made {
    token: String,
}

async fn show(visitor: Visitor) -> Result<Response, Failed> {
    let Tokens { tokens } = visitor.get("/v1/tokens").await?;
    let is_first = tokens.is_empty();
    Ok(page(&form(&visitor, (&Fields::default(), is_first), None)))
}

/// The form, with what somebody has written into it.
fn form(
    visitor: &Visitor,
    (written, is_first): (&Fields, bool),
    problem: Option<Failed>,
) -> NewPage {
    let scopes = written.all("scope");
    let scope = |scope: Scope| Choice {
        value: scope.as_str(),
        label: allowed(scope),
        is_chosen: scopes.contains(&scope.as_str()),
    };
    let days = written.text("days");
    let lifetime = |(value, label): (&'static str, &'static str)| Choice {
        value,
        label,
        is_chosen: value == days,
    };
    NewPage {
        frame: visitor.frame(Section::Settings, "New token"),
        name: written.text("name").to_owned(),
        tenant: written.text("tenant").to_owned(),
        scopes: Scope::ALL.map(scope).into(),
        lifetimes: LIFETIMES.map(lifetime).into(),
        is_first,
        problem,
    }
}

async fn create(submitted: Submitted) -> Response {
    let Submitted { visitor, fields } = submitted;
    match made(&visitor, &fields).await {
        Ok(Made { token }) => shown(&visitor, token).await,
        Err(failed) => {
            let tokens = visitor.get::<Tokens>("/v1/tokens").await;
            let is_first = tokens.is_ok_and(|Tokens { tokens }| tokens.is_empty());
            page_with(failed.status, &form(&visitor, (&fields, is_first), Some(failed)))
        }
    }
}

async fn made(visitor: &Visitor, fields: &Fields) -> Result<Made, Failed> {
    let days = fields.given("days").map(str::parse::<u64>).transpose();
    let days = days.map_err(|_| Failed::invalid("Say in how many days the token expires."))?;
    let lifetime = |days: u64| Duration::from_secs(days.saturating_mul(DAY_SECONDS));
    let body = json!({
        "name": fields.text("name"),
        "scopes": fields.all("scope"),
        "tenant": fields.given("tenant"),
        "expires_at": days.map(|days| visitor.now().after(lifetime(days))),
    });
    visitor.send((Method::POST, "/v1/tokens"), Some(&body)).await
}

/// Shows a token that was made, the only time.
async fn shown(visitor: &Visitor, token: String) -> Response {
    let note = Note {
        said: "The token is made. Keep it now: nobody can get it again.".to_owned(),
        is_bad: false,
        secret: Some(MadeSecret { name: "Token".to_owned(), value: token }),
    };
    // Whoever made the first one has none that the next page could be asked for with.
    if visitor.get::<IgnoredAny>("/v1/session").await.is_ok() {
        return visitor.say(LIST, note);
    }
    let mut frame = visitor.frame(Section::Settings, "The first token");
    frame.note = Some(note);
    page(&MadePage { frame })
}
