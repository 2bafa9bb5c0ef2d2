//! The answers that a plugin gives, held against the contract: to a request that is stored, and to
//! a validation challenge.
//!
//! What anybody on the network may cause to be answered is kept small and plain here: no page, no
//! cookie, no header that HTTP itself lives on. Who proved a request may get any content type. What
//! may be digested is [`crate::signature`]'s to say.

use http::{HeaderName, HeaderValue, Method};

use super::super::bindings::exports::hookgate::plugin::provider;
use super::super::bindings::hookgate::plugin::types;
use super::super::violation::{self, Violation, violation};
use super::message::{self, Given};
use crate::headers::Headers;
use crate::provider::{Answer, Piece, Value};

/// The methods beside POST that are read at all.
const METHODS: [Method; 3] = [Method::GET, Method::HEAD, Method::OPTIONS];
/// Most headers beside the content type.
const HEADERS_MAX: usize = 8;
/// Most pieces of a body.
const PIECES_MAX: usize = 16;
/// Largest body of an answer, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Largest headers of an answer, their names and values together.
const HEADERS_BYTES_MAX: usize = 4 << 10;
/// Largest text in the answer to a challenge, all of it together.
const TEXT_BYTES_MAX: usize = 4 << 10;
/// The statuses that HTTP allows no body.
const WITHOUT_BODY: [u16; 2] = [204, 205];
/// What a browser never takes for a page.
const CONTENT_TYPES: [&str; 2] = ["text/plain", "application/json"];
/// Headers that are not a plugin's to set: what HTTP and the gateway need themselves, and what
/// browsers obey.
const RESERVED: [&str; 21] = [
    "alt-svc",
    "clear-site-data",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "hookgate-duplicate",
    "keep-alive",
    "link",
    "location",
    "refresh",
    "set-cookie",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
    "x-content-type-options",
];
/// How others begin: those of browsers, and those by which a proxy sends a file of its own.
const RESERVED_BEGINNINGS: [&str; 4] = ["access-control-", "proxy-", "x-accel-", "x-sendfile"];

/// The methods by which a provider sends its challenges.
pub(super) fn methods(names: Vec<String>) -> Result<Vec<Method>, Violation> {
    let field = "provider-info.handshakes";
    let method = |name: String| {
        let known = METHODS.into_iter().find(|method| method.as_str() == name);
        known.ok_or_else(|| {
            let shown = violation::shortened(&name, 16);
            violation(field, format!("has `{shown}`, not GET, HEAD or OPTIONS"))
        })
    };
    let names = violation::at_most(field, names, METHODS.len())?;
    names.into_iter().map(method).collect()
}

/// The methods by which a provider sends its events.
pub(super) fn event_methods(names: &[String]) -> Result<Vec<Method>, Violation> {
    match names {
        [] => Ok(Vec::new()),
        [name] if name == "GET" => Ok(vec![Method::GET]),
        _ => Err(violation("provider-info.methods", "may have GET and no other method")),
    }
}

/// The answer in this field, `provider-info.reply` or `claims.reply`, to a request with these
/// values.
pub(super) fn reply(
    field: &'static str,
    answer: provider::Answer,
    values: &[Value],
) -> Result<Answer, Violation> {
    let status = answer.status;
    let content_type = answer.content_type;
    if !(200..=299).contains(&status) {
        return Err(violation(field, format!("must have a status of 200 to 299, not {status}")));
    }
    let body = body(field, answer.body, values)?;
    if WITHOUT_BODY.contains(&status) && !body.is_empty() {
        let reason = format!("has a body, which the status {status} does not allow");
        return Err(violation(field, reason));
    }
    let bytes = given(&body);
    if bytes > BODY_BYTES_MAX {
        let reason = format!("has a body of {bytes} bytes; the limit is {BODY_BYTES_MAX}");
        return Err(violation(field, reason));
    }
    let content_type = match content_type.as_str() {
        "" if body.is_empty() => content_type,
        _ => violation::content_type(field, content_type)?,
    };
    Ok(Answer { status, content_type, headers: headers(field, answer.headers)?, body })
}

/// The answer to a challenge.
pub(super) fn handshake(answer: provider::Answer, values: &[Value]) -> Result<Answer, Violation> {
    let field = "claims.handshake";
    let answer = reply(field, answer, values)?;
    let essence = answer.content_type.split(';').next().unwrap_or_default().trim();
    if !(answer.body.is_empty() && essence.is_empty() || CONTENT_TYPES.contains(&essence)) {
        return Err(violation(field, "must be text/plain or application/json"));
    }
    let digested = answer.body.iter().map(|piece| match piece {
        Piece::Value(part) => values.get(part.index).map_or(0, message::given),
        Piece::Bytes(_) | Piece::Body | Piece::Secret(_) => 0,
    });
    let text = given(&answer.body) + answer.headers.bytes() + digested.sum::<usize>();
    if text > TEXT_BYTES_MAX {
        let reason = format!(
            "must have at most {TEXT_BYTES_MAX} bytes of texts, headers and digested messages"
        );
        return Err(violation(field, reason));
    }
    Ok(answer)
}

fn body(
    field: &'static str,
    pieces: Vec<provider::Piece>,
    values: &[Value],
) -> Result<Vec<Piece>, Violation> {
    let pieces = violation::at_most(field, pieces, PIECES_MAX)?;
    let given = Given { field, values };
    let pieces = given.pieces(pieces)?;
    let is_plain = |piece: &Piece| match piece {
        Piece::Bytes(_) => true,
        Piece::Value(part) => matches!(values.get(part.index), Some(Value::Digest(_))),
        Piece::Body | Piece::Secret(_) => false,
    };
    if !pieces.iter().all(is_plain) {
        return Err(violation(field, "may have texts, bytes and digests only"));
    }
    // An empty text is no body.
    let is_empty = |piece: &Piece| matches!(piece, Piece::Bytes(bytes) if bytes.is_empty());
    Ok(if pieces.iter().all(is_empty) { Vec::new() } else { pieces })
}

/// How many bytes the plugin gave; digests are short.
fn given(pieces: &[Piece]) -> usize {
    let bytes = |piece: &Piece| if let Piece::Bytes(bytes) = piece { bytes.len() } else { 0 };
    pieces.iter().map(bytes).sum()
}

fn headers(field: &'static str, headers: Vec<types::HeaderResult>) -> Result<Headers, Violation> {
    let headers = violation::at_most(field, headers, HEADERS_MAX)?;
    let header = |header: types::HeaderResult| {
        let name = header.name.parse::<HeaderName>().ok().filter(|name| !is_reserved(name));
        match (name, HeaderValue::from_str(&header.value)) {
            (Some(name), Ok(_)) => Ok((name.as_str().to_owned(), header.value)),
            _ => Err(violation(field, "has an invalid header or one that HTTP needs")),
        }
    };
    let headers = headers.into_iter().map(header).collect::<Result<Headers, Violation>>()?;
    match headers.bytes() {
        ..=HEADERS_BYTES_MAX => Ok(headers),
        bytes => {
            let reason = format!("has {bytes} bytes of headers; the limit is {HEADERS_BYTES_MAX}");
            Err(violation(field, reason))
        }
    }
}

fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str();
    RESERVED.contains(&name) || RESERVED_BEGINNINGS.iter().any(|start| name.starts_with(*start))
}

#[cfg(test)]
mod tests;
