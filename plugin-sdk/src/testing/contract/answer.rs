//! The gateway's checks of the answers that a provider gives.
//!
//! Which digests an answer may have is not checked here.

use super::{at_most, content_type, message};
use crate::answer::headers_bytes;
use crate::claims::{Answer, Piece, Value};
use crate::limits::{HEADERS_BYTES_MAX, REPLY_BYTES_MAX};
use crate::request::Header;

/// Most headers beside the content type.
const HEADERS_MAX: usize = 8;
/// Most pieces of a body.
const PIECES_MAX: usize = 16;
/// The statuses that HTTP allows no body.
const WITHOUT_BODY: [u16; 2] = [204, 205];
/// Headers that a plugin may not set.
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
/// How the names of others begin.
const RESERVED_BEGINNINGS: [&str; 4] = ["access-control-", "proxy-", "x-accel-", "x-sendfile"];

/// Checks the answer in a field, to a request with these values.
pub(super) fn answer(field: &str, answer: &Answer, values: &[Value]) -> Result<(), String> {
    let Answer { status, content_type: kind, headers, body } = answer;
    if !(200..=299).contains(status) {
        return Err(format!("`{field}` must have a status of 200 to 299, not {status}"));
    }
    pieces(field, body, values)?;
    let is_empty = is_empty(body);
    if WITHOUT_BODY.contains(status) && !is_empty {
        return Err(format!("`{field}` has a body, which the status {status} does not allow"));
    }
    let bytes: usize = body.iter().map(given).sum();
    if bytes > REPLY_BYTES_MAX {
        let most = REPLY_BYTES_MAX;
        return Err(format!("`{field}` has a body of {bytes} bytes; the limit is {most}"));
    }
    if !(kind.is_empty() && is_empty) {
        content_type(field, kind)?;
    }
    at_most(field, headers.len(), HEADERS_MAX)?;
    if !headers.iter().all(is_header) {
        return Err(format!("`{field}` has an invalid header or one that HTTP needs"));
    }
    match headers_bytes(headers) {
        ..=HEADERS_BYTES_MAX => Ok(()),
        bytes => {
            let most = HEADERS_BYTES_MAX;
            Err(format!("`{field}` has {bytes} bytes of headers; the limit is {most}"))
        }
    }
}

fn pieces(field: &str, body: &[Piece], values: &[Value]) -> Result<(), String> {
    at_most(field, body.len(), PIECES_MAX)?;
    message::pieces(field, body, values)?;
    let is_plain = |piece: &Piece| match piece {
        Piece::Text(_) | Piece::Bytes(_) => true,
        Piece::Value(part) => {
            matches!(message::named(field, part.index, values), Ok(Value::Digest(_)))
        }
        Piece::Body | Piece::Secret(_) => false,
    };
    if body.iter().all(is_plain) {
        Ok(())
    } else {
        Err(format!("`{field}` may have texts, bytes and digests only"))
    }
}

/// The bytes that the plugin gives.
fn given(piece: &Piece) -> usize {
    match piece {
        Piece::Text(text) => text.len(),
        Piece::Bytes(bytes) => bytes.len(),
        Piece::Body | Piece::Secret(_) | Piece::Value(_) => 0,
    }
}

/// Whether there is no body; an empty text is none.
pub(super) fn is_empty(body: &[Piece]) -> bool {
    body.iter().all(|piece| matches!(piece, Piece::Text(_) | Piece::Bytes(_)) && given(piece) == 0)
}

fn is_header(Header { name, value }: &Header) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_visible = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
    let lower = name.to_ascii_lowercase();
    let is_reserved = RESERVED.contains(&&*lower)
        || RESERVED_BEGINNINGS.iter().any(|start| lower.starts_with(start));
    !name.is_empty() && name.bytes().all(known) && !is_reserved && value.bytes().all(is_visible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(changed: &Answer, expected: &str) {
        assert_eq!(answer("claims.reply", changed, &[]), Err(format!("`claims.reply` {expected}")));
    }

    #[test]
    fn an_answer_is_one_that_http_and_the_gateway_allow() {
        let plain = || Answer::new("text/plain", "ok");
        assert_eq!(answer("claims.reply", &plain(), &[]), Ok(()));
        assert_eq!(answer("claims.reply", &Answer::no_content(), &[]), Ok(()));
        let status = |status| Answer { status, ..plain() };
        check(&status(302), "must have a status of 200 to 299, not 302");
        check(&status(204), "has a body, which the status 204 does not allow");
        check(&Answer::new("", "ok"), "has 0 bytes, not 1 to 255");
        check(&Answer::new("text/x\n", "ok"), "has characters that a header can't have");
        let large = "x".repeat(REPLY_BYTES_MAX + 1);
        check(&Answer::new("text/plain", large), "has a body of 65537 bytes; the limit is 65536");
        let body = |piece| Answer { body: vec![piece], ..plain() };
        check(&body(Piece::Body), "may have texts, bytes and digests only");
        check(
            &body(Piece::of_value(0, crate::claims::DigestText::Hex)),
            "names value 0, which is not before it",
        );
        for (name, value) in [
            ("Location", "/"),
            ("X-Accel-Redirect", "/"),
            ("a b", "c"),
            ("a", "b\r\nc: d"),
            ("", "b"),
        ] {
            let header = Header { name: name.to_owned(), value: value.to_owned() };
            let headers = Answer { headers: vec![header], ..plain() };
            check(&headers, "has an invalid header or one that HTTP needs");
        }
        let header = Header { name: "a".to_owned(), value: "b".repeat(4_096) };
        let headers = Answer { headers: vec![header], ..plain() };
        check(&headers, "has 4097 bytes of headers; the limit is 4096");
    }
}
