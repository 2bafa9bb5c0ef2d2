//! The page that revokes a token, and says before what ends with it.
//!
//! A token of the configuration is removed there. Never revokes more than one.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use serde::de::IgnoredAny;

use super::{LIST, Own, Token, Tokens};
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Submitted, Visitor, link};

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/settings/tokens/{name}/revoke", get(show).post(revoke))
}

#[derive(Template)]
#[template(path = "token-revoke.html")]
struct RevokePage {
    frame: Frame,
    name: String,
    scopes: String,
    used: Option<Markup>,
    is_stored: bool,
    /// Whether the visitor is signed in with it.
    is_own: bool,
    /// Whether nobody may ask any more then.
    is_last: bool,
    action: String,
}

async fn show(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Failed> {
    let Tokens { tokens } = visitor.get("/v1/tokens").await?;
    let Own { token: own } = visitor.get("/v1/session").await?;
    let is_last = tokens.len() == 1;
    let found = tokens.into_iter().find(|token| token.name == name);
    let token: Token = found.ok_or_else(Failed::no_such_page)?;
    Ok(page(&RevokePage {
        frame: visitor.frame(Section::Settings, format!("Revoke {name}")),
        scopes: token.scopes.join(", "),
        used: token.last_used_at.map(|at| markup::when(visitor.now(), at)),
        is_stored: token.is_stored(),
        is_own: own.as_ref() == Some(&name),
        is_last,
        action: format!("{}/revoke", link::below(LIST, &name)),
        name,
    }))
}

async fn revoke(Path(name): Path<String>, submitted: Submitted) -> Response {
    let Submitted { visitor, .. } = submitted;
    let path = link::below("/v1/tokens", &name);
    match visitor.send::<IgnoredAny>((Method::DELETE, &path), None).await {
        Ok(IgnoredAny) => visitor.done(LIST, "Revoked. Its sessions have ended too."),
        Err(failed) => visitor.failed(LIST, &failed),
    }
}
