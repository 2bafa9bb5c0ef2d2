//! Answers to accepted requests, and the limits of all answers.
//!
//! Most providers read the status alone. If a provider reads the body, its plugin sets it here. An
//! answer beyond the gateway's limits never leaves the plugin: the request is refused, because the
//! gateway would count the answer as a violation of the contract.

use crate::claims::{Answer, Claims, Piece, Refusal, Value};
use crate::limits;
use crate::request::Header;

impl Answer {
    /// Answers 200 with a body of this content type.
    pub fn new(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let body: Vec<u8> = body.into();
        let body = if body.is_empty() { Vec::new() } else { vec![Piece::Bytes(body)] };
        Self { status: 200, content_type: content_type.to_owned(), headers: Vec::new(), body }
    }

    /// Answers 200 with JSON. Put texts into it with [`crate::json::quoted`].
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new("application/json", body)
    }

    /// Answers 200 with an empty body.
    pub fn empty() -> Self {
        Self::new("", "")
    }

    /// Answers 204 without a body.
    pub fn no_content() -> Self {
        Self { status: 204, ..Self::empty() }
    }
}

/// Refuses a request whose answer is beyond the gateway's limits: the sender may have chosen its
/// text.
pub(crate) fn answerable(claims: Claims) -> Result<Claims, Refusal> {
    let asked = claims.handshake.as_ref().map_or(0, |it| asked_bytes(it, &claims.values));
    let fits = |reply: &Answer| {
        given(&reply.body) <= limits::REPLY_BYTES_MAX
            && headers_bytes(&reply.headers) <= limits::HEADERS_BYTES_MAX
    };
    if asked <= limits::HANDSHAKE_BYTES_MAX && claims.reply.as_ref().is_none_or(fits) {
        Ok(claims)
    } else {
        Err(Refusal::new("the answer to it would be outside the gateway's limits"))
    }
}

/// How many bytes of texts, headers and digested messages the answer to a challenge has.
pub(crate) fn asked_bytes(answer: &Answer, values: &[Value]) -> usize {
    given(&answer.body) + headers_bytes(&answer.headers) + digested(&answer.body, values)
}

/// How many bytes these names and values have.
pub(crate) fn headers_bytes(headers: &[Header]) -> usize {
    headers.iter().map(|header| header.name.len() + header.value.len()).sum()
}

/// How many bytes of these pieces the plugin gives.
fn given(pieces: &[Piece]) -> usize {
    let bytes = |piece: &Piece| match piece {
        Piece::Text(text) => text.len(),
        Piece::Bytes(bytes) => bytes.len(),
        Piece::Body | Piece::Secret(_) | Piece::Value(_) => 0,
    };
    pieces.iter().map(bytes).sum()
}

/// How many bytes are in the messages of the digests that these pieces name.
fn digested(pieces: &[Piece], values: &[Value]) -> usize {
    let value = |piece: &Piece| match piece {
        Piece::Value(part) => usize::try_from(part.index).ok().and_then(|at| values.get(at)),
        Piece::Text(_) | Piece::Bytes(_) | Piece::Body | Piece::Secret(_) => None,
    };
    let message = |value: &Value| match value {
        Value::Digest(digest) => given(&digest.message),
        Value::Decrypted(_) => 0,
    };
    pieces.iter().filter_map(value).map(message).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{Evidence, Hash, KeyEncoding};
    use crate::handshake::{AnswerPiece, Handshake};

    #[test]
    fn an_answer_that_the_gateway_does_not_give_is_a_refusal() {
        let claims = || Claims::new(Evidence::token("t"), None::<String>);
        let asking = |bytes| Handshake::text(["a".repeat(bytes).into()]);
        for (bytes, fits) in [(4 << 10, true), ((4 << 10) + 1, false)] {
            assert_eq!(answerable(claims().with_handshake(asking(bytes))).is_ok(), fits, "{bytes}");
            let message = "a".repeat(bytes);
            let digest = AnswerPiece::hex_hmac(Hash::Sha256, KeyEncoding::Text, message);
            let digested = claims().with_handshake(Handshake::text([digest]));
            assert_eq!(answerable(digested).is_ok(), fits, "{bytes}");
        }
        let with_header = |bytes| asking(bytes).with_header("x", "abc");
        assert!(answerable(claims().with_handshake(with_header(4_092))).is_ok());
        assert!(answerable(claims().with_handshake(with_header(4_093))).is_err());
        for (bytes, fits) in [(64 << 10, true), ((64 << 10) + 1, false)] {
            let claims = claims().with_reply(Answer::json(vec![b' '; bytes]));
            assert_eq!(answerable(claims).is_ok(), fits, "{bytes}");
        }
        for (bytes, fits) in [(4_095, true), (4_096, false)] {
            let headers = vec![Header { name: "a".to_owned(), value: "b".repeat(bytes) }];
            let claims = claims().with_reply(Answer { headers, ..Answer::empty() });
            assert_eq!(answerable(claims).is_ok(), fits, "{bytes}");
        }
    }
}
