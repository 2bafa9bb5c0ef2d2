//! Erasures: an operator has all that is known of a subject erased, and looks how far that is.
//!
//! The gateway goes on with it by itself. A token with a tenant reaches its own events, and sees
//! its own erasures. The audit log has the id of the erasure, a keyed digest, in the place of the
//! subject. Never shows a subject.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::{Value, json};

use super::audit;
use super::bodies::{NO_BODY, check_empty};
use super::operation::{Answer, Content, Need, Operation, Tenants, Turn, Verb};
use super::path::{ERASURE_ID, SUBJECT, Segment};
use super::problem::Kind;
use super::reach::Reach;
use super::schema::object::Members;
use super::schema::{Described, Schemas, one_of};
use super::{Admin, Problem, idempotency};
use crate::event::Timestamp;
use crate::store::{Erasure, ErasureState};
use crate::tenant::Tenant;
use crate::token::Scope;

/// Longest subject of an event, in bytes.
const SUBJECT_BYTES_MAX: usize = 255;

pub(super) static OPERATIONS: [Operation; 3] = [
    Operation {
        verb: Verb::Post,
        path: "/v1/subjects/{id}/forget",
        id: "forgetSubject",
        summary: "Begins to erase all that is known of a subject up to now; the gateway goes on \
                  with it by itself.",
        need: Need::Scope(Scope::Admin),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[SUBJECT, idempotency::KEY],
        body: Some(NO_BODY),
        answers: &[Answer {
            status: 202,
            said: "The gateway has begun.",
            content: Content::Json(Schemas::of::<Erasure>),
        }],
        problems: &[
            Kind::InvalidId,
            Kind::MalformedBody,
            Kind::BodyTimeout,
            Kind::BodyTooLarge,
            Kind::InvalidBody,
            Kind::TooManyErasures,
        ],
        handler: || post(forget),
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/erasures",
        id: "listErasures",
        summary: "Lists all erasures that go on, and the last thousand that are done.",
        need: Need::Scope(Scope::Admin),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[],
        body: None,
        answers: &[Answer::ok("The erasures.", Schemas::of::<Erasures>)],
        problems: &[],
        handler: || get(list),
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/erasures/{id}",
        id: "getErasure",
        summary: "Shows how far an erasure has come.",
        need: Need::Scope(Scope::Admin),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[ERASURE_ID],
        body: None,
        answers: &[Answer::ok("The erasure.", Schemas::of::<Erasure>)],
        problems: &[Kind::NotFound],
        handler: || get(shown),
    },
];

impl Described for ErasureState {
    fn schema(_: &mut Schemas) -> Value {
        one_of(&["erasing", "overwriting", "done"])
    }
}

impl Described for Erasure {
    fn name() -> Option<String> {
        Some("Erasure".to_owned())
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let mut members = Members::default();
        let id = "Always the same of one subject and tenant: a keyed digest of both.";
        members.add::<String>(schemas, "id", id, "");
        let state = "`overwriting`: nothing shows the subject any more.";
        members.add::<ErasureState>(schemas, "state", state, "");
        members.add::<Option<Tenant>>(schemas, "tenant", "Whose events it is for.", "maybe");
        let requested = "When somebody asked for it, for the last time.";
        members.add::<Timestamp>(schemas, "requested_at", requested, "");
        members.add::<Option<Timestamp>>(schemas, "finished_at", "When it was done.", "maybe");
        let events = "Events that were erased, with those that handlers made of them.";
        members.add::<u64>(schemas, "events", events, "");
        let records = "These with their receipts, parcels, tries and attempts.";
        members.add::<u64>(schemas, "records", records, "");
        let ended = "Works that were open, and are dead letters with the reason `erased`.";
        members.add::<u64>(schemas, "ended", ended, "");
        members.add::<u64>(schemas, "states", "Keys that handlers remembered.", "");
        let damaged = "Records that can't be read, and so may hold something still.";
        members.add::<u64>(schemas, "damaged", damaged, "");
        let kept = "Whether the state of handlers stays, because it may be of other tenants.";
        members.add::<bool>(schemas, "state_kept", kept, "");
        members.into_schema("The erasure of all that is known of a subject.")
    }
}

/// The erasures.
#[derive(Serialize)]
struct Erasures {
    erasures: Vec<Erasure>,
}

object! {
    /// The erasures that are kept.
    Erasures {
        /// The oldest request first.
        erasures: Vec<Erasure>,
    }
}

async fn forget(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
    body: Body,
) -> Result<Response, Problem> {
    check_empty(&admin.turns.read(body).await?)?;
    let subject = segment.text();
    if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX {
        let detail = format!("a subject has 1 to {SUBJECT_BYTES_MAX} bytes");
        return Err(Problem::new(Kind::InvalidId, detail).with("parameter", "id"));
    }
    let begun =
        admin.store.begin_erasure(subject.to_owned(), reach.narrowed(None).ok().flatten()).await?;
    let after = audit::after(&json!({ "erasure": begun.id, "tenant": begun.tenant }));
    Ok((StatusCode::ACCEPTED, after, Json(begun)).into_response())
}

async fn list(State(admin): State<Arc<Admin>>, reach: Reach) -> Result<Json<Erasures>, Problem> {
    let mut erasures = admin.store.erasures().await?;
    erasures.retain(|erasure| reach.sees(erasure.tenant.as_ref()));
    Ok(Json(Erasures { erasures }))
}

async fn shown(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
) -> Result<Json<Erasure>, Problem> {
    let id = segment.text();
    let found = admin.store.erasure(id).await?;
    let found = found.filter(|erasure| reach.sees(erasure.tenant.as_ref()));
    let detail = || format!("the gateway has no erasure `{id}`");
    found.map(Json).ok_or_else(|| Problem::new(Kind::NotFound, detail()))
}
