//! The tokens: who may ask, what for, until when, and when each was last used.
//!
//! Reads `/v1/tokens`, of which the store keeps a bounded number. Never shows what is sent: only
//! the answer that makes a token has that.

mod creation;
mod revocation;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, link};
use crate::event::Timestamp;

/// Where the list is.
const LIST: &str = "/settings/tokens";

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route(LIST, get(list)).merge(creation::routes()).merge(revocation::routes())
}

#[derive(Deserialize)]
struct Tokens {
    tokens: Vec<Token>,
}

#[derive(Deserialize)]
struct Token {
    name: String,
    scopes: Vec<String>,
    tenant: Option<String>,
    created_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    from: String,
}

impl Token {
    /// Whether the dashboard can revoke it; the file says who has the others.
    fn is_stored(&self) -> bool {
        self.from == "store"
    }
}

/// Who asks, as the API says it.
#[derive(Deserialize)]
struct Own {
    token: Option<String>,
}

struct Row {
    name: String,
    /// Whether the visitor is signed in with it.
    is_own: bool,
    scopes: String,
    tenant: String,
    from: &'static str,
    made: Option<Markup>,
    expires: Markup,
    used: Option<Markup>,
    /// Where it is revoked, if it can be.
    revoke: Option<String>,
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    frame: Frame,
    rows: Vec<Row>,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let Tokens { tokens } = visitor.get("/v1/tokens").await?;
    let Own { token: own } = visitor.get("/v1/session").await?;
    let now = visitor.now();
    let row = |token: Token| Row {
        is_own: own.as_ref() == Some(&token.name),
        scopes: token.scopes.join(", "),
        from: if token.is_stored() { "made here" } else { "configuration" },
        made: token.created_at.map(|at| markup::when(now, at)),
        expires: expiry(now, token.expires_at),
        used: token.last_used_at.map(|at| markup::when(now, at)),
        revoke: token.is_stored().then(|| format!("{}/revoke", link::below(LIST, &token.name))),
        tenant: token.tenant.unwrap_or_default(),
        name: token.name,
    };
    let rows = tokens.into_iter().map(row).collect();
    Ok(page(&TokensPage { frame: visitor.frame(Section::Settings, "Tokens"), rows }))
}

/// Until when a token is good.
fn expiry(now: Timestamp, at: Option<Timestamp>) -> Markup {
    match at {
        None => markup::long("never", usize::MAX),
        Some(at) if at <= now => markup::pill(Mood::Bad, "Expired"),
        Some(at) => markup::when(now, at),
    }
}
