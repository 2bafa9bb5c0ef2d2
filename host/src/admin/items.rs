//! One thing with its history: an event, a receipt, a run. A delivery is shown beside its list.
//!
//! What carries credentials loses them here. Never lists anything.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use super::delivered::{DeliveryEndpoint, EventView};
use super::operation::{Answer, Need, Operation, Parameter, Tenants, Turn, Verb};
use super::path::{EVENT_ID, RECEIPT_ID, RUN_ID, Segment};
use super::problem::Kind;
use super::reach::Reach;
use super::redact;
use super::schema::Schemas;
use super::{Admin, Problem, own};
use crate::ids::{Id, IdKind};
use crate::store::{self, Of, ReceiptView, RunView};
use crate::token::Scope;

pub(super) static OPERATIONS: [Operation; 3] = [
    Operation {
        path: "/v1/events/{id}",
        id: "getEvent",
        summary: "Shows an event with its receipt, runs, deliveries and attempts.",
        tenants: Tenants::Own,
        parameters: &[EVENT_ID],
        answers: &[Answer::ok("The event.", Schemas::of::<EventPage>)],
        handler: || get(event),
        ..ITEM
    },
    Operation {
        path: "/v1/receipts/{id}",
        id: "getReceipt",
        summary: "Shows an accepted request with its parse, without credentials.",
        tenants: Tenants::Operator,
        parameters: &[RECEIPT_ID],
        answers: &[Answer::ok("The receipt.", Schemas::of::<ReceiptView>)],
        handler: || get(receipt),
        ..ITEM
    },
    Operation {
        path: "/v1/runs/{id}",
        id: "getRun",
        summary: "Shows a run with its tries and its event.",
        tenants: Tenants::Operator,
        parameters: &[RUN_ID],
        answers: &[Answer::ok("The run.", Schemas::of::<Of<RunView>>)],
        handler: || get(run),
        ..ITEM
    },
];

/// What is the same for all of them.
const ITEM: Operation = Operation {
    verb: Verb::Get,
    path: "",
    id: "",
    summary: "",
    need: Need::Scope(Scope::Read),
    tenants: Tenants::Operator,
    turn: Turn::Shared,
    parameters: NO_PARAMETERS,
    body: None,
    answers: &[],
    problems: &[Kind::InvalidId, Kind::NotFound, Kind::Damaged],
    handler: || get(event),
};

const NO_PARAMETERS: &[Parameter] = &[];

/// An event, and the receipt that it goes back to, as far as that is still kept.
#[derive(Serialize)]
struct EventPage {
    #[serde(flatten)]
    event: EventView,
    receipt: Option<ReceiptView>,
}

object! {
    /// An event, and the receipt that it goes back to.
    EventPage {
        [flat] event: EventView,
        /// As far as it is still kept.
        receipt: Option<ReceiptView>,
    }
}

/// What the store has under an id, if it has anything.
pub(super) fn found<T>(id: Id, view: Option<T>) -> Result<Json<T>, Problem> {
    let missing = || Problem::new(Kind::NotFound, format!("the store has no {id}"));
    view.map(Json).ok_or_else(missing)
}

async fn event(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
) -> Result<Json<EventPage>, Problem> {
    let id = segment.id(IdKind::Event)?;
    let event = admin.store.event(id).await?;
    // Without its receipt, unless that is within reach too.
    let event = event.and_then(|event| own::event(&admin, &reach, event));
    let from = event.as_ref().and_then(|event| event.receipt);
    let receipt = match from {
        None => None,
        Some(from) => match admin.store.receipt(from).await {
            // The event names it; what it was is at its own path.
            Err(store::Error::Damaged(_)) => None,
            receipt => receipt?,
        },
    };
    let receipt = receipt.map(redact::credentials);
    let event = event.map(|it| it.to(|key| DeliveryEndpoint::of(&admin, key, id.tag)));
    found(id, event.map(|event| EventPage { event, receipt }))
}

async fn receipt(
    State(admin): State<Arc<Admin>>,
    segment: Segment,
) -> Result<Json<ReceiptView>, Problem> {
    let id = segment.id(IdKind::Receipt)?;
    let receipt = admin.store.receipt(id).await?;
    found(id, receipt.map(redact::credentials))
}

async fn run(
    State(admin): State<Arc<Admin>>,
    segment: Segment,
) -> Result<Json<Of<RunView>>, Problem> {
    let id = segment.id(IdKind::Run)?;
    found(id, admin.store.run(id).await?)
}
