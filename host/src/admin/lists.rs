//! The lists that operators look through: events, receipts, dead letters, hours.
//!
//! Each asks the store for one page. Never looks at one item alone.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::problem::Kind;
use super::query::{self, DeadQuery, ListQuery, ReceiptsQuery, TimesQuery};
use super::reach::Reach;
use super::schema::Schemas;
use super::{Admin, Problem, own};
use crate::store::{DeadLetter, EventSummary, Hour, Listing, ReceiptSummary};
use crate::token::Scope;

/// What may be wrong with a question for a page.
const PROBLEMS: &[Kind] = &[Kind::InvalidParameter, Kind::ForeignCursor];

pub(super) static OPERATIONS: [Operation; 4] = [
    Operation {
        verb: Verb::Get,
        path: "/v1/events",
        id: "listEvents",
        summary: "Lists events, newest first.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[
            query::SOURCE,
            query::TYPE,
            query::SUBJECT,
            query::TENANT,
            query::STATE,
            query::AFTER,
            query::BEFORE,
            query::CURSOR,
            query::LIMIT,
        ],
        body: None,
        answers: &[Answer::ok("A page of events.", Schemas::of::<Listing<EventSummary>>)],
        problems: PROBLEMS,
        handler: || get(events),
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/receipts",
        id: "listReceipts",
        summary: "Lists accepted requests, newest first.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[
            query::SOURCE,
            query::STATE,
            query::AFTER,
            query::BEFORE,
            query::CURSOR,
            query::LIMIT,
        ],
        body: None,
        answers: &[Answer::ok("A page of receipts.", Schemas::of::<Listing<ReceiptSummary>>)],
        problems: PROBLEMS,
        handler: || get(receipts),
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/dead",
        id: "listDeadLetters",
        summary: "Lists dead letters, those of the newest receipts, runs and deliveries first.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[
            query::KIND,
            query::NAME,
            query::REASON,
            query::TENANT,
            query::CURSOR,
            query::LIMIT,
        ],
        body: None,
        answers: &[Answer::ok("A page of dead letters.", Schemas::of::<Listing<DeadLetter>>)],
        problems: PROBLEMS,
        handler: || get(dead),
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/hours",
        id: "listHours",
        summary: "Counts what came in each hour, oldest first: at most the last 744 hours.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[query::AFTER, query::BEFORE],
        body: None,
        answers: &[Answer::ok("The hours that have something.", Schemas::of::<Hours>)],
        problems: &[Kind::InvalidParameter],
        handler: || get(hours),
    },
];

/// What came in each hour.
#[derive(Serialize)]
struct Hours {
    hours: Vec<Hour>,
}

object! {
    /// What came in each hour.
    Hours {
        /// Oldest first.
        hours: Vec<Hour>,
    }
}

async fn events(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    ListQuery(mut filter, page): ListQuery,
) -> Result<Json<Listing<EventSummary>>, Problem> {
    let Ok(tenant) = reach.narrowed(filter.tenant.take()) else {
        return Ok(Json(own::nothing()));
    };
    filter.tenant = tenant;
    filter.counted = own::endpoints(&admin, &reach);
    Ok(Json(own::summaries(&reach, admin.store.events(&filter, page).await?)))
}

async fn receipts(
    State(admin): State<Arc<Admin>>,
    ReceiptsQuery(filter, page): ReceiptsQuery,
) -> Result<Json<Listing<ReceiptSummary>>, Problem> {
    Ok(Json(admin.store.receipts(&filter, page).await?))
}

async fn dead(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    DeadQuery(filter, page): DeadQuery,
) -> Result<Json<Listing<DeadLetter>>, Problem> {
    Ok(Json(own::letters(&admin, &reach, filter, page).await?))
}

async fn hours(
    State(admin): State<Arc<Admin>>,
    TimesQuery(after, before): TimesQuery,
) -> Result<Json<Hours>, Problem> {
    Ok(Json(Hours { hours: admin.store.hours(after, before).await? }))
}
