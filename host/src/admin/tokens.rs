//! The tokens of the admin port, as operators make, list and revoke them.
//!
//! The answer that makes one is the only one that shows it. Never decides who may ask.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::audit::{self, Changed};
use super::bodies::{self, invalid};
use super::operation::{self, Answer, Content, Need, Operation, Tenants, Turn, Verb};
use super::path::{Segment, TOKEN_NAME};
use super::problem::Kind;
use super::schema::{Described, Schemas, one_of};
use super::{Admin, Problem, idempotency, redact};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::Token;
use crate::tenant::Tenant;
use crate::token::{Scope, TokenHash};

pub(super) static OPERATIONS: [Operation; 3] = [
    Operation {
        verb: Verb::Get,
        path: "/v1/tokens",
        id: "listTokens",
        summary: "Lists the tokens of the admin port, without what is sent.",
        need: Need::Scope(Scope::Admin),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[],
        body: None,
        answers: &[Answer::ok("The tokens, by their names.", all)],
        problems: &[],
        handler: || get(list),
    },
    Operation {
        verb: Verb::Post,
        path: "/v1/tokens",
        id: "makeToken",
        summary: "Makes a token; the answer shows it once.",
        need: Need::Scope(Scope::Admin),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[],
        body: Some(operation::Body::json(new)),
        answers: &[Answer {
            status: 201,
            said: "The token, and what is sent.",
            content: Content::Json(made),
        }],
        problems: &[
            Kind::MalformedBody,
            Kind::BodyTimeout,
            Kind::TokenExists,
            Kind::ConfiguredToken,
            Kind::TooManyTokens,
            Kind::BodyTooLarge,
            Kind::InvalidBody,
        ],
        handler: || post(create),
    },
    Operation {
        verb: Verb::Delete,
        path: "/v1/tokens/{name}",
        id: "revokeToken",
        summary: "Revokes a token: from then on the gateway refuses it.",
        need: Need::Scope(Scope::Admin),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[TOKEN_NAME, idempotency::KEY],
        body: None,
        answers: &[Answer::ok("The token as it was.", Schemas::of::<Shown>)],
        problems: &[Kind::InvalidId, Kind::NotFound, Kind::ConfiguredToken],
        handler: || delete(revoke),
    },
];

/// A token as operators see it.
enum Shown {}

impl Described for Shown {
    fn name() -> Option<String> {
        Some("Token".to_owned())
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let time = schemas.of::<Option<Timestamp>>();
        json!({
            "type": "object",
            "description": "A token of the admin port, without what is sent.",
            "required": [
                "name", "scopes", "created_at", "expires_at", "tenant", "last_used_at", "from",
            ],
            "properties": {
                "name": schemas.of::<Name>(),
                "scopes": scopes(),
                "created_at": time,
                "expires_at": time,
                "tenant": schemas.of::<Option<Tenant>>(),
                "last_used_at": time,
                "from": one_of(&["store", "configuration"]),
            },
        })
    }
}

fn scopes() -> Value {
    json!({ "type": "array", "items": one_of(&Scope::ALL.map(Scope::as_str)) })
}

fn all(schemas: &mut Schemas) -> Value {
    let tokens = schemas.of::<Vec<Shown>>();
    json!({ "type": "object", "required": ["tokens"], "properties": { "tokens": tokens } })
}

/// A token with what is sent.
fn made(schemas: &mut Schemas) -> Value {
    let mut made = Shown::schema(schemas);
    made["description"] = "A token that was made, and what is sent.".into();
    made["properties"]["token"] = json!({
        "type": "string", "description": "What is sent. Nobody can get it again.",
    });
    if let Some(required) = made["required"].as_array_mut() {
        required.push("token".into());
    }
    made
}

/// A token to make.
fn new(schemas: &mut Schemas) -> Value {
    let mut scopes = scopes();
    scopes["minItems"] = json!(1);
    json!({
        "type": "object",
        "required": ["name", "scopes"],
        "additionalProperties": false,
        "properties": {
            "name": schemas.of::<Name>(),
            "scopes": scopes,
            "expires_at": schemas.of::<Option<Timestamp>>(),
            "tenant": schemas.of::<Option<Tenant>>(),
        },
    })
}

/// A token to make: `{"name": "ci", "scopes": ["read"]}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: Name,
    scopes: Vec<Scope>,
    expires_at: Option<Timestamp>,
    tenant: Option<Tenant>,
}

impl NewToken {
    fn parse(body: &[u8], now: Timestamp) -> Result<Token, Problem> {
        if body.is_empty() {
            let detail = r#"the body is empty: give {"name": "...", "scopes": [...]}"#;
            return Err(Problem::new(Kind::MalformedBody, detail));
        }
        let Self { name, scopes, expires_at, tenant } = bodies::read(body)?;
        if scopes.is_empty() {
            return Err(invalid(
                "`scopes` must have at least one of read, replay, write and admin",
            ));
        }
        if expires_at.is_some_and(|at| at <= now) {
            return Err(invalid("`expires_at` must be a time to come"));
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

async fn create(State(admin): State<Arc<Admin>>, body: Body) -> Result<Response, Problem> {
    let new = NewToken::parse(&admin.turns.read(body).await?, admin.access.now())?;
    let (text, mut shown) = admin.access.create(new).await?;
    // Before the one answer that has it.
    let after = audit::after(&shown);
    shown["token"] = text.expose().into();
    let uncached = [(header::CACHE_CONTROL, "no-store")];
    let has_token = Extension(redact::HasToken);
    Ok((StatusCode::CREATED, uncached, after, has_token, Json(shown)).into_response())
}

async fn list(State(admin): State<Arc<Admin>>) -> Json<Value> {
    Json(json!({ "tokens": admin.access.list() }))
}

async fn revoke(State(admin): State<Arc<Admin>>, segment: Segment) -> Changed<Value> {
    let revoked = admin.access.revoke(&segment.name()?).await?;
    Ok((audit::gone(revoked.clone()), Json(revoked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_no_token_is_refused_with_the_reason() {
        let refused = |body: &str| {
            let problem = NewToken::parse(body.as_bytes(), Timestamp(5)).err().unwrap();
            problem.detail().to_owned()
        };
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
