//! The tokens: who may ask, what for, and when each was last used.
//!
//! Reads `/v1/tokens`, of which the store keeps a bounded number. A token that is made is shown
//! once. Never keeps one.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor};
use crate::event::Timestamp;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/settings/tokens", get(list))
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
    last_used_at: Option<Timestamp>,
    from: String,
}

struct Row {
    name: String,
    scopes: String,
    tenant: String,
    used: Option<Markup>,
    is_stored: bool,
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    frame: Frame,
    rows: Vec<Row>,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let Tokens { tokens } = visitor.get("/v1/tokens").await?;
    let now = visitor.now();
    let row = |token: Token| Row {
        name: token.name,
        scopes: token.scopes.join(", "),
        tenant: token.tenant.unwrap_or_default(),
        used: token.last_used_at.map(|at| markup::when(now, at)),
        is_stored: token.from == "store",
    };
    let rows = tokens.into_iter().map(row).collect();
    Ok(page(&TokensPage { frame: visitor.frame(Section::Settings, "Tokens"), rows }))
}
