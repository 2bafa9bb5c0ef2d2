//! Validation challenges: how a provider checks that the endpoint is yours before it posts there;
//! and how any answer of a plugin is sent.
//!
//! Nothing of a challenge is stored. What the plugin may put into the answer was checked where the
//! plugin was called; what may be digested for whoever asked is checked here.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::Source;
use super::rejection::Rejection;
use crate::event::Request;
use crate::provider::{Answer, Claims, ProviderInfo};
use crate::signature::{self, Asker};

/// Whether a source takes requests by this method.
pub(super) fn takes(info: &ProviderInfo, method: &Method) -> bool {
    method == Method::POST || info.methods.contains(method) || info.handshakes.contains(method)
}

/// The methods that a source takes, for the answer to any other.
pub(super) fn allowed(info: &ProviderInfo) -> String {
    let mut methods = vec!["POST"];
    for method in info.methods.iter().chain(&info.handshakes).map(Method::as_str) {
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods.join(", ")
}

/// The answer to a request whose evidence, if it has any, was checked.
pub(super) fn answer(
    source: &Source,
    info: &ProviderInfo,
    claims: &Claims,
    asked: &Answer,
    request: &Request,
    asker: Asker,
) -> Result<Response, Rejection> {
    let body = signature::answer(asked, claims, &source.secrets, &request.body, asker)
        .map_err(|error| Rejection::Evidence(error, info.refusal_status))?;
    Ok(response(asked, body))
}

/// An answer of a plugin as it is sent.
pub(super) fn response(answer: &Answer, body: Bytes) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, Body::from(body)).into_response();
    let headers = response.headers_mut();
    for (name, value) in answer.headers.iter() {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    if let Ok(content_type) = HeaderValue::from_str(&answer.content_type)
        && !content_type.is_empty()
    {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    // It may repeat what somebody sent: a browser must not take it for a page.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
