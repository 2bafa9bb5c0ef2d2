//! A panic while a request is answered: it is that request's trouble, and an answer says so.
//!
//! Stands around every route. Never lets a panic end the connection, on which others may wait.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::error;

use super::problem::{Kind, Problem};
use crate::causes;

/// Answers a request, whatever panics over it.
pub(super) async fn caught(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    match causes::caught(next.run(request)).await {
        Ok(response) => response,
        Err(why) => {
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
