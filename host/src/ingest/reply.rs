//! How an accepted request is answered: as its plugin says, else with the id of the receipt.
//!
//! What the plugin may put into an answer was checked where the plugin was called, and whose a
//! digest may be is for `signature` to say. Nothing is computed here.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::provider::Answer;
use crate::store::Appended;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Tells a sender that its event is known already.
pub(super) const DUPLICATE: &str = "hookgate-duplicate";

/// An answer of a plugin, with this body.
pub(super) fn of_plugin(answer: &Answer, body: Bytes) -> Response {
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

/// The answer to a request that is in the store: the plugin's, if it has one.
pub(super) fn of_stored(of_plugin: Option<Response>, appended: Appended) -> Response {
    let (id, duplicate) = match appended {
        Appended::Stored(id) => (id, false),
        Appended::Duplicate(id) => (id, true),
    };
    let receipt = || {
        // Nothing in an id has to be escaped.
        let body = Body::from(format!(r#"{{"id":"{id}"}}"#));
        ([(header::CONTENT_TYPE, JSON)], body).into_response()
    };
    let mut response = of_plugin.unwrap_or_else(receipt);
    if duplicate {
        let known = HeaderValue::from_static("true");
        response.headers_mut().insert(DUPLICATE, known);
    }
    response
}
