//! A panic while a request is answered: it is that request's trouble, and an answer says so.
//!
//! Stands around every route. Never lets a panic end the connection, on which others may wait.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::error;

use super::problem::{Kind, Problem};
use crate::causes;

/// Answers a request, whatever panics over it.
pub(super) async fn caught(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut answering = pin!(next.run(request));
    // Nobody looks at what it has left behind: a lock that it held is poisoned and taken all the
    // same, and no other request shares anything else with it.
    let answered =
        poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        });
    match answered.await {
        Ok(response) => response,
        Err(panic) => {
            let why = causes::words(&*panic);
            error!(%method, path, "the gateway panicked while it answered an operator: {why}");
            let detail = "the gateway panicked over this request; its log says more";
            Problem::new(Kind::Internal, detail).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::header;
    use axum::routing::get;
    use axum::{Router, middleware};
    use tower::ServiceExt;

    use super::*;
    use crate::admin::problem::CONTENT_TYPE;

    async fn broken() -> &'static str {
        panic!("no sense in it")
    }

    #[tokio::test]
    async fn a_panic_over_a_request_is_answered_as_a_problem() {
        let routes = Router::new().route("/", get(broken)).layer(middleware::from_fn(caught));
        let response = routes.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status().as_u16(), 500);
        assert_eq!(response.headers()[header::CONTENT_TYPE], CONTENT_TYPE);
    }
}
