//! Who asks, and how a person's browser signs in and out.
//!
//! A session begins with a token and is a cookie. It reads like its token; to change something it
//! also needs the text that goes with forms. Nothing of it is in the store: so these need no entry
//! in the audit log, and work while the store can't be written. Never decides who may ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Serialize;
use tracing::info;

use super::operation::{Answer, Content, Need, Operation, Tenants, Turn, Verb};
use super::schema::{Described, Schemas, one_of};
use super::sessions::{Begun, Found, is_secured, set_cookie};
use super::{Admin, Problem};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::listener::Connection;
use crate::tenant::Tenant;
use crate::token::{Scope, Scopes};

/// Where it is.
pub(super) const PATH: &str = "/v1/session";

pub(super) static OPERATIONS: [Operation; 3] = [
    Operation {
        verb: Verb::Get,
        path: PATH,
        id: "getSession",
        summary: "Says who asks: by which token, with which scopes, for which tenant.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Open,
        turn: Turn::Shared,
        parameters: &[],
        body: None,
        answers: &[Answer::ok("Who asks.", Schemas::of::<Session>)],
        problems: &[],
        handler: || get(show),
    },
    Operation {
        verb: Verb::Post,
        path: PATH,
        id: "beginSession",
        summary: "Begins a session in a browser with the request's token, and sets its cookie.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Open,
        turn: Turn::Shared,
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: 201,
            said: "Who asks from now on.",
            content: Content::Json(Schemas::of::<Session>),
        }],
        problems: &[],
        handler: || post(begin),
    },
    Operation {
        verb: Verb::Delete,
        path: PATH,
        id: "endSession",
        summary: "Ends the session of the request, and has the browser forget its cookie.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Open,
        turn: Turn::Shared,
        parameters: &[],
        body: None,
        answers: &[Answer::ok("Who asked.", Schemas::of::<Session>)],
        problems: &[],
        handler: || delete(end),
    },
];

/// Who asks.
#[derive(Debug, Serialize)]
struct Session {
    token: Option<Name>,
    scopes: Scopes,
    tenant: Option<Tenant>,
    form: Option<String>,
    ends_at: Option<Timestamp>,
}

object! {
    /// Who asks.
    Session {
        /// The name of the token; null where the port asks for none.
        token: Option<Name>,
        scopes: Scopes,
        /// The tenant of the token; null if it is the operator's.
        tenant: Option<Tenant>,
        /// What goes with a change by this session, as the header `Hookgate-Form`; null if the
        /// request has a token of its own.
        form: Option<String>,
        /// When the session ends if nobody uses it; null if it is not one.
        ends_at: Option<Timestamp>,
    }
}

impl Described for Scopes {
    fn schema(_: &mut Schemas) -> serde_json::Value {
        let scopes = one_of(&Scope::ALL.map(Scope::as_str));
        serde_json::json!({ "type": "array", "items": scopes })
    }
}

/// Who sends a request with these headers.
fn asking(
    admin: &Admin,
    headers: &HeaderMap,
    connection: Option<&Connection>,
) -> Result<Session, Problem> {
    let caller = admin.access.caller(headers, connection);
    let caller = caller.map_err(|refused| refused.problem())?;
    let ends_at = caller.session.as_ref().map(|found| found.ends_at);
    let form = match (&caller.session, &caller.token) {
        (Some(found), _) => Some(found.form.to_string()),
        (None, None) => Some(admin.access.sessions.form().to_string()),
        (None, Some(_)) => None,
    };
    let scopes = caller.scopes();
    Ok(Session { token: caller.token, scopes, tenant: caller.tenant, form, ends_at })
}

fn connection(request: &Request) -> Option<Arc<Connection>> {
    request.extensions().get::<Arc<Connection>>().cloned()
}

async fn show(State(admin): State<Arc<Admin>>, request: Request) -> Result<Json<Session>, Problem> {
    let connection = connection(&request);
    asking(&admin, request.headers(), connection.as_deref()).map(Json)
}

async fn begin(State(admin): State<Arc<Admin>>, request: Request) -> Result<Response, Problem> {
    let connection = connection(&request);
    let (headers, connection) = (request.headers(), connection.as_deref());
    let asking = asking(&admin, headers, connection)?;
    // Where the port asks for no token there is nobody to sign in.
    let Some(name) = &asking.token else {
        return Ok((StatusCode::CREATED, Json(asking)).into_response());
    };
    let Begun { cookie, found } = admin.access.begin_session(headers)?;
    // The browser forgets the cookie of an earlier one.
    admin.access.sessions.end(headers, connection);
    let peer = connection.map(|it| it.peer().to_string()).unwrap_or_default();
    info!(token = %name, peer, "began a session of the dashboard");
    let Found { form, ends_at, .. } = found;
    let session = Session { form: Some(form.to_string()), ends_at: Some(ends_at), ..asking };
    let cookie = set_cookie(&cookie, is_secured(headers, connection));
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(session)).into_response())
}

async fn end(State(admin): State<Arc<Admin>>, request: Request) -> Result<Response, Problem> {
    let connection = connection(&request);
    let (headers, connection) = (request.headers(), connection.as_deref());
    let asked = asking(&admin, headers, connection)?;
    admin.access.sessions.end(headers, connection);
    let forgotten = set_cookie("", is_secured(headers, connection));
    Ok(([(header::SET_COOKIE, forgotten)], Json(asked)).into_response())
}
