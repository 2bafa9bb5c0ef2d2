//! What stands in the path of a request, checked.
//!
//! An id of another kind is refused with the path where it is. Never looks into the store.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde_json::{Value, json};

use super::operation::Parameter;
use super::problem::{Kind, Problem};
use super::schema::Schemas;
use crate::ids::{Id, IdKind, InvalidId, InvalidName, Name};

pub(super) const EVENT_ID: Parameter = Parameter::path("id", "The id of an event.", event_id);
pub(super) const RECEIPT_ID: Parameter = Parameter::path("id", "The id of a receipt.", receipt_id);
pub(super) const RUN_ID: Parameter = Parameter::path("id", "The id of a run.", run_id);
pub(super) const DELIVERY_ID: Parameter =
    Parameter::path("id", "The id of a delivery.", delivery_id);
pub(super) const REPLAY_ID: Parameter =
    Parameter::path("id", "The id of a replay by filter.", replay_id);

pub(super) const REHEARSAL_ID: Parameter =
    Parameter::path("id", "The id of a rehearsal.", rehearsal_id);

pub(super) const ENDPOINT_ID: Parameter =
    Parameter::path("id", "The id of an endpoint.", endpoint_id);

/// What a path begins with that names a subject.
pub(super) const SUBJECTS: &str = "/v1/subjects/";
pub(super) const SUBJECT: Parameter =
    Parameter::path("id", "A subject, as events name it.", Schemas::of::<String>);
pub(super) const ERASURE_ID: Parameter = Parameter::path("id", "The id of an erasure.", erasure_id);

pub(super) const SOURCE_NAME: Parameter =
    Parameter::path("name", "The name of a source.", Schemas::of::<Name>);
pub(super) const PLUGIN_NAME: Parameter =
    Parameter::path("name", "The name of a plugin.", Schemas::of::<Name>);
/// That of a canary, or of a file that does not run, need not be a name.
pub(super) const PLUGIN_FILE: Parameter =
    Parameter::path("name", "The stem of a plugin's file.", Schemas::of::<String>);
pub(super) const TOKEN_NAME: Parameter =
    Parameter::path("name", "The name of a token.", Schemas::of::<Name>);

fn event_id(_: &mut Schemas) -> Value {
    id_schema(IdKind::Event)
}

fn receipt_id(_: &mut Schemas) -> Value {
    id_schema(IdKind::Receipt)
}

fn run_id(_: &mut Schemas) -> Value {
    id_schema(IdKind::Run)
}

fn delivery_id(_: &mut Schemas) -> Value {
    id_schema(IdKind::Delivery)
}

fn replay_id(_: &mut Schemas) -> Value {
    id_schema(IdKind::Replay)
}

/// Rehearsals are not in the store, and so their ids are no positions of it.
fn rehearsal_id(_: &mut Schemas) -> Value {
    json!({ "type": "string", "pattern": "^rhs_[0-9a-f]{16}$" })
}

/// Erasures are in the store, and their ids are digests.
fn erasure_id(_: &mut Schemas) -> Value {
    json!({ "type": "string", "pattern": "^ers_[0-9a-f]{32}$" })
}

/// Of an endpoint.
pub(super) fn endpoint_id(_: &mut Schemas) -> Value {
    id_schema(IdKind::Endpoint)
}

fn id_schema(kind: IdKind) -> Value {
    let (prefix, ..) = said(kind);
    json!({ "type": "string", "pattern": format!("^{prefix}_[0-9a-hjkmnp-tv-z]{{18}}$") })
}

/// What ids of a kind begin with, what such a thing is called, and where it is shown.
fn said(kind: IdKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        IdKind::Receipt => ("rcp", "a receipt", "receipts"),
        IdKind::Event => ("evt", "an event", "events"),
        IdKind::Run => ("run", "a run", "runs"),
        IdKind::Delivery => ("dlv", "a delivery", "deliveries"),
        IdKind::Replay => ("rpl", "a replay", "replays"),
        IdKind::Endpoint => ("ep", "an endpoint", "endpoints"),
    }
}

/// The one parameter of a path.
pub(super) struct Segment(String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let segment = Path::<String>::from_request_parts(parts, state).await;
        let detail = "the path has bytes that are not UTF-8";
        segment.map(|Path(text)| Self(text)).map_err(|_| Problem::new(Kind::InvalidId, detail))
    }
}

impl Segment {
    /// The id that it is, if it is of this kind.
    pub(super) fn id(&self, kind: IdKind) -> Result<Id, Problem> {
        let wrong = |detail: String| Problem::new(Kind::InvalidId, detail).with("parameter", "id");
        let id: Id = self.0.parse().map_err(|error: InvalidId| wrong(error.to_string()))?;
        if id.kind == kind {
            return Ok(id);
        }
        let (_, noun, path) = said(id.kind);
        Err(wrong(format!("`{id}` is the id of {noun}: look at /v1/{path}/{id}")))
    }

    /// What stands there.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The name that it is.
    pub(super) fn name(&self) -> Result<Name, Problem> {
        let wrong = |error: InvalidName| {
            Problem::new(Kind::InvalidId, error.to_string()).with("parameter", "name")
        };
        self.0.parse().map_err(wrong)
    }
}
