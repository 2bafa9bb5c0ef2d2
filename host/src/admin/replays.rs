//! What operators ask to do again, by ids or by a filter, and how far the latter is.
//!
//! Asks the store for all of it. Never waits for the end of a replay by filter.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::json;

use super::audit::{self, Change};
use super::bodies::{REPLAY_BODY, ReplayBody};
use super::items::found;
use super::operation::{Answer, Content, Need, Operation, Tenants, Turn, Verb};
use super::path::{REPLAY_ID, Segment};
use super::problem::Kind;
use super::reach::Reach;
use super::schema::Schemas;
use super::{Admin, Problem, idempotency, own};
use crate::ids::IdKind;
use crate::store::{Replay, Replayed};
use crate::token::Scope;

pub(super) static OPERATIONS: [Operation; 4] = [
    Operation {
        verb: Verb::Post,
        path: "/v1/replay",
        id: "replay",
        summary: "Does work again: of the given ids at once, or of all events that a filter \
                  matches, which then goes on by itself.",
        need: Need::Scope(Scope::Replay),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[idempotency::KEY],
        body: Some(REPLAY_BODY),
        answers: &[
            Answer::ok("What the replay of these ids came to.", Schemas::of::<Replayed>),
            Answer {
                status: 202,
                said: "The replay by filter is stored, and goes on.",
                content: Content::Json(Schemas::of::<Replay>),
            },
        ],
        problems: &[
            Kind::MalformedBody,
            Kind::OperatorOnly,
            Kind::NotFound,
            Kind::BodyTimeout,
            Kind::BodyTooLarge,
            Kind::InvalidBody,
            Kind::TooManyReplays,
        ],
        handler: || post(replay),
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/replays",
        id: "listReplays",
        summary: "Lists replays by filter, newest first: all that are not finished, and the last \
                  100 that are.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[],
        body: None,
        answers: &[Answer::ok("The replays.", Schemas::of::<Replays>)],
        problems: &[],
        handler: || get(list),
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/replays/{id}",
        id: "getReplay",
        summary: "Shows how far a replay by filter has come.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[REPLAY_ID],
        body: None,
        answers: &[Answer::ok("The replay.", Schemas::of::<Replay>)],
        problems: &[Kind::InvalidId, Kind::NotFound, Kind::Damaged],
        handler: || get(progress),
    },
    Operation {
        verb: Verb::Delete,
        path: "/v1/replays/{id}",
        id: "cancelReplay",
        summary: "Ends a replay by filter where it is; the work that it reopened stays open.",
        need: Need::Scope(Scope::Replay),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[REPLAY_ID, idempotency::KEY],
        body: None,
        answers: &[Answer::ok("How far the replay came.", Schemas::of::<Replay>)],
        problems: &[Kind::InvalidId, Kind::NotFound],
        handler: || delete(cancel),
    },
];

/// The replays by filter.
#[derive(Serialize)]
struct Replays {
    replays: Vec<Replay>,
}

object! {
    /// The replays by filter that are kept.
    Replays {
        /// Newest first.
        replays: Vec<Replay>,
    }
}

async fn replay(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    body: Body,
) -> Result<Response, Problem> {
    Ok(match ReplayBody::parse(&admin.turns.read(body).await?)? {
        ReplayBody::Ids(ids) => {
            let ids = own::works(&admin, &reach, ids).await?;
            let replayed = admin.store.replay(ids.clone()).await?;
            let after = audit::after(&json!({ "ids": ids, "replayed": replayed }));
            (after, Json(replayed)).into_response()
        }
        // It would do the work of handlers again, and that of all endpoints.
        ReplayBody::Filter(_) if !reach.is_all() => {
            let detail = "a token with a tenant can't begin a replay by filter; give `ids`";
            return Err(Problem::new(Kind::OperatorOnly, detail));
        }
        // The gateway goes on with it, whoever hangs up.
        ReplayBody::Filter(filter) => {
            let begun = admin.store.begin_replay(filter).await?;
            (StatusCode::ACCEPTED, audit::after(&begun), Json(begun)).into_response()
        }
    })
}

async fn progress(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
) -> Result<Json<Replay>, Problem> {
    let id = segment.id(IdKind::Replay)?;
    let replay = admin.store.replay_progress(id).await?;
    found(id, replay.filter(|replay| reach.sees(replay.filter.tenant.as_ref())))
}

async fn list(State(admin): State<Arc<Admin>>, reach: Reach) -> Result<Json<Replays>, Problem> {
    let mut replays = admin.store.replays().await?;
    replays.retain(|replay| reach.sees(replay.filter.tenant.as_ref()));
    Ok(Json(Replays { replays }))
}

async fn cancel(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
) -> Result<(Extension<Change>, Json<Replay>), Problem> {
    let id = segment.id(IdKind::Replay)?;
    if !reach.is_all() {
        // Only of its own does it learn more than that there is no such replay.
        let replay = admin.store.replay_progress(id).await?;
        drop(found(id, replay.filter(|it| reach.sees(it.filter.tenant.as_ref())))?);
    }
    let Json(canceled) = found(id, admin.store.cancel_replay(id).await?)?;
    Ok((audit::after(&canceled), Json(canceled)))
}
