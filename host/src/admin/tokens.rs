//! The tokens of the admin port, as operators make, list and revoke them.
//!
//! The answer that makes one is the only one that shows it. Never decides who may ask.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::query::{bad, unread};
use super::{Admin, Problem};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::Token;
use crate::token::{Scope, TokenHash};

/// A token to make: `{"name": "ci", "scopes": ["read"]}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: Name,
    scopes: Vec<Scope>,
    expires_at: Option<Timestamp>,
    tenant: Option<Name>,
}

impl NewToken {
    fn parse(body: &[u8], now: Timestamp) -> Result<Token, Problem> {
        if body.is_empty() {
            return Err(bad(r#"the body is empty: give {"name": "...", "scopes": [...]}"#));
        }
        let new: Self = serde_json::from_slice(body).map_err(|error| unread(&error))?;
        let Self { name, scopes, expires_at, tenant } = new;
        if scopes.is_empty() {
            return Err(bad("`scopes` must have at least one of read, replay, write and admin"));
        }
        if expires_at.is_some_and(|at| at <= now) {
            return Err(bad("`expires_at` must be a time to come"));
        }
        Ok(Token {
            name,
            hash: TokenHash::of(""),
            scopes: scopes.into_iter().collect(),
            created_at: now,
            expires_at,
            tenant,
            last_used_at: None,
        })
    }
}

pub(super) async fn create(
    State(admin): State<Arc<Admin>>,
    body: Body,
) -> Result<Response, Problem> {
    let new = NewToken::parse(&admin.turns.read(body).await?, admin.access.now())?;
    let (text, mut shown) = admin.access.create(new).await?;
    shown["token"] = text.expose().into();
    let uncached = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, uncached, Json(shown)).into_response())
}

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Response {
    Json(json!({ "tokens": admin.access.list() })).into_response()
}

pub(super) async fn revoke(
    State(admin): State<Arc<Admin>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let name: Name = name.parse().map_err(bad)?;
    Ok(Json(admin.access.revoke(&name).await?).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_no_token_is_refused_with_the_reason() {
        let refused =
            |body: &str| NewToken::parse(body.as_bytes(), Timestamp(5)).unwrap_err().error;
        assert!(refused("").starts_with("the body is empty: give"));
        assert!(refused(r#"{"name":"ci","scopes":[]}"#).starts_with("`scopes` must have"));
        assert!(refused(r#"{"name":"ci","scopes":["root"]}"#).contains("unknown variant `root`"));
        assert!(refused(r#"{"name":"Ci","scopes":["read"]}"#).contains("is not a name"));
        assert!(refused(r#"{"name":"ci","scope":["read"]}"#).contains("unknown field `scope`"));
        let over = r#"{"name":"ci","scopes":["read"],"expires_at":"1970-01-01T00:00:00.005Z"}"#;
        assert_eq!(refused(over), "`expires_at` must be a time to come");
        let good = NewToken::parse(br#"{"name":"ci","scopes":["read"]}"#, Timestamp(5)).unwrap();
        assert!(good.scopes.allow(Scope::Read) && !good.scopes.allow(Scope::Replay));
    }
}
