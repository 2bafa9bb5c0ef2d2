//! The API of the admin port, asked within the process.
//!
//! A request for it is a value that goes through the same router as one that came over a socket,
//! with what tells who asks. Never answers for it.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt;

use super::failed::Failed;
use super::sender::Sender;

/// Largest answer that is made into a page, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The API of the admin port.
#[derive(Debug, Clone)]
pub(super) struct Api(Router);

/// What it answered, if nothing was wrong.
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Api {
    /// That of this router.
    pub(super) fn new(router: Router) -> Self {
        Self(router)
    }

    /// Answers a request as it came.
    pub(super) async fn pass(&self, request: Request) -> Response {
        let answering = self.0.clone().oneshot(request);
        answering.await.unwrap_or_else(|never: Infallible| match never {})
    }

    /// Asks for an operation, with a body of JSON if there is one.
    pub(super) async fn ask(
        &self,
        sender: &Sender,
        (method, path): (Method, &str),
        body: Option<&Value>,
    ) -> Result<Answer, Failed> {
        let bytes = body.map(Value::to_string);
        let mut request = Request::new(bytes.map_or_else(Body::empty, Body::from));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| Failed::no_such_page())?;
        sender.sign(&mut request);
        if body.is_some() {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(header::CONTENT_TYPE, json);
        }
        let (head, body) = self.pass(request).await.into_parts();
        let body = to_bytes(body, ANSWER_BYTES_MAX).await;
        let body = body.map_err(|_| Failed::internal("the answer is too large for a page"))?;
        match head.status.is_success() {
            true => Ok(Answer { headers: head.headers, body }),
            false => Err(Failed::read(head.status, &body)),
        }
    }

    /// The same, with an answer of JSON.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        sender: &Sender,
        (method, path): (Method, &str),
        body: Option<&Value>,
    ) -> Result<T, Failed> {
        let Answer { body, .. } = self.ask(sender, (method, path), body).await?;
        serde_json::from_slice(&body).map_err(|error| Failed::unread(path, &error))
    }
}
