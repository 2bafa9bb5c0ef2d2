//! One request and its answer, whatever brings them.
//!
//! Notes on the connection that a request has begun and was answered, and has a browser be careful
//! with every answer. Never looks at a request.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Limits;
use super::connection::Connection;

/// Largest head of a request, in bytes: 431 beyond it.
pub(super) const HEAD_BYTES_MAX: u32 = 32 * 1024;

/// How careful a browser is to be with an answer, whoever had it ask: it takes it for what it says
/// it is, runs and loads nothing, shows it in no frame, keeps it nowhere, and shares it with no
/// page of another origin. An answer may say otherwise.
static CARE: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// Who answers the requests of a port.
pub(crate) trait Answers: Send + Sync + 'static {
    /// The answer to a request that came over this connection.
    fn answer(self: Arc<Self>, connection: Arc<Connection>, request: Request) -> Answering;
}

/// An answer that somebody makes.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Each request carries its [`Connection`] in an `Arc` as an extension.
impl Answers for Router {
    fn answer(self: Arc<Self>, connection: Arc<Connection>, mut request: Request) -> Answering {
        request.extensions_mut().insert(connection);
        let answering = Self::clone(&self).oneshot(request);
        Box::pin(async move { answering.await.unwrap_or_else(|never: Infallible| match never {}) })
    }
}

/// Who answers the requests of a port, and how patiently.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) app: Arc<dyn Answers>,
    pub(super) limits: Limits,
    pub(super) cancel: CancellationToken,
}

/// The answer to a request.
pub(super) async fn answer(
    app: Arc<dyn Answers>,
    connection: Arc<Connection>,
    request: hyper::Request<Incoming>,
) -> Result<Response, Infallible> {
    let Some(begun) = connection.begin() else {
        // It was chosen to make room, and ends where this waits.
        return std::future::pending().await;
    };
    let mut answer = app.answer(Arc::clone(&connection), request.map(Body::new)).await;
    take_care(answer.headers_mut());
    begun.answered();
    Ok(answer)
}

fn take_care(headers: &mut HeaderMap) {
    headers.reserve(CARE.len());
    for (name, value) in &CARE {
        if !headers.contains_key(name) {
            headers.insert(name, value.clone());
        }
    }
}
