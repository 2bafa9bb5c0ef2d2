//! A delivery as operators see it, by itself, of an event, in a list and on a stream: with its
//! endpoint as that is now, in one shape.
//!
//! Never decides who may see one, and never shows a body.

use serde::Serialize;

use super::Admin;
use crate::event::Timestamp;
use crate::failure::{Phase, Reason};
use crate::ids::{Id, Name};
use crate::store::{
    self, AttemptView, DamagedItem, DeliverySummary, EventBody, LastAttempt, Progressed, RunView,
};
use crate::tenant::Tenant;
use crate::trace_context::TraceId;

/// A delivery with its attempts.
pub(super) type DeliveryView = store::DeliveryView<DeliveryEndpoint>;

/// An event with its runs and deliveries.
pub(super) type EventView = store::EventView<DeliveryEndpoint>;

/// A delivery in a list.
#[derive(Serialize)]
pub(super) struct ListedDelivery {
    id: Id,
    endpoint: DeliveryEndpoint,
    event_id: Id,
    #[serde(rename = "type")]
    event_type: Option<String>,
    subject: Option<String>,
    tenant: Option<Tenant>,
    state: store::State,
    reason: Option<Reason>,
    tries_made: u32,
    retry_at: Option<Timestamp>,
    recorded_at: Timestamp,
    last_attempt: Option<LastAttempt>,
}

/// The endpoint of a delivery, as it is now.
#[derive(Serialize)]
pub(super) struct DeliveryEndpoint {
    id: Id,
    name: Name,
    tenant: Option<Tenant>,
    deleted: bool,
}

object! {
    /// A delivery in a list.
    ListedDelivery {
        id: Id,
        endpoint: DeliveryEndpoint,
        /// The event that it is about.
        event_id: Id,
        /// The type of the event, if the event is kept.
        event_type as "type": Option<String>,
        /// The business entity that the event is about.
        subject: Option<String>,
        /// Whose event it is.
        tenant: Option<Tenant>,
        state: store::State,
        /// Why it is dead, if it is.
        reason: Option<Reason>,
        /// Attempts since it was opened or reopened.
        tries_made: u32,
        /// Not tried before this time.
        retry_at: Option<Timestamp>,
        /// When the gateway stored it.
        recorded_at: Timestamp,
        /// How the last attempt went, or what ended the delivery without one.
        last_attempt: Option<LastAttempt>,
    }
}

object! {
    /// The endpoint that a delivery goes to.
    DeliveryEndpoint {
        id: Id,
        name: Name,
        /// Whose endpoint it is; null for the operator's.
        tenant: Option<Tenant>,
        /// Whether somebody has deleted this endpoint.
        deleted: bool,
    }
}

object! {
    /// The last attempt of a delivery.
    LastAttempt {
        /// When it began.
        at: Timestamp,
        /// The status of the answer, if one came.
        status: Option<u16>,
        /// The phase that it ended in.
        phase: Option<Phase>,
        /// Why it failed, if it did.
        reason: Option<Reason>,
    }
}

object! {
    /// An event or a parcel that goes to an endpoint.
    DeliveryView {
        id: Id,
        endpoint: DeliveryEndpoint,
        /// The run that asked for this delivery; none if the event itself is delivered.
        [maybe] run: Option<Id>,
        [flat] progress: Progressed,
        /// Oldest first.
        attempts: Vec<AttemptView>,
    }
}

object! {
    /// An event with its runs and deliveries.
    EventView {
        id: Id,
        event: EventBody,
        /// The receipt that it goes back to.
        receipt as "receipt_id": Option<Id>,
        /// The run that emitted it.
        cause: Option<Id>,
        /// The number of runs between it and a receipt.
        depth: u8,
        /// The trace that it is in, if what brought it has one. An emitted event has its own.
        [maybe] trace_id: Option<TraceId>,
        /// Whose it is.
        [maybe] tenant: Option<Tenant>,
        /// When the gateway stored it.
        recorded_at: Timestamp,
        /// Of all runs and deliveries shown here.
        state: store::State,
        /// Whether all that it said is erased.
        [maybe] erased: bool,
        /// One for each handler.
        runs: Vec<RunView>,
        /// One for each endpoint that it was routed to, and one for each parcel that a run sent.
        deliveries: Vec<DeliveryView>,
        /// Deliveries that can't be read.
        [maybe] damaged: Vec<DamagedItem>,
    }
}

impl ListedDelivery {
    pub(super) fn of(admin: &Admin, summary: DeliverySummary) -> Self {
        let DeliverySummary { id, endpoint, event_id, event_type, subject, tenant, .. } = summary;
        Self {
            id,
            endpoint: DeliveryEndpoint::of(admin, endpoint, id.tag),
            event_id,
            event_type,
            subject,
            tenant,
            state: summary.state,
            reason: summary.reason,
            tries_made: summary.tries_made,
            retry_at: summary.retry_at,
            recorded_at: summary.recorded_at,
            last_attempt: summary.last_attempt,
        }
    }
}

impl DeliveryEndpoint {
    /// The endpoint that deliveries of the store with this tag call so.
    pub(super) fn of(admin: &Admin, key: Name, tag: u32) -> Self {
        match admin.directory.get(&key) {
            Some(listed) => Self {
                id: listed.endpoint.id,
                name: listed.endpoint.settings.name.clone(),
                tenant: listed.endpoint.settings.tenant.clone(),
                deleted: listed.deleted.is_some(),
            },
            None => {
                let id = key.endpoint_id().unwrap_or_else(|| Id::endpoint_of(&key, tag));
                Self { id, name: key, tenant: None, deleted: true }
            }
        }
    }
}
