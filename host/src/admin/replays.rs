//! What operators ask to do again, by ids or by a filter, and how far the latter is.
//!
//! Asks the store for all of it. Never waits for the end of a replay by filter.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::query::ReplayBody;
use super::{Admin, Problem, found, id_of};
use crate::ids::IdKind;

pub(super) async fn replay(
    State(admin): State<Arc<Admin>>,
    body: Body,
) -> Result<Response, Problem> {
    Ok(match ReplayBody::parse(&admin.turns.read(body).await?)? {
        ReplayBody::Ids(ids) => Json(admin.store.replay(ids).await?).into_response(),
        // The gateway goes on with it, whoever hangs up.
        ReplayBody::Filter(filter) => {
            let begun = admin.store.begin_replay(filter).await?;
            (StatusCode::ACCEPTED, Json(begun)).into_response()
        }
    })
}

pub(super) async fn progress(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id_of(&id, IdKind::Replay)?;
    Ok(found(id, admin.store.replay_progress(id).await?)?.into_response())
}

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Result<Response, Problem> {
    let replays = admin.store.replays().await?;
    Ok(Json(serde_json::json!({ "replays": replays })).into_response())
}

pub(super) async fn cancel(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id_of(&id, IdKind::Replay)?;
    Ok(found(id, admin.store.cancel_replay(id).await?)?.into_response())
}
