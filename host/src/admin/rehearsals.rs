//! Rehearsals: an operator sends another version of a plugin, and stored work is run again by it.
//!
//! Whoever runs it is behind [`Rehearses`]; there is one rehearsal at a time, and the reports of
//! the last few are kept in memory. A file is read only when nobody else's is. Never puts a plugin
//! in place, and commits nothing of what it asks for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::audit::{self, Changed};
use super::operation::{self, Answer, Content, Need, Operation, Parameter, Tenants, Turn, Verb};
use super::path::{REHEARSAL_ID, Segment};
use super::problem::Kind;
use super::query::{self, RehearsalQuery};
use super::schema::Schemas;
use super::{Admin, Problem, turns};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::minisign;
use crate::plugin::FILE_BYTES_MAX;
use crate::rehearsal::Report;
use crate::route::Pattern;
use crate::token::Scope;

/// How long the file may take to arrive.
const FILE_TIME_MAX: Duration = Duration::from_secs(60);
/// How long who sent it waits for the gateway to load it; then the rehearsal says what became of
/// that.
const LOAD_WAIT: Duration = Duration::from_secs(20);

/// Has the signature of the file.
const SIGNATURE: &str = "hookgate-signature";

const PLUGIN: Parameter = Parameter::query(
    "plugin",
    "The plugin that the file is a version of. Always required.",
    Schemas::of::<Name>,
);
const SINCE: Parameter = Parameter::query(
    "since",
    "Only what was stored at this time or later.",
    Schemas::of::<Timestamp>,
);
const UNTIL: Parameter =
    Parameter::query("until", "Only what was stored before this time.", Schemas::of::<Timestamp>);
const LIMIT: Parameter = Parameter::query(
    "limit",
    "The most receipts or runs, the oldest of those that match; all if left out.",
    limits,
);
const SIGNED: Parameter = Parameter::header(
    "Hookgate-Signature",
    "The file's signature as minisign writes it, in base64; required where the configuration has \
     `trusted_keys`.",
    Schemas::of::<String>,
);

fn limits(_: &mut Schemas) -> Value {
    json!({ "type": "integer", "minimum": 1 })
}

pub(super) static OPERATIONS: [Operation; 4] = [
    Operation {
        verb: Verb::Post,
        path: "/v1/rehearsals",
        id: "beginRehearsal",
        summary: "Begins to run stored work again by the plugin file in the body, and commits \
                  nothing of it.",
        // The file is given the settings and the state of a handler, and may show them.
        need: Need::Scope(Scope::Admin),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[PLUGIN, query::SOURCE, query::TYPE, SINCE, UNTIL, LIMIT, SIGNED],
        body: Some(operation::Body::file()),
        answers: &[Answer {
            status: 202,
            said: "The gateway has begun.",
            content: Content::Json(Schemas::of::<RehearsalRow>),
        }],
        problems: &[
            Kind::InvalidParameter,
            Kind::MalformedBody,
            Kind::BodyTimeout,
            Kind::RehearsalRuns,
            Kind::BodyTooLarge,
            Kind::InvalidPlugin,
        ],
        handler: || post(begin),
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/rehearsals",
        id: "listRehearsals",
        summary: "Lists the rehearsals that the gateway keeps, without their reports: the newest \
                  first, at most 8.",
        need: Need::Scope(Scope::Admin),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[],
        body: None,
        answers: &[Answer::ok("The rehearsals.", Schemas::of::<RehearsalList>)],
        problems: &[],
        handler: || get(list),
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/rehearsals/{id}",
        id: "getRehearsal",
        summary: "Shows how far a rehearsal has come, or what it has found.",
        // It shows what the file made of requests, events, settings and state.
        need: Need::Scope(Scope::Admin),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[REHEARSAL_ID],
        body: None,
        answers: &[Answer::ok("The rehearsal.", Schemas::of::<RehearsalRow>)],
        problems: &[Kind::InvalidId, Kind::NotFound],
        handler: || get(shown),
    },
    Operation {
        verb: Verb::Delete,
        path: "/v1/rehearsals/{id}",
        id: "endRehearsal",
        summary: "Ends a rehearsal and cuts off its calls; one that has ended stays as it is.",
        need: Need::Scope(Scope::Admin),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[REHEARSAL_ID],
        body: None,
        answers: &[Answer::ok("How far the rehearsal came.", Schemas::of::<RehearsalRow>)],
        problems: &[Kind::InvalidId, Kind::NotFound],
        handler: || delete(end),
    },
];

/// Who has stored work run again: one rehearsal at a time.
pub(crate) trait Rehearses: fmt::Debug + Send + Sync {
    /// Keeps the place of the one rehearsal for whoever asks, until that is begun or dropped.
    fn place(&self) -> Result<Place, Taken>;

    /// Those that are kept, newest first, without their reports.
    fn list(&self) -> Vec<RehearsalRow>;

    /// The rehearsal of this id, if it is kept.
    fn shown(&self, id: &str) -> Option<RehearsalRow>;

    /// The same, and ends it.
    fn end(&self, id: &str) -> Option<RehearsalRow>;
}

/// The place of the one rehearsal: begins it.
pub(crate) type Place = Box<dyn FnOnce(NewRehearsal) -> Begun + Send>;

/// Somebody else has the place.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The rehearsal that goes on; `None` while its file arrives.
    pub(crate) by: Option<String>,
}

/// What to run again, and by what.
#[derive(Debug)]
pub(crate) struct NewRehearsal {
    /// The plugin that the file is a version of.
    pub(crate) plugin: Name,
    pub(crate) file: Bytes,
    /// The text of the file's signature.
    pub(crate) signature: Option<Vec<u8>>,
    /// Only receipts of this source, or runs on events of this source or handler.
    pub(crate) source: Option<Name>,
    pub(crate) event_type: Option<Pattern>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    /// At most so many receipts or runs.
    pub(crate) limit: u64,
}

/// A rehearsal that has begun.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) id: String,
    /// The digest of the plugin once it is loaded, or why it can't be.
    pub(crate) loaded: oneshot::Receiver<Result<String, String>>,
}

/// A rehearsal as operators see it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RehearsalRow {
    pub(crate) id: String,
    /// The plugin whose work it is.
    pub(crate) plugin: Name,
    /// When it began.
    pub(crate) began: Timestamp,
    /// `running`, `done`, `canceled` or `failed`.
    pub(crate) state: &'static str,
    /// The positions of the log that it has passed.
    pub(crate) done: u64,
    /// All that it has to pass; 0 while the file is compiled.
    pub(crate) of: u64,
    /// The most memory that a call may have, in bytes.
    pub(crate) memory_limit_bytes: u64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// What it has found: one for each role of the plugin.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reports: Vec<Report>,
}

object! {
    /// A rehearsal: stored work, run again by another version of a plugin.
    RehearsalRow {
        /// As long as the gateway runs, and no eight others are begun.
        id: String,
        /// The plugin whose work it is.
        plugin: Name,
        /// When it began.
        began: Timestamp,
        /// `running`, `done`, `canceled` or `failed`.
        state: &'static str,
        /// The positions of the log that it has passed.
        done: u64,
        /// All that it has to pass; 0 while the file is compiled.
        of: u64,
        /// The most memory that a call of the plugin may have, in bytes.
        memory_limit_bytes: u64,
        /// Why it failed.
        [maybe] reason: Option<String>,
        /// What it has found, once it is done: for each role of the plugin.
        [maybe] reports: Vec<Report>,
    }
}

/// The rehearsals that are kept.
#[derive(Serialize)]
struct RehearsalList {
    items: Vec<RehearsalRow>,
}

object! {
    /// The rehearsals that the gateway keeps.
    RehearsalList {
        /// Newest first, without their reports.
        items: Vec<RehearsalRow>,
    }
}

async fn list(State(admin): State<Arc<Admin>>) -> Json<RehearsalList> {
    Json(RehearsalList { items: admin.rehearsals.list() })
}

async fn begin(
    State(admin): State<Arc<Admin>>,
    asked: RehearsalQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let signature = signature(&headers)?;
    // Before the body is read: the gateway holds one file at a time.
    let place = admin.rehearsals.place().map_err(taken)?;
    let file = admin.turns.read_file(body, FILE_BYTES_MAX, FILE_TIME_MAX).await?;
    if file.is_empty() {
        let detail = "the body is missing: send the bytes of a .wasm file";
        return Err(Problem::new(Kind::MalformedBody, detail));
    }
    let RehearsalQuery { plugin, source, event_type, since, until, limit } = asked;
    let limit = limit.map_or(u64::MAX, u64::from);
    let name = plugin.clone();
    let new = NewRehearsal { plugin, file, signature, source, event_type, since, until, limit };
    let Begun { id, loaded } = place(new);
    let digest = tokio::select! {
        loaded = loaded => Some(loaded.map_err(|_| failed())?.map_err(refused)?),
        () = tokio::time::sleep(LOAD_WAIT) => None,
        () = admin.turns.stopped() => {
            return Err(Problem::new(Kind::Stopping, turns::STOPPING));
        }
    };
    let Json(row) = found(&id, admin.rehearsals.shown(&id))?;
    let after = audit::after(&json!({ "id": id, "plugin": name, "digest": digest }));
    Ok((StatusCode::ACCEPTED, after, Json(row)).into_response())
}

/// The text of a signature that stands in a header, if one does.
fn signature(headers: &HeaderMap) -> Result<Option<Vec<u8>>, Problem> {
    let Some(value) = headers.get(SIGNATURE) else { return Ok(None) };
    let text = BASE64.decode(value.as_bytes()).ok();
    let text = text.filter(|text| text.len() <= minisign::FILE_BYTES_MAX);
    let detail = "`Hookgate-Signature` must be the base64 of a signature that minisign has written";
    let wrong =
        || Problem::new(Kind::InvalidParameter, detail).with("parameter", "Hookgate-Signature");
    text.ok_or_else(wrong).map(Some)
}

fn taken(taken: Taken) -> Problem {
    match taken.by {
        Some(id) => {
            let detail = format!("the rehearsal `{id}` goes on: wait for its end, or end it");
            Problem::new(Kind::RehearsalRuns, detail).with("id", id)
        }
        None => {
            let detail = "the file of another rehearsal is on its way: ask again later";
            Problem::new(Kind::RehearsalRuns, detail)
        }
    }
}

fn refused(why: String) -> Problem {
    Problem::new(Kind::InvalidPlugin, why)
}

fn failed() -> Problem {
    Problem::new(Kind::Internal, "the gateway failed to begin the rehearsal; its log says more")
}

fn found(id: &str, row: Option<RehearsalRow>) -> Result<Json<RehearsalRow>, Problem> {
    let detail = || format!("the gateway has no rehearsal `{id}`: it keeps the last few");
    row.map(Json).ok_or_else(|| Problem::new(Kind::NotFound, detail()))
}

async fn shown(
    State(admin): State<Arc<Admin>>,
    segment: Segment,
) -> Result<Json<RehearsalRow>, Problem> {
    let id = segment.text();
    found(id, admin.rehearsals.shown(id))
}

async fn end(State(admin): State<Arc<Admin>>, segment: Segment) -> Changed<RehearsalRow> {
    let id = segment.text();
    let Json(row) = found(id, admin.rehearsals.end(id))?;
    let after = audit::after(&json!({ "id": id, "plugin": row.plugin, "state": row.state }));
    Ok((after, Json(row)))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_signature_is_bounded_and_in_base64() {
        let of = |value: &str| {
            let value = HeaderValue::from_str(value).unwrap();
            signature(&[(HeaderName::from_static(SIGNATURE), value)].into_iter().collect())
        };
        assert_eq!(signature(&HeaderMap::new()).unwrap(), None);
        assert_eq!(of("YWJj").unwrap(), Some(b"abc".to_vec()));
        let large = BASE64.encode(vec![b'x'; minisign::FILE_BYTES_MAX + 1]);
        for wrong in ["a text", &large] {
            assert_eq!(of(wrong).unwrap_err().kind(), Kind::InvalidParameter);
        }
    }
}
