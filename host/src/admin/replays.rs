//! What operators ask to do again, by ids or by a filter, and how far the latter is.
//!
//! Asks the store for all of it. Never waits for the end of a replay by filter, and begins none for
//! a token with a tenant that reaches beyond one of its endpoints.

mod body;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use serde::Serialize;
use serde_json::json;

use self::body::{Bulk, Draft, Endpoint, ReplayBody};
use super::audit::{self, Changed};
use super::bodies::{NO_BODY, check_empty};
use super::items::found;
use super::operation::{self, Answer, Content, Need, Operation, Tenants, Turn, Verb};
use super::path::{REPLAY_ID, Segment};
use super::problem::Kind;
use super::reach::Reach;
use super::schema::Schemas;
use super::{Admin, Problem, idempotency, own};
use crate::ids::{Id, IdKind, Name};
use crate::store::{NewReplay, Preview, Replay, ReplayChange, ReplayFilter, Replayed, WorkKind};
use crate::token::Scope;

/// For so long the gateway counts what a replay is for before it begins it.
const COUNT_TIME: Duration = Duration::from_millis(500);

/// What may be wrong with the body of a replay.
const WRONG: &[Kind] = &[
    Kind::MalformedBody,
    Kind::OperatorOnly,
    Kind::NotFound,
    Kind::BodyTimeout,
    Kind::BodyTooLarge,
    Kind::InvalidBody,
    Kind::TooManyReplays,
];

/// What becomes of a replay that is not finished.
macro_rules! act {
    ($path:literal, $id:literal, $summary:literal, $change:ident) => {
        Operation {
            verb: Verb::Post,
            path: concat!("/v1/replays/{id}/", $path),
            id: $id,
            summary: $summary,
            need: Need::Scope(Scope::Replay),
            tenants: Tenants::Own,
            turn: Turn::Shared,
            parameters: &[REPLAY_ID, idempotency::KEY],
            body: Some(NO_BODY),
            answers: &[Answer::ok("How far the replay came.", Schemas::of::<Replay>)],
            problems: &[
                Kind::InvalidId,
                Kind::MalformedBody,
                Kind::NotFound,
                Kind::BodyTimeout,
                Kind::BodyTooLarge,
                Kind::InvalidBody,
            ],
            handler: || act(ReplayChange::$change),
        }
    };
}

pub(super) static OPERATIONS: [Operation; 8] = [
    Operation {
        verb: Verb::Post,
        path: "/v1/replay",
        id: "replay",
        summary: "Does work again: of the given ids at once, or all that a filter matches, which \
                  then goes on by itself.",
        need: Need::Scope(Scope::Replay),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[idempotency::KEY],
        body: Some(operation::Body::json(body::replay)),
        answers: &[
            Answer::ok("What the replay of these ids came to.", Schemas::of::<Replayed>),
            Answer {
                status: 202,
                said: "The replay by filter is stored, and goes on.",
                content: Content::Json(Schemas::of::<Replay>),
            },
        ],
        problems: WRONG,
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
        verb: Verb::Post,
        path: "/v1/replays",
        id: "beginReplay",
        summary: "Begins a replay by filter, or says what it would come to.",
        need: Need::Scope(Scope::Replay),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[idempotency::KEY],
        body: Some(operation::Body::json(body::bulk)),
        answers: &[
            Answer::ok("What it would come to: the answer to a preview.", Schemas::of::<Preview>),
            Answer {
                status: 202,
                said: "The replay is stored, and goes on.",
                content: Content::Json(Schemas::of::<Replay>),
            },
        ],
        problems: WRONG,
        handler: || post(begin),
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
    act!("pause", "pauseReplay", "Has a replay by filter stand still where it is.", Pause),
    act!("resume", "resumeReplay", "Has a paused replay by filter go on.", Resume),
    act!("cancel", "endReplay", "Ends a replay by filter where it is, as DELETE does.", Cancel),
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
        ReplayBody::Filter(draft) => {
            let filter = within(&admin, &reach, draft)?;
            begun(&admin, filter, None).await?
        }
    })
}

async fn begin(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    body: Body,
) -> Result<Response, Problem> {
    let Bulk { draft, rate, preview } = Bulk::parse(&admin.turns.read(body).await?)?;
    let filter = within(&admin, &reach, draft)?;
    if !preview {
        return begun(&admin, filter, rate).await;
    }
    let preview = admin.store.preview_replay(filter).await?;
    Ok((audit::after(&json!({ "preview": preview.matches })), Json(preview)).into_response())
}

/// Begins a replay. The gateway goes on with it, whoever hangs up.
async fn begun(
    admin: &Admin,
    filter: ReplayFilter,
    rate: Option<u32>,
) -> Result<Response, Problem> {
    let total = admin.store.count_for_replay(filter.clone(), COUNT_TIME).await?;
    let begun = admin.store.begin_replay(NewReplay { filter, rate, total }).await?;
    Ok((StatusCode::ACCEPTED, audit::after(&begun), Json(begun)).into_response())
}

/// The filter of a replay, if whoever asks may begin one by it. A token with a tenant reaches the
/// deliveries to one of its endpoints: all else would do the operator's work again.
fn within(admin: &Admin, reach: &Reach, draft: Draft) -> Result<ReplayFilter, Problem> {
    let Draft { mut filter, endpoint } = draft;
    filter.endpoint = endpoint.as_ref().map(|it| key(admin, reach, it)).transpose()?;
    if reach.is_all() {
        return Ok(filter);
    }
    let refused = |detail: &str| Err(Problem::new(Kind::OperatorOnly, detail));
    let Ok(tenant) = reach.narrowed(filter.events.tenant.take()) else {
        return refused("the token is for another tenant");
    };
    if filter.endpoint.is_none() {
        return refused("a token with a tenant replays by `ids`, or to one `endpoint` of its own");
    }
    if filter.kind.is_some_and(|kind| kind != WorkKind::Delivery) {
        return refused("a token with a tenant replays deliveries alone");
    }
    (filter.events.tenant, filter.kind) = (tenant, Some(WorkKind::Delivery));
    Ok(filter)
}

/// What deliveries to an endpoint name, if it is within reach. To the operator also one that the
/// configuration no longer has.
fn key(admin: &Admin, reach: &Reach, endpoint: &Endpoint) -> Result<Name, Problem> {
    let listed = match endpoint {
        Endpoint::Id(id) => admin.directory.by_id(*id),
        Endpoint::Name(name) => admin.directory.get(name),
    };
    match (listed, endpoint) {
        (Some(listed), _) if reach.sees(listed.endpoint.settings.tenant.as_ref()) => {
            Ok(listed.endpoint.key.clone())
        }
        (None, Endpoint::Name(name)) if reach.is_all() => Ok(name.clone()),
        (_, endpoint) => {
            let detail = format!("the gateway has no endpoint `{endpoint}`");
            Err(Problem::new(Kind::NotFound, detail))
        }
    }
}

async fn progress(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
) -> Result<Json<Replay>, Problem> {
    let id = segment.id(IdKind::Replay)?;
    let replay = admin.store.replay_progress(id).await?;
    found(id, replay.filter(|replay| is_seen(&reach, replay)))
}

async fn list(State(admin): State<Arc<Admin>>, reach: Reach) -> Result<Json<Replays>, Problem> {
    let mut replays = admin.store.replays().await?;
    replays.retain(|replay| is_seen(&reach, replay));
    Ok(Json(Replays { replays }))
}

fn is_seen(reach: &Reach, replay: &Replay) -> bool {
    reach.sees(replay.filter.events.tenant.as_ref())
}

/// The id of a replay that whoever asks may change.
async fn changeable(admin: &Admin, reach: &Reach, segment: &Segment) -> Result<Id, Problem> {
    let id = segment.id(IdKind::Replay)?;
    if !reach.is_all() {
        // Only of its own does it learn more than that there is no such replay. What the operator
        // began for it may also do handlers' work: that is the operator's to change.
        let replay = admin.store.replay_progress(id).await?;
        let is_own = |it: &Replay| is_seen(reach, it) && it.filter.kind == Some(WorkKind::Delivery);
        drop(found(id, replay.filter(is_own))?);
    }
    Ok(id)
}

fn changed(id: Id, replay: Option<Replay>) -> Changed<Replay> {
    let Json(replay) = found(id, replay)?;
    Ok((audit::after(&replay), Json(replay)))
}

async fn cancel(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
) -> Changed<Replay> {
    let id = changeable(&admin, &reach, &segment).await?;
    changed(id, admin.store.change_replay(id, ReplayChange::Cancel).await?)
}

/// Answers an act that changes a replay so.
fn act(change: ReplayChange) -> MethodRouter<Arc<Admin>> {
    post(move |admin, reach, segment, body| change_to(admin, reach, segment, body, change))
}

async fn change_to(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
    body: Body,
    change: ReplayChange,
) -> Changed<Replay> {
    let id = changeable(&admin, &reach, &segment).await?;
    check_empty(&admin.turns.read(body).await?)?;
    changed(id, admin.store.change_replay(id, change).await?)
}
