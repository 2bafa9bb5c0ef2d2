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
use super::operation::{Answer, Content, Need, Operation, Turn, Verb};
use super::path::{REPLAY_ID, Segment};
use super::problem::Kind;
use super::schema::Schemas;
use super::{Admin, Problem, idempotency};
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

async fn replay(State(admin): State<Arc<Admin>>, body: Body) -> Result<Response, Problem> {
    Ok(match ReplayBody::parse(&admin.turns.read(body).await?)? {
        ReplayBody::Ids(ids) => {
            let replayed = admin.store.replay(ids.clone()).await?;
            let after = audit::after(&json!({ "ids": ids, "replayed": replayed }));
            (after, Json(replayed)).into_response()
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
    segment: Segment,
) -> Result<Json<Replay>, Problem> {
    let id = segment.id(IdKind::Replay)?;
    found(id, admin.store.replay_progress(id).await?)
}

async fn list(State(admin): State<Arc<Admin>>) -> Result<Json<Replays>, Problem> {
    Ok(Json(Replays { replays: admin.store.replays().await? }))
}

async fn cancel(
    State(admin): State<Arc<Admin>>,
    segment: Segment,
) -> Result<(Extension<Change>, Json<Replay>), Problem> {
    let id = segment.id(IdKind::Replay)?;
    let Json(canceled) = found(id, admin.store.cancel_replay(id).await?)?;
    Ok((audit::after(&canceled), Json(canceled)))
}
