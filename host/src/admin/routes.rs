//! What the admin port answers, and what a request needs for it: the one table of both.
//!
//! A path that is not in it is answered by nobody, and nothing in it is answered without its need.
//! Never answers anything itself.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use axum::{Router, middleware};

use super::access::{Caller, Refused};
use super::{Admin, Problem, replays, tokens, turns};
use crate::listener::Connection;
use crate::token::Scope;

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: a probe has no token.
    Nothing,
    /// The scope `read`, unless the metrics are configured open.
    Metrics,
    /// A token with this scope, once the port asks for one.
    Scope(Scope),
}

/// One thing that can be asked.
struct Route {
    method: Method,
    path: &'static str,
    need: Need,
    answer: MethodRouter<Arc<Admin>>,
}

fn read<H, T>(path: &'static str, need: Need, answer: H) -> Route
where
    H: Handler<T, Arc<Admin>>,
    T: 'static,
{
    Route { method: Method::GET, path, need, answer: get(answer) }
}

fn write<H, T>(path: &'static str, scope: Scope, answer: H) -> Route
where
    H: Handler<T, Arc<Admin>>,
    T: 'static,
{
    Route { method: Method::POST, path, need: Need::Scope(scope), answer: post(answer) }
}

fn remove<H, T>(path: &'static str, scope: Scope, answer: H) -> Route
where
    H: Handler<T, Arc<Admin>>,
    T: 'static,
{
    Route { method: Method::DELETE, path, need: Need::Scope(scope), answer: delete(answer) }
}

/// Everything that can be asked.
fn table() -> Vec<Route> {
    const READ: Need = Need::Scope(Scope::Read);
    const ADMIN: Need = Need::Scope(Scope::Admin);
    vec![
        read("/v1/events", READ, super::events),
        read("/v1/events/{id}", READ, super::event),
        read("/v1/receipts", READ, super::receipts),
        read("/v1/receipts/{id}", READ, super::receipt),
        read("/v1/runs/{id}", READ, super::run),
        read("/v1/deliveries/{id}", READ, super::delivery),
        read("/v1/dead", READ, super::dead),
        read("/v1/hours", READ, super::hours),
        read("/v1/replays", READ, replays::list),
        read("/v1/replays/{id}", READ, replays::progress),
        read("/v1/plugins", READ, super::plugins),
        read("/v1/settled", READ, super::settled),
        write("/v1/replay", Scope::Replay, replays::replay),
        remove("/v1/replays/{id}", Scope::Replay, replays::cancel),
        write("/v1/reload", Scope::Write, super::reload),
        read("/v1/tokens", ADMIN, tokens::list),
        write("/v1/tokens", Scope::Admin, tokens::create),
        remove("/v1/tokens/{name}", Scope::Admin, tokens::revoke),
        read("/metrics", Need::Metrics, super::metrics),
        read("/healthz", Need::Nothing, async || "ok\n"),
        read("/readyz", Need::Nothing, super::readyz),
    ]
}

/// Whether this path is answered to anybody, under whatever name.
pub(super) fn is_open(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// Puts a guard before each route of the table.
pub(super) fn guarded(admin: &Arc<Admin>) -> Router<Arc<Admin>> {
    let mut router = Router::new();
    for Route { path, need, answer, .. } in table() {
        let gate = Gate { admin: Arc::clone(admin), need };
        let answer = match need {
            // Who looks whether it is well always finds a turn.
            Need::Nothing | Need::Metrics => answer,
            Need::Scope(_) => answer
                .route_layer(middleware::from_fn_with_state(Arc::clone(admin), turns::in_turn)),
        };
        let guard = middleware::from_fn_with_state(gate, let_through);
        router = router.route(path, answer.route_layer(guard));
    }
    router
}

/// What stands before one route.
#[derive(Clone)]
struct Gate {
    admin: Arc<Admin>,
    need: Need,
}

/// Lets a request through that has what the route needs.
async fn let_through(
    State(Gate { admin, need }): State<Gate>,
    mut request: Request,
    next: Next,
) -> Response {
    let connection = request.extensions().get::<Arc<Connection>>().cloned();
    match caller(&admin, need, &request, connection.as_deref()) {
        Ok(caller) => {
            if let Some(connection) = &connection {
                connection.accepted();
            }
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            next.run(request).await
        }
        Err(refused) => refuse(&admin, &refused, connection.as_deref()).await,
    }
}

/// Who asks; `None` where the route needs nobody.
fn caller(
    admin: &Admin,
    need: Need,
    request: &Request,
    connection: Option<&Connection>,
) -> Result<Option<Caller>, Refused> {
    let scope = match need {
        Need::Nothing => return Ok(None),
        Need::Metrics if admin.access.has_open_metrics() => return Ok(None),
        Need::Metrics => Scope::Read,
        Need::Scope(scope) => scope,
    };
    let caller = admin.access.caller(request.headers(), connection)?;
    caller.allowed(scope)?;
    Ok(Some(caller))
}

/// Answers a request that has not what it needs. Who sends wrong tokens waits for it.
async fn refuse(admin: &Admin, refused: &Refused, connection: Option<&Connection>) -> Response {
    admin.metrics.admin_refusal(refused.label());
    let mut answer = refused.problem().into_response();
    if answer.status() == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
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
    let mut busy = Problem::new(StatusCode::TOO_MANY_REQUESTS, reason).into_response();
    busy.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    busy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_something_needs_more_than_to_read() {
        for Route { method, path, need, .. } in table() {
            let is_write = method != Method::GET;
            let is_more = matches!(need, Need::Scope(Scope::Replay | Scope::Write | Scope::Admin));
            assert!(!is_write || is_more, "{method} {path} needs {need:?}");
        }
    }

    #[test]
    fn only_probes_need_nothing() {
        let open = table().into_iter().filter(|route| route.need == Need::Nothing);
        let paths: Vec<_> = open.map(|route| route.path).collect();
        assert_eq!(paths, ["/healthz", "/readyz"]);
        assert!(table().iter().all(|route| is_open(route.path) == (route.need == Need::Nothing)));
    }

    #[test]
    fn tokens_are_for_those_who_may_do_everything() {
        let of_tokens = table().into_iter().filter(|route| route.path.starts_with("/v1/tokens"));
        let needs: Vec<_> = of_tokens.map(|route| route.need).collect();
        assert_eq!(needs, [Need::Scope(Scope::Admin); 3]);
    }
}
