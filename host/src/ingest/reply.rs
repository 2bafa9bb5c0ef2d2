//! What the sender of an accepted request is answered: what the plugin says of this request, else
//! what it says of all, else the id of the receipt.
//!
//! Made before the receipt is stored: where a digest in it can't be made, nothing is stored. Never
//! decides who may have one: that is for `signature` to say.

use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::rejection::Rejection;
use super::{Source, handshake};
use crate::event::Request;
use crate::provider::{Answer, Claims, ProviderInfo};
use crate::signature::{self, Asker};
use crate::store::Appended;

/// Tells a sender that its event is known already.
const DUPLICATE: &str = "hookgate-duplicate";

/// The plugin's answer to a request that is to be stored, if it has one, and its body.
pub(super) fn of(
    source: &Source,
    info: &ProviderInfo,
    claims: &Claims,
    request: &Request,
    asker: Asker,
) -> Result<Option<(Answer, Bytes)>, Rejection> {
    let Some(reply) = signature::reply(info, claims, asker) else { return Ok(None) };
    let body = signature::answer(reply, claims, &source.secrets, &request.body, asker)
        .map_err(|error| Rejection::Evidence(error, info.refusal_status))?;
    Ok(Some((reply.clone(), body)))
}

/// The answer once the request is stored.
pub(super) fn response(reply: Option<(Answer, Bytes)>, appended: Appended) -> Response {
    let (id, duplicate) = match appended {
        Appended::Stored(id) => (id, false),
        Appended::Duplicate(id) => (id, true),
    };
    let mut response = match reply {
        None => axum::Json(serde_json::json!({ "id": id })).into_response(),
        Some((reply, body)) => handshake::response(&reply, body),
    };
    if duplicate {
        let known = HeaderValue::from_static("true");
        response.headers_mut().insert(DUPLICATE, known);
    }
    response
}
