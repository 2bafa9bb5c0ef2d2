//! The dead letters by why they died: how many there are, and how much money they hold up.
//!
//! The store counts the newest for a bounded time. Never lists letters: that is the list's.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::get;

use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::problem::Kind;
use super::query::{self, DeadQuery};
use super::reach::Reach;
use super::schema::Schemas;
use super::{Admin, Problem, own};
use crate::store::DeadReasons;
use crate::token::Scope;

pub(super) static OPERATIONS: [Operation; 1] = [Operation {
    verb: Verb::Get,
    path: "/v1/dead/reasons",
    id: "countDeadLetters",
    summary: "Counts the newest dead letters by kind and reason, with the money of their events.",
    need: Need::Scope(Scope::Read),
    tenants: Tenants::Own,
    turn: Turn::Shared,
    parameters: &[query::KIND, query::NAME, query::REASON, query::TENANT],
    body: None,
    answers: &[Answer::ok("The dead letters by reason.", Schemas::of::<DeadReasons>)],
    problems: &[Kind::InvalidParameter],
    handler: || get(reasons),
}];

async fn reasons(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    DeadQuery(filter, _): DeadQuery,
) -> Result<Json<DeadReasons>, Problem> {
    Ok(Json(own::reasons(&admin, &reach, filter).await?))
}
