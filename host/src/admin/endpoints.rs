//! The endpoints, as operators and platforms make, list, change and delete them.
//!
//! Those of the configuration are shown, and only where they stand can be changed here. Never shows
//! a secret but in the answer that makes it.

mod acts;
mod body;
mod secrets;
mod shown;
mod stats;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use axum::{Extension, Json};
use serde_json::{Value, json};

use self::body::{Draft, Patch};
use self::secrets::First;
use self::shown::{Shown, shown};
use super::audit::{self, Changed};
use super::bodies::invalid;
use super::operation::{self, Answer, Content, Need, Operation, Tenants, Turn, Verb};
use super::path::{ENDPOINT_ID, Segment};
use super::problem::Kind;
use super::query::{self, EndpointsQuery};
use super::reach::Reach;
use super::schema::Schemas;
use super::{Admin, Problem, idempotency, redact};
use crate::directory::vault::{NotSealed, Vault};
use crate::directory::{DirectoryError, Listed};
use crate::egress::Identity;
use crate::endpoint::{Credential, Origin, RawSettings, Settings, check};
use crate::event::Timestamp;
use crate::ids::{Id, IdKind};
use crate::store::{self, EndpointChange};
use crate::tenant::Tenant;
use crate::token::Scope;

/// What may be wrong with the settings of an endpoint.
const WRONG: &[Kind] = &[
    Kind::MalformedBody,
    Kind::BodyTimeout,
    Kind::EndpointExists,
    Kind::TooManyEndpoints,
    Kind::NoMasterKey,
    Kind::OperatorOnly,
    Kind::BodyTooLarge,
    Kind::InvalidBody,
    Kind::EgressRefused,
];

/// How often a patch without a revision is applied to what somebody else has changed meanwhile.
const TRIES: usize = 8;

pub(super) static OPERATIONS: [Operation; 5] = [
    Operation {
        verb: Verb::Get,
        path: "/v1/endpoints",
        id: "listEndpoints",
        summary: "Lists endpoints, those of the configuration first, then the newest.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[
            query::TENANT_OF,
            query::NAME_OF,
            query::STANDS,
            query::BEHIND_ENDPOINT,
            query::LIMIT,
        ],
        body: None,
        answers: &[Answer::ok("A page of endpoints.", page)],
        problems: &[Kind::InvalidParameter],
        handler: || get(list),
    },
    Operation {
        verb: Verb::Post,
        path: "/v1/endpoints",
        id: "createEndpoint",
        summary: "Makes an endpoint; the answer shows its secrets once.",
        need: Need::Scope(Scope::Write),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[],
        body: Some(operation::Body::json(body::new)),
        answers: &[Answer {
            status: 201,
            said: "The endpoint, and its secrets.",
            content: Content::Json(shown::with_secrets),
        }],
        problems: WRONG,
        handler: || post(create),
    },
    Operation {
        verb: Verb::Get,
        path: "/v1/endpoints/{id}",
        id: "getEndpoint",
        summary: "Shows an endpoint, without its secrets.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[ENDPOINT_ID],
        body: None,
        answers: &[Answer::ok("The endpoint.", Schemas::of::<Shown>)],
        problems: &[Kind::InvalidId, Kind::NotFound, Kind::EndpointDeleted],
        handler: || get(show),
    },
    Operation {
        verb: Verb::Patch,
        path: "/v1/endpoints/{id}",
        id: "changeEndpoint",
        summary: "Changes what the body names of an endpoint, and nothing else of it.",
        need: Need::Scope(Scope::Write),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[ENDPOINT_ID, idempotency::KEY],
        body: Some(operation::Body::json(body::changes)),
        answers: &[Answer::ok("The endpoint as it is now.", Schemas::of::<Shown>)],
        problems: &[
            Kind::InvalidId,
            Kind::MalformedBody,
            Kind::NotFound,
            Kind::EndpointDeleted,
            Kind::EndpointInConfiguration,
            Kind::EndpointExists,
            Kind::Changed,
            Kind::NoMasterKey,
            Kind::InvalidBody,
            Kind::EgressRefused,
        ],
        handler: || patch(change),
    },
    Operation {
        verb: Verb::Delete,
        path: "/v1/endpoints/{id}",
        id: "deleteEndpoint",
        summary: "Deletes an endpoint: its open deliveries become dead letters.",
        need: Need::Scope(Scope::Write),
        tenants: Tenants::Own,
        turn: Turn::Shared,
        parameters: &[ENDPOINT_ID, idempotency::KEY],
        body: None,
        answers: &[Answer::ok("The endpoint as it was.", Schemas::of::<Shown>)],
        problems: &[Kind::InvalidId, Kind::NotFound, Kind::EndpointInConfiguration],
        handler: || delete(remove),
    },
];

pub(super) use acts::OPERATIONS as ACTS;
pub(super) use stats::OPERATIONS as STATS;

fn page(schemas: &mut Schemas) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": schemas.of::<Vec<Shown>>(),
            "next": {
                "type": ["string", "null"],
                "description": "The `cursor` of the next page; null behind the last.",
            },
        },
    })
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        let kind = match error {
            DirectoryError::Invalid(wrong) => {
                return invalid(wrong.to_string()).with("field", wrong.field);
            }
            DirectoryError::InConfiguration(_) => Kind::EndpointInConfiguration,
            DirectoryError::Deleted(_) => Kind::EndpointDeleted,
            DirectoryError::TooMany => Kind::TooManyEndpoints,
            DirectoryError::NotSealed(NotSealed::NoMasterKey) => Kind::NoMasterKey,
            DirectoryError::NotSealed(NotSealed::NoRandom) => Kind::Internal,
            DirectoryError::Store(error) => return error.into(),
        };
        Self::new(kind, error.to_string())
    }
}

/// There is no such endpoint within reach.
fn missing(id: Id) -> Problem {
    Problem::new(Kind::NotFound, format!("the gateway has no {id}"))
}

/// The endpoint of this id, if it is within reach, also if it was deleted.
fn listed(admin: &Admin, reach: &Reach, id: Id) -> Result<Arc<Listed>, Problem> {
    let listed = admin.directory.by_id(id);
    let is_seen = |listed: &Arc<Listed>| reach.sees(listed.endpoint.settings.tenant.as_ref());
    listed.filter(is_seen).ok_or_else(|| missing(id))
}

/// The same, if it was not deleted.
fn found(admin: &Admin, reach: &Reach, id: Id) -> Result<Arc<Listed>, Problem> {
    let listed = listed(admin, reach, id)?;
    match listed.deleted {
        None => Ok(listed),
        Some(_) => Err(DirectoryError::Deleted(id).into()),
    }
}

/// Settings that can be an endpoint's, as far as can be told now: a host name may stand for any
/// address, and is looked at for each attempt.
fn checked(admin: &Admin, settings: &RawSettings) -> Result<Settings, Problem> {
    let checked = check(settings.clone(), Origin::Api).map_err(DirectoryError::from)?;
    if checked.trust.client.is_some() {
        // Without its key nothing could go there.
        let detail = "is for endpoints of the configuration, which have a `client_key` beside it";
        return Err(body::wrong("client_certificate", detail));
    }
    match admin.egress.literal_refusal(&checked.url) {
        None => match Identity::new(&checked.trust.ca, None) {
            Ok(_) => Ok(checked),
            Err(wrong) => Err(body::wrong("ca", &format!("has {wrong}"))),
        },
        Some(refusal) => {
            let detail = format!("the gateway would hold all deliveries to `url`: {refusal}");
            Err(Problem::new(Kind::EgressRefused, detail).with("field", "url"))
        }
    }
}

/// A credential goes to another scheme, host or port only if whoever says so of the URL says it of
/// the credential too: who may change a URL does not get what was sent to the one of before.
fn check_kept(
    patch: &Patch,
    before: &Listed,
    after: &Settings,
    now: Timestamp,
) -> Result<(), Problem> {
    let is_said = patch.credential.is_some() || patch.keeps_credential;
    let moves = before.endpoint.settings.url.origin() != after.url.origin();
    match moves && !is_said && secrets::has_credential(before, now) {
        false => Ok(()),
        true => Err(body::wrong(
            "credential",
            "would be sent to another scheme, host or port than before: give it again, or null for \
             none, or \"keep\" to send it there",
        )),
    }
}

/// No header is both a credential and one that everybody may see.
fn check_headers(settings: &RawSettings, credential: Option<&Credential>) -> Result<(), Problem> {
    let Some((name, _)) = credential.and_then(Credential::header) else { return Ok(()) };
    let mut headers = settings.headers.iter().flat_map(BTreeMap::keys);
    match headers.any(|header| header.eq_ignore_ascii_case(name.as_str())) {
        false => Ok(()),
        true => Err(body::wrong("credential", "must be another header than those of `headers`")),
    }
}

async fn list(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    EndpointsQuery { mut filter, behind, limit }: EndpointsQuery,
) -> Json<Value> {
    let Ok(tenant) = reach.narrowed(filter.tenant.take()) else {
        return Json(json!({ "items": [], "next": null }));
    };
    filter.tenant = tenant;
    let page = admin.directory.page(&filter, behind, limit);
    let next = page.last().filter(|_| page.len() == limit).map(|listed| listed.endpoint.id);
    let items: Vec<Value> = page.iter().map(|listed| shown(&admin, listed)).collect();
    Json(json!({ "items": items, "next": next }))
}

async fn create(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    body: Body,
) -> Result<Response, Problem> {
    let Draft { mut settings, signature, secrets, credential } =
        Draft::parse(&admin.turns.read(body).await?)?;
    let asked = settings.tenant.as_deref().map(str::parse::<Tenant>).transpose();
    // What can't be a tenant is refused with all other settings.
    if let Ok(asked) = asked {
        let Ok(tenant) = reach.narrowed(asked) else {
            let detail = "the token is for another tenant";
            return Err(Problem::new(Kind::OperatorOnly, detail).with("field", "tenant"));
        };
        settings.tenant = tenant.map(String::from);
    }
    checked(&admin, &settings)?;
    check_headers(&settings, credential.as_ref())?;
    let first = First::of(signature, secrets, credential)?;
    let now = admin.access.now();
    let seal = |vault: &Vault, id: Id| first.sealed(vault, id, now);
    let made = admin.directory.create(settings, &seal).await?;
    let mut body = shown(&admin, &made);
    // Before the one answer that has them.
    let after = audit::after(&body);
    body["secrets"] = secrets::with_values(&admin, &made, &first.signing());
    let uncached = [(header::CACHE_CONTROL, "no-store")];
    let has_token = Extension(redact::HasToken);
    Ok((StatusCode::CREATED, uncached, after, has_token, Json(body)).into_response())
}

async fn show(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
) -> Result<Json<Value>, Problem> {
    let listed = found(&admin, &reach, segment.id(IdKind::Endpoint)?)?;
    Ok(Json(shown(&admin, &listed)))
}

async fn change(
    State(admin): State<Arc<Admin>>,
    reach: Reach,
    segment: Segment,
    body: Body,
) -> Changed<Value> {
    let mut before = found(&admin, &reach, segment.id(IdKind::Endpoint)?)?;
    let id = before.endpoint.id;
    if before.endpoint.origin == Origin::File {
        return Err(DirectoryError::InConfiguration(id).into());
    }
    let patch = Patch::parse(&admin.turns.read(body).await?)?;
    for _ in 1..TRIES {
        match changed(&admin, &patch, &before).await {
            // Somebody else was faster, and the patch says nothing against that.
            Err(problem) if patch.revision.is_none() && problem.kind() == Kind::Changed => {
                before = found(&admin, &reach, id)?;
            }
            done => return done,
        }
    }
    changed(&admin, &patch, &before).await
}

/// Changes an endpoint that is so as `before` says, or else nothing of it.
async fn changed(admin: &Admin, patch: &Patch, before: &Listed) -> Changed<Value> {
    let id = before.endpoint.id;
    let revision = before.endpoint.revision;
    if patch.revision.is_some_and(|read| read != revision) {
        return Err(store::Error::EndpointChanged { revision }.into());
    }
    let settings = patch.settings(&before.endpoint.settings)?;
    let sent = || before.active(admin.directory.vault(), admin.access.now()).ok()?.credential;
    let credential = patch.credential.clone().unwrap_or_else(sent);
    let whole = settings.clone().unwrap_or_else(|| (&*before.endpoint.settings).into());
    check_headers(&whole, credential.as_ref())?;
    // Before anything is changed: there may be no master key.
    let with = |credential: &Option<Credential>| {
        secrets::with_credential(admin, before, credential.as_ref())
    };
    let secrets = patch.credential.as_ref().map(with).transpose()?;
    if let Some(settings) = &settings {
        check_kept(patch, before, &checked(admin, settings)?, admin.access.now())?;
    }
    let was = shown(admin, before);
    let change = match (settings.map(Box::new), secrets) {
        (None, None) => return Ok((audit::changed(was.clone(), was.clone()), Json(was))),
        (Some(settings), None) => EndpointChange::Settings(settings),
        (None, Some(secrets)) => EndpointChange::Secrets(secrets),
        (Some(settings), Some(secrets)) => EndpointChange::Both(settings, secrets),
    };
    let now = admin.directory.change(id, Some(revision), change).await?;
    let is = shown(admin, &now);
    Ok((audit::changed(was, is.clone()), Json(is)))
}

async fn remove(State(admin): State<Arc<Admin>>, reach: Reach, segment: Segment) -> Changed<Value> {
    let before = listed(&admin, &reach, segment.id(IdKind::Endpoint)?)?;
    let id = before.endpoint.id;
    match admin.directory.delete(id).await {
        Ok(_) => (),
        Err(DirectoryError::Deleted(id)) => return Err(missing(id)),
        Err(error) => return Err(error.into()),
    }
    let was = shown(&admin, &before);
    Ok((audit::gone(was.clone()), Json(was)))
}
