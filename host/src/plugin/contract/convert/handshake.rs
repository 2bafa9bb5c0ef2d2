//! The answer to a handshake as a plugin gives it, held against the contract.
//!
//! What anybody on the network may cause to be answered is kept small and plain here: no page, no
//! cookie, no header that HTTP itself lives on. What may be digested is [`crate::signature`]'s to
//! say.

use http::{HeaderName, HeaderValue, Method, header};

use super::super::bindings::exports::hookgate::plugin::provider;
use super::super::bindings::hookgate::plugin::types;
use super::super::violation::{self, Violation, violation};
use crate::headers::Headers;
use crate::provider::{AnswerPiece, DigestText, Handshake};

/// The methods beside POST that are read at all.
const METHODS: [Method; 2] = [Method::GET, Method::OPTIONS];
/// Most headers beside the content type.
const HEADERS_MAX: usize = 8;
/// Most pieces of a body.
const PIECES_MAX: usize = 16;
/// Largest text in an answer, all of it together.
const TEXT_BYTES_MAX: usize = 4 << 10;
/// Longest text that is digested.
const DIGESTED_BYTES_MAX: usize = 1 << 10;
/// What a browser never takes for a page.
const CONTENT_TYPES: [&str; 2] = ["text/plain", "application/json"];
/// Headers that are not a plugin's to set.
const RESERVED: [HeaderName; 12] = [
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::DATE,
    header::LOCATION,
    header::REFRESH,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The methods that a provider names.
pub(super) fn methods(names: Vec<String>) -> Result<Vec<Method>, Violation> {
    let method = |name: String| {
        let known = METHODS.into_iter().find(|method| method.as_str() == name);
        known.ok_or_else(|| {
            let shown = violation::shortened(&name, 16);
            violation("provider-info.handshakes", format!("has `{shown}`, not GET or OPTIONS"))
        })
    };
    names.into_iter().map(method).collect()
}

/// The answer that a provider wants.
pub(super) fn handshake(handshake: provider::Handshake) -> Result<Handshake, Violation> {
    if !(200..=299).contains(&handshake.status) {
        let reason = format!("must be 200 to 299, not {}", handshake.status);
        return Err(violation("handshake.status", reason));
    }
    let content_type = violation::content_type("handshake.content-type", handshake.content_type)?;
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !CONTENT_TYPES.contains(&essence) {
        return Err(violation("handshake.content-type", "must be text/plain or application/json"));
    }
    let headers = violation::at_most("handshake.headers", handshake.headers, HEADERS_MAX)?
        .into_iter()
        .map(header)
        .collect::<Result<Headers, _>>()?;
    let pieces = violation::at_most("handshake.body", handshake.body, PIECES_MAX)?;
    let body = pieces.into_iter().map(piece).collect::<Result<Vec<_>, _>>()?;
    let text: usize = body.iter().map(bytes).sum();
    if text + headers.bytes() > TEXT_BYTES_MAX {
        let reason = format!("must have at most {TEXT_BYTES_MAX} bytes of texts and headers");
        return Err(violation("handshake", reason));
    }
    Ok(Handshake { status: handshake.status, content_type, headers, body })
}

fn header(header: types::HeaderResult) -> Result<(String, String), Violation> {
    let name = header.name.parse::<HeaderName>().ok().filter(|name| !RESERVED.contains(name));
    match (name, HeaderValue::from_str(&header.value)) {
        (Some(name), Ok(_)) => Ok((name.as_str().to_owned(), header.value)),
        _ => Err(violation("handshake.headers", "has an invalid header or one that HTTP needs")),
    }
}

fn piece(piece: provider::AnswerPiece) -> Result<AnswerPiece, Violation> {
    Ok(match piece {
        provider::AnswerPiece::Text(text) => AnswerPiece::Text(text),
        provider::AnswerPiece::Digest(digest) => AnswerPiece::Digest {
            algorithm: super::hmac(digest.algorithm),
            key: super::key_encoding(digest.key),
            message: violation::text("digest.message", digest.message, DIGESTED_BYTES_MAX)?,
            written: match digest.written {
                provider::DigestText::Hex => DigestText::Hex,
                provider::DigestText::Base64 => DigestText::Base64,
            },
        },
    })
}

/// How much of a piece the plugin gave.
fn bytes(piece: &AnswerPiece) -> usize {
    match piece {
        AnswerPiece::Text(text) => text.len(),
        AnswerPiece::Digest { message, .. } => message.len(),
    }
}

#[cfg(test)]
mod tests;
