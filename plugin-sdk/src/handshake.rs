//! Answers to validation challenges, by which a provider checks that the endpoint is yours.
//!
//! A plugin says what the answer contains, and the gateway computes the digests, which need the
//! secret. Anybody may send a challenge and choose its text. So an answer beyond the gateway's
//! limits is refused: the gateway would count it as a violation of the contract by the plugin.

use crate::claims::{Answer, Digest, DigestText, Hash, KeyEncoding, Piece, Value, ValuePart};
use crate::request::Header;

/// The answer to a validation challenge.
#[derive(Debug, Clone, PartialEq)]
pub struct Handshake {
    /// 200 to 299.
    pub status: u16,
    /// `text/plain` or `application/json`.
    pub content_type: String,
    /// Further headers.
    pub headers: Vec<Header>,
    /// The body, in order.
    pub body: Vec<AnswerPiece>,
}

/// A part of the answer to a validation challenge.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerPiece {
    /// A text.
    Text(String),
    /// A digest, and how it is written.
    Digest(Digest, DigestText),
}

impl Handshake {
    /// Answers 200 with a plain text.
    pub fn text(body: impl IntoIterator<Item = AnswerPiece>) -> Self {
        Self::new("text/plain", body)
    }

    /// Answers 200 with JSON. Put texts into it with [`crate::json::quoted`].
    pub fn json(body: impl IntoIterator<Item = AnswerPiece>) -> Self {
        Self::new("application/json", body)
    }

    fn new(content_type: &str, body: impl IntoIterator<Item = AnswerPiece>) -> Self {
        Self {
            status: 200,
            content_type: content_type.to_owned(),
            headers: Vec::new(),
            body: body.into_iter().collect(),
        }
    }

    /// With this header too.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(Header { name: name.to_owned(), value: value.into() });
        self
    }

    /// The answer, with its digests behind the values that are there.
    pub(crate) fn answer(self, values: &mut Vec<Value>) -> Answer {
        let piece = |piece| match piece {
            AnswerPiece::Text(text) => Piece::Text(text),
            AnswerPiece::Digest(digest, written) => {
                let index = u32::try_from(values.len()).unwrap_or(u32::MAX);
                values.push(Value::Digest(digest));
                Piece::Value(ValuePart { index, written, start: 0, end: None })
            }
        };
        let Self { status, content_type, headers, body } = self;
        let body = body.into_iter().map(piece).collect();
        Answer { status, content_type, headers, body }
    }
}

impl AnswerPiece {
    /// An HMAC in hexadecimal. The gateway computes it with the first of the source's secrets that
    /// is a key of this encoding.
    pub fn hex_hmac(hash: Hash, key: KeyEncoding, message: impl Into<String>) -> Self {
        let message = vec![Piece::Text(message.into())];
        Self::Digest(Digest { hash, key: Some(key.into()), message }, DigestText::Hex)
    }
}

impl From<&str> for AnswerPiece {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for AnswerPiece {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Claims;

    #[test]
    fn a_digest_is_a_value_that_the_answer_names() {
        let digest = AnswerPiece::hex_hmac(Hash::Sha256, KeyEncoding::Text, "abc");
        let claims = Claims::asking(Handshake::json(["{\"a\":\"".into(), digest, "\"}".into()]));
        assert_eq!(claims.values.len(), 1);
        let body = claims.handshake.unwrap().body;
        assert_eq!(body[1], Piece::of_value(0, DigestText::Hex));
        assert_eq!(body.len(), 3);
    }
}
