//! The content type of what is posted: an operation's own, or there is no body.
//!
//! A page of another site can have a browser post a form, but neither JSON nor a file without
//! asking first: so this stands before every operation that changes something. Never reads a body.

use axum::http::{HeaderMap, header};

use super::operation::{JSON, Operation, Verb};
use super::problem::{Kind, Problem};

/// Lets a request through if its body is of the kind that the operation takes.
///
/// # Errors
///
/// The problem that says which content type it has to be.
pub(super) fn check(operation: &Operation, headers: &HeaderMap) -> Result<(), Problem> {
    if !matches!(operation.verb, Verb::Post | Verb::Patch) {
        return Ok(());
    }
    let taken = operation.body.as_ref().map_or(JSON, |body| body.content_type);
    if is_of(headers, taken) {
        return Ok(());
    }
    let method = operation.verb.name().to_ascii_uppercase();
    let reason = format!("the content type of a {method} to this path must be {taken}");
    Err(Problem::new(Kind::UnsupportedMediaType, reason))
}

/// A body of this content type, or none at all.
fn is_of(headers: &HeaderMap, content_type: &str) -> bool {
    match headers.get(header::CONTENT_TYPE) {
        Some(value) => {
            let value = value.to_str().unwrap_or_default();
            let media = value.split(';').next().unwrap_or_default().trim();
            media.eq_ignore_ascii_case(content_type)
        }
        None => {
            let length = headers.get(header::CONTENT_LENGTH);
            let is_empty = length.is_none_or(|length| length == "0");
            is_empty && !headers.contains_key(header::TRANSFER_ENCODING)
        }
    }
}
