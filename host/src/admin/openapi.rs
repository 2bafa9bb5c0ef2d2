//! The OpenAPI document: every operation as the table of routes says it, for people and programs.
//!
//! Served, and checked in at docs/openapi.json. Never says what the table does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::idempotency;
use super::operation::{Answer, Content, Need, Operation, Parameter, Place, Tenants, Turn, Verb};
use super::problem::{self, Kind, Problem};
use super::schema::Schemas;
use crate::token::Scope;

pub(super) static OPERATIONS: [Operation; 1] = [Operation {
    verb: Verb::Get,
    path: "/v1/openapi.json",
    id: "getDocument",
    summary: "Gives this document.",
    need: Need::Scope(Scope::Read),
    tenants: Tenants::Open,
    turn: Turn::Shared,
    parameters: &[],
    body: None,
    answers: &[Answer::ok("The document.", any)],
    problems: &[],
    handler: || get(served),
}];

/// The document as it is served.
#[derive(Debug, Clone)]
pub(super) struct Document(pub(super) Arc<str>);

fn any(_: &mut Schemas) -> Value {
    json!({ "type": "object" })
}

async fn served(Extension(Document(text)): Extension<Document>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], text.to_string())
}

/// The document of these operations.
pub(super) fn document(operations: impl Iterator<Item = &'static Operation>) -> Value {
    let mut schemas = Schemas::default();
    let problem = schemas.of::<Problem>();
    let mut paths = Map::new();
    for operation in operations {
        let said = said(operation, &problem, &mut schemas);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.verb.name()] = said;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hookgate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The admin port of a Hookgate gateway. Errors are problem details \
                            (RFC 9457). A query parameter or a member of a body that is not here \
                            is refused by name. `x-hookgate-tenants` says what an operation is to \
                            a token with a tenant: `own` answers with what is that tenant's, \
                            `operator` is refused, `open` shows nothing that is anybody's.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas.into_named(),
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "A token of the gateway, with the scope that the operation \
                                    names. Until the first token is made, the gateway serves \
                                    requests from this machine without one.",
                },
            },
        },
    })
}

/// An operation, as the document says it.
fn said(operation: &Operation, problem: &Value, schemas: &mut Schemas) -> Value {
    let mut said = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "security": security(operation.need),
        "x-hookgate-tenants": operation.tenants.name(),
        "responses": responses(operation, problem, schemas),
    });
    let parameters: Vec<Value> =
        operation.parameters.iter().map(|it| parameter(it, schemas)).collect();
    if !parameters.is_empty() {
        said["parameters"] = parameters.into();
    }
    if let Some(body) = &operation.body {
        said["requestBody"] = json!({
            "required": body.is_required,
            "content": { (body.content_type): { "schema": (body.schema)(schemas) } },
        });
    }
    said
}

fn security(need: Need) -> Value {
    match need {
        Need::Nothing => json!([]),
        Need::Metrics => json!([{}, { "token": [Scope::Read] }]),
        Need::Scope(scope) => json!([{ "token": [scope] }]),
    }
}

fn parameter(parameter: &Parameter, schemas: &mut Schemas) -> Value {
    json!({
        "name": parameter.name,
        "in": parameter.place.name(),
        "description": parameter.said,
        "required": parameter.place == Place::Path,
        "schema": (parameter.schema)(schemas),
    })
}

fn responses(operation: &Operation, problem: &Value, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    for Answer { status, said, content } in operation.answers {
        let (content_type, schema) = match content {
            Content::Json(schema) => ("application/json", schema(schemas)),
            Content::Text(content_type) => (*content_type, json!({ "type": "string" })),
        };
        let content = json!({ (content_type): { "schema": schema } });
        let answer = json!({ "description": said, "content": content });
        responses.insert(status.to_string(), answer);
    }
    let content = json!({ (problem::CONTENT_TYPE): { "schema": problem } });
    for (status, kinds) in problems(operation) {
        let titles: Vec<&str> = kinds.into_iter().map(Kind::title).collect();
        let answer = json!({ "description": titles.join("; "), "content": content });
        responses.insert(status.to_string(), answer);
    }
    let other = json!({ "description": "Any other problem", "content": content });
    responses.insert("default".to_owned(), other);
    responses.into()
}

/// What may be wrong with a request for an operation, by status.
fn problems(operation: &Operation) -> BTreeMap<u16, Vec<Kind>> {
    let mut kinds = operation.problems.to_vec();
    kinds.extend([Kind::MalformedQuery, Kind::UnknownParameter, Kind::Internal]);
    if operation.need != Need::Nothing {
        kinds.extend([Kind::NoToken, Kind::UnknownToken, Kind::ExpiredToken, Kind::MissingScope]);
        kinds.extend([Kind::Remote, Kind::ForeignPage, Kind::ForeignHost]);
        kinds.extend([Kind::TooManyWrongTokens, Kind::TooManyRequests]);
    }
    if operation.tenants == Tenants::Operator {
        kinds.push(Kind::OperatorOnly);
    }
    if matches!(operation.verb, Verb::Post | Verb::Patch) {
        kinds.push(Kind::UnsupportedMediaType);
    }
    if operation.verb != Verb::Get {
        kinds.push(Kind::Unrecorded);
        // Where it takes no key, one is refused.
        kinds.push(Kind::InvalidParameter);
    }
    if operation.parameters.iter().any(|it| it.name == idempotency::KEY.name) {
        kinds.extend([Kind::InProgress, Kind::OutcomeUnknown, Kind::AnswerNotKept]);
        kinds.push(Kind::KeyReused);
        kinds.extend([Kind::TooManyKeys, Kind::BodyTimeout, Kind::BodyTooLarge]);
    }
    if operation.turn == Turn::Shared {
        kinds.extend([Kind::Busy, Kind::Stopping, Kind::StoreUnavailable, Kind::StoreFailed]);
    }
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in kinds {
        let same = by_status.entry(kind.status()).or_default();
        if !same.contains(&kind) {
            same.push(kind);
        }
    }
    by_status
}
