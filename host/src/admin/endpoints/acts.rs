//! What is done to an endpoint beside a change of its settings: it is paused, resumed, disabled and
//! enabled, also one of the configuration, and its secrets rotate.
//!
//! Never shows a secret but in the answer that makes it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::body::{self, Rotate};
use super::shown::{self, Shown, shown};
use super::{found, secrets};
use crate::admin::audit::{self, Changed};
use crate::admin::bodies::{self, NO_BODY, check_empty};
use crate::admin::operation::{self, Answer, Content, Need, Operation, Tenants, Turn, Verb};
use crate::admin::path::{ENDPOINT_ID, Segment};
use crate::admin::problem::Kind;
use crate::admin::reach::Reach;
use crate::admin::schema::Schemas;
use crate::admin::{Admin, Problem, idempotency, redact};
use crate::directory::{DirectoryError, Held};
use crate::effect::Allowance;
use crate::endpoint::{Endpoint, Standing, Status, Why};
use crate::event::{Event, OWN_SOURCE};
use crate::ids::{Id, IdKind, Name};
use crate::store::{EndpointChange, NewEvent, Routes};
use crate::token::Scope;

/// The type of a ping.
const PING: &str = "hookgate.ping";

/// What may be wrong with a request to have an endpoint stand otherwise.
const PROBLEMS: &[Kind] = &[
    Kind::InvalidId,
    Kind::MalformedBody,
    Kind::NotFound,
    Kind::BodyTimeout,
    Kind::Changed,
    Kind::EndpointDeleted,
    Kind::BodyTooLarge,
    Kind::InvalidBody,
];

/// An act that has an endpoint of this status stand as that one; any other stays as it is.
macro_rules! act {
    ($path:literal, $id:literal, $summary:literal, $before:pat => $after:expr) => {
        Operation {
            verb: Verb::Post,
            path: concat!("/v1/endpoints/{id}/", $path),
            id: $id,
            summary: $summary,
            need: Need::Scope(Scope::Write),
            tenants: Tenants::Own,
            turn: Turn::Shared,
            parameters: &[ENDPOINT_ID, idempotency::KEY],
            body: Some(NO_BODY),
            answers: &[Answer::ok("The endpoint as it is now.", Schemas::of::<Shown>)],
            problems: PROBLEMS,
            handler: || act(|before| matches!(before, $before).then_some($after)),
        }
    };
}

pub(in crate::admin) static OPERATIONS: [Operation; 7] = [
    act!(
        "pause",
        "pauseEndpoint",
        "Has the deliveries to an endpoint wait, without a try. A disabled one stays disabled.",
        Status::Enabled => Status::Paused
    ),
    act!(
        "resume",
        "resumeEndpoint",
        "Has the deliveries to a paused endpoint go on. A disabled one stays disabled.",
        Status::Paused => Status::Enabled
    ),
    act!(
        "disable",
        "disableEndpoint",
        "Ends the open deliveries to an endpoint as dead letters, and all new ones.",
        Status::Enabled | Status::Paused => Status::Disabled
    ),
    act!(
        "enable",
        "enableEndpoint",
        "Has deliveries go to an endpoint again.",
        Status::Paused | Status::Disabled => Status::Enabled
    ),
    Operation {
        verb: Verb::Post,
        path: "/v1/endpoints/{id}/ping",
        id: "pingEndpoint",
        summary: "Sends an event of the type hookgate.ping to an endpoint, as any other.",
        need: Need::Scope(Scope::Write),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[ENDPOINT_ID, idempotency::KEY],
        body: Some(NO_BODY),
        answers: &[Answer {
            status: 202,
            said: "The event and its delivery, which the gateway goes on with.",
            content: Content::Json(pinged),
        }],
        problems: PROBLEMS,
        handler: || post(ping),
    },
    Operation {
        verb: Verb::Post,
        path: "/v1/endpoints/{id}/rotate",
        id: "rotateSecret",
        summary: "Gives an endpoint a new secret, beside which those of before sign for a while; \
                  the answer shows it once.",
        need: Need::Scope(Scope::Write),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[ENDPOINT_ID],
        body: Some(operation::Body::maybe(body::rotation)),
        answers: &[Answer {
            status: 200,
            said: "The endpoint, and its secrets: the new one with its value.",
            content: Content::Json(shown::with_secrets),
        }],
        problems: &[
            Kind::InvalidId,
            Kind::MalformedBody,
            Kind::NotFound,
            Kind::BodyTimeout,
            Kind::Changed,
            Kind::EndpointInConfiguration,
            Kind::NoMasterKey,
            Kind::TooManySecrets,
            Kind::EndpointDeleted,
            Kind::BodyTooLarge,
            Kind::InvalidBody,
        ],
        handler: || post(rotate),
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/endpoints/{id}/secrets",
        id: "listSecrets",
        summary: "Lists the secrets of an endpoint, without their values.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[ENDPOINT_ID],
        body: None,
        answers: &[Answer::ok("The secrets, the oldest first.", all)],
        problems: &[Kind::InvalidId, Kind::NotFound, Kind::EndpointDeleted],
        handler: || get(list),
    },
];

fn all(schemas: &mut Schemas) -> Value {
    let secrets = shown::secrets_schema(schemas);
    json!({ "type": "object", "required": ["secrets"], "properties": { "secrets": secrets } })
}

/// Answers an act that has an endpoint stand as `next` says of where it stands.
fn act(next: fn(Status) -> Option<Status>) -> MethodRouter<Arc<Admin>> {
    post(move |admin, reach, segment, body| stand(admin, reach, segment, body, next))
}

/// Has an endpoint stand as `next` says of where it stands, if that is another.
async fn stand(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
    body: Body,
    next: fn(Status) -> Option<Status>,
) -> Changed<Value> {
    let before = found(&admin, &reach, segment.id(IdKind::Endpoint)?)?;
    check_empty(&admin.turns.read(body).await?)?;
    let endpoint = &before.endpoint;
    let was = shown(&admin, &before);
    let Some(status) = next(endpoint.standing.status) else {
        return Ok((audit::changed(was.clone(), was.clone()), Json(was)));
    };
    let since = admin.access.now();
    let standing = match status {
        Status::Enabled => Standing::enabled(since),
        Status::Paused | Status::Disabled => Standing { status, why: Some(Why::Operator), since },
    };
    let change = EndpointChange::Standing(standing);
    let now = admin.directory.change(endpoint.id, Some(endpoint.revision), change).await?;
    let is = shown(&admin, &now);
    Ok((audit::changed(was, is.clone()), Json(is)))
}

fn pinged(schemas: &mut Schemas) -> Value {
    let id = schemas.of::<Id>();
    json!({
        "type": "object",
        "required": ["event", "delivery"],
        "properties": { "event": id, "delivery": id },
    })
}

async fn ping(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
    body: Body,
) -> Result<Response, Problem> {
    let listed = found(&admin, &reach, segment.id(IdKind::Endpoint)?)?;
    check_empty(&admin.turns.read(body).await?)?;
    let Endpoint { id, key, settings, .. } = &listed.endpoint;
    let time = admin.access.now();
    let source: Name =
        OWN_SOURCE.parse().map_err(|_| Problem::new(Kind::Internal, "no name of a source"))?;
    // It comes on top of what is open, as a request to a source does.
    if admin.disk.is_low() || admin.store.mark_reached(&source).is_some() {
        let detail = "too much is open for a ping, or the disk is nearly full; ask again later";
        return Err(Problem::new(Kind::Busy, detail));
    }
    let event = Event {
        source,
        id: format!("{PING}/{id}/{:016x}", fastrand::u64(..)),
        event_type: PING.to_owned(),
        subject: None,
        time,
        money: None,
        labels: Vec::new(),
        data: json!({ "endpoint": id, "name": settings.name }).into(),
    };
    let routes = Routes { handlers: Vec::new(), endpoints: vec![key.clone()] };
    // The store keeps a tenant only beside what may be emitted below it.
    let allowance = settings.tenant.is_some().then_some(Allowance { events: 0, bytes: 0 });
    let tenant = settings.tenant.clone();
    let (event, routes) = (event.into(), routes.into());
    let new = NewEvent { event, routes, allowance, tenant, trace: None };
    let raised = admin.store.raise(vec![new]).await?;
    let event = raised.first().copied();
    // Nothing but this delivery is owed on it, so it stands right behind.
    let of = |event: Id| Id { kind: IdKind::Delivery, position: event.position + 1, ..event };
    let pinged = json!({ "event": event, "delivery": event.map(of) });
    Ok((StatusCode::ACCEPTED, audit::after(&pinged), Json(pinged)).into_response())
}

async fn rotate(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
    body: Body,
) -> Result<Response, Problem> {
    let before = found(&admin, &reach, segment.id(IdKind::Endpoint)?)?;
    let id = before.endpoint.id;
    if before.secrets.iter().any(|held| matches!(held, Held::Plain(_))) {
        return Err(DirectoryError::InConfiguration(id).into());
    }
    let body = admin.turns.read(body).await?;
    let rotate: Option<Rotate> = match &body[..] {
        [] => None,
        body => bodies::read(body)?,
    };
    let rotated = secrets::after_rotation(&admin, &before, rotate.unwrap_or_default())?;
    let (after, secret) = rotated;
    let change = EndpointChange::Secrets(after);
    let now = admin.directory.change(id, Some(before.endpoint.revision), change).await?;
    let mut shown = shown(&admin, &now);
    shown["secrets"] = secrets::known(&admin, &now).into();
    // Before the one answer that has the secret.
    let change = audit::after(&shown);
    shown["secrets"] = secrets::with_values(&admin, &now, &[&secret]);
    let uncached = [(header::CACHE_CONTROL, "no-store")];
    Ok((uncached, change, Extension(redact::HasToken), Json(shown)).into_response())
}

async fn list(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
) -> Result<Json<Value>, Problem> {
    let listed = found(&admin, &reach, segment.id(IdKind::Endpoint)?)?;
    Ok(Json(json!({ "secrets": secrets::known(&admin, &listed) })))
}
