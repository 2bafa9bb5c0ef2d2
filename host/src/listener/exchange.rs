//! One request and its answer, whatever brings them.
//!
//! Notes on the connection that a request has begun and was answered. Never looks at a request.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Limits;
use super::connection::Connection;

/// Largest head of a request, in bytes: 431 beyond it.
pub(super) const HEAD_BYTES_MAX: u32 = 32 * 1024;

/// Who answers the requests of a port, and how patiently.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) app: Router,
    pub(super) limits: Limits,
    pub(super) cancel: CancellationToken,
}

/// The answer to a request.
pub(super) async fn answer(
    app: Router,
    connection: Arc<Connection>,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let Some(begun) = connection.begin() else {
        // It was chosen to make room, and ends where this waits.
        return std::future::pending().await;
    };
    request.extensions_mut().insert(Arc::clone(&connection));
    let answer = app.oneshot(request).await;
    begun.answered();
    answer
}
