//! The request of a delivery's attempt: where it goes, and with which headers.
//!
//! The store keeps none, so whoever makes the attempts makes it again, with the settings and
//! secrets of now; the answer says so. Never shows a signature, a credential or a body.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use super::deliveries::delivery;
use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::path::{DELIVERY_ID, Segment};
use super::problem::Kind;
use super::reach::Reach;
use super::schema::Schemas;
use super::{Admin, Problem};
use crate::event::Timestamp;
use crate::ids::{Id, IdKind};
use crate::store;
use crate::token::Scope;

pub(super) static OPERATIONS: [Operation; 1] = [Operation {
    verb: Verb::Get,
    path: "/v1/deliveries/{id}/request",
    id: "getDeliveryRequest",
    summary: "Shows the request that the last attempt of a delivery has made, or that the first \
              would make: made again with the settings of now, without signatures and credentials.",
    need: Need::Scope(Scope::Read),
    tenants: Tenants::Own,
    turn: Turn::Shared,
    parameters: &[DELIVERY_ID],
    body: None,
    answers: &[Answer::ok("The request.", Schemas::of::<DeliveryRequest>)],
    problems: &[Kind::InvalidId, Kind::NotFound, Kind::Damaged],
    handler: || get(show),
}];

/// A request that is made again; or why it can't be, for people.
pub(crate) type Remade = Result<Result<SentRequest, String>, store::Error>;

/// Makes the request of a delivery's attempt at a time, or now, again.
type Remakes =
    dyn Fn(Id, Option<Timestamp>) -> Pin<Box<dyn Future<Output = Remade> + Send>> + Send + Sync;

/// Makes requests of attempts again.
#[derive(Clone)]
pub(crate) struct Requests(pub(crate) Arc<Remakes>);

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Requests(..)")
    }
}

/// The request of a delivery.
#[derive(Serialize)]
struct DeliveryRequest {
    attempt_at: Option<Timestamp>,
    request: Option<SentRequest>,
    reason: Option<String>,
}

object! {
    /// The request of a delivery's last attempt, made again.
    DeliveryRequest {
        /// When that attempt began; null if there is none, and then the request is one of now.
        attempt_at: Option<Timestamp>,
        /// The request, as the gateway makes it with the settings of now; null if it can't.
        request: Option<SentRequest>,
        /// Why it can't.
        reason: Option<String>,
    }
}

/// A request as people may see it.
#[derive(Debug, Serialize)]
pub(crate) struct SentRequest {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) headers: Vec<SentHeader>,
    pub(crate) body_bytes: u64,
}

object! {
    /// A request as the gateway makes it.
    SentRequest {
        /// `POST`.
        method: &'static str,
        /// Of an endpoint of the configuration, without what may be a credential.
        url: String,
        /// Those of the delivery and of the endpoint's settings, without `traceparent` and those
        /// that every request has.
        headers: Vec<SentHeader>,
        /// The size of the body.
        body_bytes: u64,
    }
}

/// A header of it.
#[derive(Debug, Serialize)]
pub(crate) struct SentHeader {
    pub(crate) name: String,
    pub(crate) value: String,
}

object! {
    /// A header of a request.
    SentHeader {
        name: String,
        /// `(hidden)` in place of a credential, and of each signature behind its version.
        value: String,
    }
}

async fn show(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
) -> Result<Json<DeliveryRequest>, Problem> {
    let id = segment.id(IdKind::Delivery)?;
    let Json(delivery) = delivery(&admin, &reach, id).await?;
    let attempt_at = delivery.work.attempts.last().map(|attempt| attempt.at);
    let (request, reason) = match (admin.requests.0)(id, attempt_at).await? {
        Ok(request) => (Some(request), None),
        Err(why) => (None, Some(why)),
    };
    Ok(Json(DeliveryRequest { attempt_at, request, reason }))
}
