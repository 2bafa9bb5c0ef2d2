//! Deliveries: their list, each with its attempts, and what is done to one: it is tried again, or
//! given up.
//!
//! Each is shown with its endpoint as that is now. Never shows a body.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use serde_json::json;

use super::audit::{self, Changed};
use super::bodies::{NO_BODY, check_empty};
use super::delivered::{DeliveryEndpoint, DeliveryView, ListedDelivery};
use super::items::found;
use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::path::{DELIVERY_ID, Segment};
use super::problem::Kind;
use super::query::{self, DeliveriesQuery, NamedEndpoint};
use super::reach::Reach;
use super::schema::Schemas;
use super::{Admin, Problem, idempotency, own};
use crate::failure::Reason;
use crate::ids::{Id, IdKind, Name};
use crate::store::{self, Discarded, Listing, Of};
use crate::token::Scope;

/// What may be wrong with a request to try a delivery again.
const PROBLEMS: &[Kind] = &[
    Kind::InvalidId,
    Kind::MalformedBody,
    Kind::NotFound,
    Kind::BodyTimeout,
    Kind::BodyTooLarge,
    Kind::InvalidBody,
    Kind::Damaged,
];

pub(super) static OPERATIONS: [Operation; 4] = [
    Operation {
        path: "/v1/deliveries",
        id: "listDeliveries",
        summary: "Lists deliveries, those of the newest events and parcels first.",
        parameters: &[
            query::ENDPOINT,
            query::STATE,
            query::REASON_OF,
            query::TYPE,
            query::SUBJECT,
            query::TENANT,
            query::AFTER,
            query::BEFORE,
            query::CURSOR,
            query::LIMIT,
        ],
        answers: &[Answer::ok("A page of deliveries.", Schemas::of::<Listing<ListedDelivery>>)],
        problems: &[Kind::InvalidParameter, Kind::ForeignCursor],
        handler: || get(list),
        ..DELIVERY
    },
    Operation {
        path: "/v1/deliveries/{id}",
        id: "getDelivery",
        summary: "Shows a delivery with its attempts and its event.",
        problems: &[Kind::InvalidId, Kind::NotFound, Kind::Damaged],
        handler: || get(show),
        ..DELIVERY
    },
    Operation {
        verb: Verb::Post,
        path: "/v1/deliveries/{id}/retry",
        id: "retryDelivery",
        summary: "Tries a delivery now that waits for its next attempt, and one again that ended.",
        need: Need::Scope(Scope::Replay),
        parameters: &[DELIVERY_ID, idempotency::KEY],
        body: Some(NO_BODY),
        problems: PROBLEMS,
        handler: || post(retry),
        ..DELIVERY
    },
    Operation {
        verb: Verb::Post,
        path: "/v1/deliveries/{id}/discard",
        id: "discardDelivery",
        summary: "Ends a delivery that waits, without an attempt: it becomes a dead letter.",
        need: Need::Scope(Scope::Write),
        parameters: &[DELIVERY_ID, idempotency::KEY],
        body: Some(NO_BODY),
        problems: &[
            Kind::InvalidId,
            Kind::MalformedBody,
            Kind::NotFound,
            Kind::BodyTimeout,
            Kind::NotPending,
            Kind::BodyTooLarge,
            Kind::InvalidBody,
            Kind::Damaged,
        ],
        handler: || post(discard),
        ..DELIVERY
    },
];

/// What is the same for most of them.
const DELIVERY: Operation = Operation {
    verb: Verb::Get,
    path: "",
    id: "",
    summary: "",
    need: Need::Scope(Scope::Read),
    tenants: Tenants::Own,
    turn: Turn::Shared,
    parameters: &[DELIVERY_ID],
    body: None,
    answers: &[Answer::ok("The delivery.", Schemas::of::<Of<DeliveryView>>)],
    problems: &[],
    handler: || get(show),
};

/// What deliveries call the endpoint.
pub(super) fn key(admin: &Admin, endpoint: NamedEndpoint) -> Name {
    match endpoint {
        NamedEndpoint::Name(name) => name,
        NamedEndpoint::Id(id) => {
            let listed = admin.directory.by_id(id);
            listed.map_or_else(|| id.key(), |listed| listed.endpoint.key.clone())
        }
    }
}

async fn list(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    DeliveriesQuery { endpoint, mut filter, page }: DeliveriesQuery,
) -> Result<Json<Listing<ListedDelivery>>, Problem> {
    filter.endpoint = endpoint.map(|endpoint| key(&admin, endpoint));
    let Listing { items, damaged, next } = own::deliveries(&admin, &reach, filter, page).await?;
    let items = items.into_iter().map(|summary| ListedDelivery::of(&admin, summary)).collect();
    Ok(Json(Listing { items, damaged, next }))
}

/// The delivery of this id, if it is within reach.
pub(super) async fn delivery(
    admin: &Admin,
    reach: &Reach,
    id: Id,
) -> Result<Json<Of<DeliveryView>>, Problem> {
    let delivery = admin.store.delivery(id).await?;
    let own = delivery.and_then(|delivery| own::delivery(admin, reach, delivery));
    let shown = |it: store::DeliveryView| it.to(|key| DeliveryEndpoint::of(admin, key, id.tag));
    found(id, own.map(|own| own.map(shown)))
}

async fn show(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
) -> Result<Json<Of<DeliveryView>>, Problem> {
    delivery(&admin, &reach, segment.id(IdKind::Delivery)?).await
}

/// The id of a delivery that whoever asks may act on, with a body that says nothing.
async fn acted_on(
    admin: &Admin,
    reach: &Reach,
    segment: &Segment,
    body: Body,
) -> Result<Id, Problem> {
    let id = segment.id(IdKind::Delivery)?;
    // Only of its own does it learn more than that there is no such delivery.
    drop(delivery(admin, reach, id).await?);
    check_empty(&admin.turns.read(body).await?)?;
    Ok(id)
}

async fn retry(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
    body: Body,
) -> Changed<Of<DeliveryView>> {
    let id = acted_on(&admin, &reach, &segment, body).await?;
    let replayed = admin.store.replay(vec![id]).await?;
    let change = audit::after(&json!({ "ids": [id], "replayed": replayed }));
    Ok((change, delivery(&admin, &reach, id).await?))
}

async fn discard(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
    body: Body,
) -> Changed<Of<DeliveryView>> {
    let id = acted_on(&admin, &reach, &segment, body).await?;
    let refused = match admin.store.discard(id).await? {
        Discarded::Ended => None,
        Discarded::InFlight => Some("is being attempted: wait for its outcome"),
        Discarded::Finished => Some("has ended already"),
    };
    if let Some(why) = refused {
        return Err(Problem::new(Kind::NotPending, format!("{id} {why}")));
    }
    let Json(now) = delivery(&admin, &reach, id).await?;
    let state = now.work.progress.state;
    let change = audit::after(&json!({ "id": id, "state": state, "reason": Reason::Discarded }));
    Ok((change, Json(now)))
}
