//! What stands before each operation: who asks, and whether the request has only what it may have.
//!
//! Nothing in the table of routes is answered without its need. Never answers for an operation.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use tokio::time::Instant;

use super::access::{Caller, Refused};
use super::audit::Write;
use super::operation::{Need, Operation, Tenants, Turn, Verb};
use super::problem::{Kind, Problem};
use super::reach::{self, Reach};
use super::turns::Asker;
use super::{Admin, audit, content_type, idempotency, query, session};
use crate::listener::Connection;
use crate::token::Scope;

/// What stands before one operation.
#[derive(Clone)]
struct Gate {
    admin: Arc<Admin>,
    operation: &'static Operation,
}

/// An operation behind its gate.
pub(super) fn guarded(
    operation: &'static Operation,
    admin: &Arc<Admin>,
) -> MethodRouter<Arc<Admin>> {
    let answered = (operation.handler)();
    let answered = match operation.tenants {
        Tenants::Operator | Tenants::Open => answered,
        Tenants::Own => answered.route_layer(middleware::from_fn(reach::kept)),
    };
    let gate = Gate { admin: Arc::clone(admin), operation };
    answered.route_layer(middleware::from_fn_with_state(gate, let_through))
}

/// Lets a request through that has what the operation needs, and nothing that it does not know.
async fn let_through(
    State(Gate { admin, operation }): State<Gate>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Err(problem) = content_type::check(operation, request.headers()) {
        return problem.into_response();
    }
    let connection = request.extensions().get::<Arc<Connection>>().cloned();
    let caller = match caller(&admin, operation, &request, connection.as_deref()) {
        Ok(caller) => caller,
        Err(refused) => return refuse(&admin, &refused, connection.as_deref()).await,
    };
    request.extensions_mut().insert(Reach::of(caller.as_ref()));
    // Who asks for what is open to all is not spared before others.
    if let Some(connection) = connection.as_ref().filter(|_| caller.is_some()) {
        connection.accepted();
    }
    if let Err(problem) = query::check(request.uri(), operation.query()) {
        return problem.into_response();
    }
    if let Some(token) = caller.as_ref().and_then(|caller| caller.token.as_ref())
        && let Err(problem) = admin.rates.pass(token, Instant::now())
    {
        return problem.into_response();
    }
    // Before a body is read: whoever sends it slowly has the turn for as long.
    let turn = match operation.turn {
        Turn::Always => Ok(None),
        Turn::Shared => admin.turns.ask(caller.as_ref().and_then(Asker::of)).map(Some),
    };
    let turn = match turn {
        Ok(turn) => turn,
        Err(problem) => return problem.into_response(),
    };
    if operation.verb == Verb::Get {
        let answer = next.run(request).await;
        drop(turn);
        return answer;
    }
    let key = match idempotency::key(operation, caller.as_ref(), request.headers()) {
        Ok(key) => key,
        Err(problem) => return problem.into_response(),
    };
    // A session is in no store, and people have to get in while the store can't be written.
    if operation.path == session::PATH {
        return next.run(request).await;
    }
    let write = Write { caller: caller.as_ref(), connection: connection.as_deref(), key, turn };
    audit::answered(admin, write, request, next).await
}

/// Who asks; `None` where the operation needs nobody.
fn caller(
    admin: &Admin,
    operation: &Operation,
    request: &Request,
    connection: Option<&Connection>,
) -> Result<Option<Caller>, Refused> {
    let scope = match operation.need {
        Need::Nothing => return Ok(None),
        Need::Metrics if admin.access.has_open_metrics() => return Ok(None),
        Need::Metrics => Scope::Read,
        Need::Scope(scope) => scope,
    };
    let caller = admin.access.caller(request.headers(), connection)?;
    caller.allowed(scope)?;
    caller.admitted(operation.tenants)?;
    if operation.verb != Verb::Get {
        caller.confirmed(request.headers())?;
    }
    Ok(Some(caller))
}

/// Answers a request that has not what it needs. Who sends wrong tokens waits for it.
async fn refuse(admin: &Admin, refused: &Refused, connection: Option<&Connection>) -> Response {
    admin.metrics.admin_refusal(refused.label());
    let answer = refused.problem().into_response();
    let Some(connection) = connection.filter(|_| refused.is_wrong_token()) else { return answer };
    let (peer, reason) = (connection.peer(), refused.label());
    let held_back = connection.refused();
    let was_held = admin.access.failures.hold(peer.ip()).await;
    drop(held_back);
    if was_held {
        // No more of these lines than there are answers that waited.
        tracing::warn!(%peer, reason, "refused a request to the admin port");
        return answer;
    }
    let reason = "too many requests with wrong tokens wait for their answers; ask again later";
    Problem::new(Kind::TooManyWrongTokens, reason).into_response()
}
