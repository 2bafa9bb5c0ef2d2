//! The audit log as operators see it, and what puts an entry there for each write of the API.
//!
//! A write is answered once its entry is durable, and goes on to that also if whoever asked hangs
//! up. While nothing can be written down, nothing is written. Never decides who may write.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Admin;
use super::access::Caller;
use super::idempotency::{self, Begun};
use super::operation::{Answer, Need, Operation, Parameter, Tenants, Turn, Verb};
use super::path;
use super::problem::{Kind, Problem};
use super::query::{self, AuditQuery};
use super::schema::{self, Described, Schemas};
use super::turns::Answering;
use crate::event::Timestamp;
use crate::listener::Connection;
use crate::secrets::{HIDDEN, TOKEN_PREFIX};
use crate::store::{Deed, OnceKey};
use crate::token::Scope;

const ACTOR: Parameter = Parameter::query(
    "actor",
    "Only what was done by somebody in whose name this stands, such as `token ci` or `the files`.",
    Schemas::of::<String>,
);
const OPERATION: Parameter = Parameter::query(
    "operation",
    "Only entries in whose `what` this stands, such as `DELETE /v1/tokens` or `plugin`.",
    Schemas::of::<String>,
);
const SINCE: Parameter =
    Parameter::query("since", "Only entries of this time or later.", Schemas::of::<Timestamp>);
const UNTIL: Parameter =
    Parameter::query("until", "Only entries before this time.", Schemas::of::<Timestamp>);

pub(super) static OPERATIONS: [Operation; 1] = [Operation {
    verb: Verb::Get,
    path: "/v1/audit",
    id: "listAudit",
    summary: "Lists the audit log: who changed what, from where, and what became of it.",
    need: Need::Scope(Scope::Admin),
    tenants: Tenants::Operator,
    turn: Turn::Shared,
    parameters: &[ACTOR, OPERATION, SINCE, UNTIL, query::ORDER, query::BEHIND, query::LIMIT],
    body: None,
    answers: &[Answer::ok("A page of entries.", page)],
    problems: &[Kind::InvalidParameter, Kind::Damaged],
    handler: || get(list),
}];

/// An entry as operators see it.
enum Entry {}

impl Described for Entry {
    fn name() -> Option<String> {
        Some("AuditEntry".to_owned())
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let said = |said: &str| json!({ "type": "string", "description": said });
        let hash = |said: &str| schema::text("^[0-9a-f]{64}$", said);
        let anything = |said: &str| json!({ "description": said });
        json!({
            "type": "object",
            "description": "Something that somebody did.",
            "required": [
                "number", "at", "who", "from", "what", "before", "after", "outcome", "previous",
                "hash",
            ],
            "properties": {
                "number": { "type": "integer", "minimum": 1 },
                "at": schemas.of::<Timestamp>(),
                "who": said("A token, this machine, the files, or a user of this machine."),
                "from": said("An address, a file, a signal or the command line."),
                "what": said("Such as a method and a path."),
                "before": anything("How it was, as far as that says something."),
                "after": anything("How it is, as far as that says something."),
                "outcome": said("Such as the status of the answer."),
                "previous": hash("The hash of the entry before it; zeros for the first."),
                "hash": hash("SHA-256 over the entry and the hash before it."),
            },
        })
    }
}

fn page(schemas: &mut Schemas) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": schemas.of::<Vec<Entry>>(),
            "next": schemas.of::<Option<String>>(),
        },
    })
}

async fn list(
    State(admin): State<Arc<Admin>>,
    AuditQuery { filter, behind, limit, is_oldest_first }: AuditQuery,
) -> Result<Json<Value>, Problem> {
    let page = admin.auditor.store.audit(filter, behind, limit, is_oldest_first).await?;
    let items: Vec<Value> = page.items.into_iter().map(|entry| entry.shown).collect();
    let next = page.next.map(|number| number.to_string());
    Ok(Json(json!({ "items": items, "next": next })))
}

/// What a write changed, for its entry: an extension of its answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    pub(super) before: Value,
    pub(super) after: Value,
}

/// A write as its entry and its answer show it.
pub(super) type Changed<T> = Result<(Extension<Change>, Json<T>), Problem>;

/// What is there after a write, for its entry.
pub(super) fn after(value: &impl Serialize) -> Extension<Change> {
    let after = serde_json::to_value(value).unwrap_or_default();
    Extension(Change { before: Value::Null, after })
}

/// What was there before a write, and what is after it.
pub(super) fn changed(before: Value, after: Value) -> Extension<Change> {
    Extension(Change { before, after })
}

/// What is gone after a write.
pub(super) fn gone(before: Value) -> Extension<Change> {
    Extension(Change { before, after: Value::Null })
}

/// Who writes, from where, under which key if it is to be done once, and in whose turn.
pub(super) struct Write<'w> {
    pub(super) caller: Option<&'w Caller>,
    pub(super) connection: Option<&'w Connection>,
    pub(super) key: Option<OnceKey>,
    pub(super) turn: Option<Answering>,
}

/// Answers a write, and adds an entry for it first.
pub(super) async fn answered(
    admin: Arc<Admin>,
    write: Write<'_>,
    request: Request,
    next: Next,
) -> Response {
    let Write { caller, connection, key, turn: answering } = write;
    if let Some(error) = admin.store.outage() {
        return Problem::from(error).into_response();
    }
    let token = caller.and_then(|caller| caller.token.as_ref());
    let deed = Deed {
        who: token.map_or("this machine".to_owned(), |name| format!("token {name}")),
        from: connection.map_or(String::new(), origin),
        what: format!("{} {}", request.method(), shown(request.uri().path())),
        ..Deed::default()
    };
    let (tell, told) = oneshot::channel();
    // Dropped with its connection, a write would go on to its effect and not to its entry.
    let writing = {
        let admin = Arc::clone(&admin);
        async move {
            let answer = match idempotency::begin(&admin, key, request).await {
                Begun::Answered(answer) => answer,
                Begun::Now(request, turn) => {
                    let answer = written(&admin, deed, next.run(*request).await).await;
                    match turn {
                        Some(turn) => turn.end(answer).await,
                        None => answer,
                    }
                }
            };
            // Whoever has the answer may ask again.
            drop(answering);
            // Who asked may be gone.
            drop(tell.send(answer));
        }
    };
    drop(admin.writes.spawn(writing));
    told.await.unwrap_or_else(|_| {
        let detail = "the gateway panicked over this request, or stops; its log says more";
        Problem::new(Kind::Internal, detail).into_response()
    })
}

/// A path as its entry shows it: without a subject, which may be a person's name.
fn shown(path: &str) -> Cow<'_, str> {
    match path.starts_with(path::SUBJECTS) {
        true => format!("{}{HIDDEN}/forget", path::SUBJECTS).into(),
        false => without_token(path),
    }
}

/// A path without the text of a token, which somebody may write there in the place of its name.
fn without_token(path: &str) -> Cow<'_, str> {
    match path.find(TOKEN_PREFIX) {
        Some(at) => format!("{}{HIDDEN}", &path[..at]).into(),
        None => path.into(),
    }
}

/// Where a request comes from. Over a socket in the file system a peer has no port.
fn origin(connection: &Connection) -> String {
    match connection.peer().port() {
        0 => "the socket in the file system".to_owned(),
        _ => connection.peer().to_string(),
    }
}

/// The answer to a write, once its entry is there.
async fn written(admin: &Admin, deed: Deed, mut answer: Response) -> Response {
    let change = answer.extensions_mut().remove::<Change>().unwrap_or_default();
    let outcome = answer.status().as_u16().to_string();
    let deed = Deed { before: change.before, after: change.after, outcome, ..deed };
    match admin.auditor.record(deed).await {
        Ok(()) => answer,
        Err(_) if answer.status().is_client_error() => answer,
        Err(error) => {
            let detail = format!(
                "the gateway did this, and failed to add it to the audit log, as its own log says: \
                 {error}"
            );
            Problem::new(Kind::Unrecorded, detail).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_down_without_the_text_of_a_token() {
        let path = format!("/v1/tokens/{HIDDEN}");
        assert_eq!(without_token("/v1/tokens/hgt_c2VjcmV0"), path);
        assert_eq!(without_token("/v1/tokens/ci"), "/v1/tokens/ci");
    }

    #[test]
    fn a_path_is_written_down_without_a_subject() {
        let hidden = format!("/v1/subjects/{HIDDEN}/forget");
        assert_eq!(shown("/v1/subjects/jane%40example.com/forget"), hidden);
        assert_eq!(shown("/v1/tokens/ci"), "/v1/tokens/ci");
    }
}
