//! Validation challenges: how a provider checks that the endpoint is yours before it posts there.
//!
//! Nothing of it is stored. What the plugin may put into the answer was checked where the plugin
//! was called; what may be digested is checked here, because only here it is known whether the
//! request proved anything.

use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::rejection::Rejection;
use super::{Source, Verify};
use crate::provider::{Claims, Handshake, ProviderInfo};
use crate::signature;

/// The methods by which a source may be asked, for the answer to any other.
pub(super) fn allowed(info: &ProviderInfo) -> String {
    let methods = info.handshakes.iter().map(Method::as_str);
    std::iter::once("POST").chain(methods).collect::<Vec<_>>().join(", ")
}

/// The answer to a request whose evidence, if it has any, was checked.
pub(super) fn answer(
    source: &Source,
    info: &ProviderInfo,
    claims: &Claims,
    asked: &Handshake,
) -> Result<Response, Rejection> {
    let proven = source.verify == Verify::Evidence && !claims.evidence.is_empty();
    let body = signature::answer(asked, &source.secrets, proven)
        .map_err(|error| Rejection::Evidence(error, info.refusal_status))?;
    let status = StatusCode::from_u16(asked.status).unwrap_or(StatusCode::OK);
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    for (name, value) in asked.headers.iter() {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    // What somebody sent comes back in it: never as a page.
    if let Ok(content_type) = HeaderValue::from_str(&asked.content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
