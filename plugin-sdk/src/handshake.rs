//! Answers to a provider that asks whether the endpoint is ours.
//!
//! A plugin says what belongs into the answer; what needs the secret is for the gateway to compute.

use crate::claims::{AnswerPiece, Digest, DigestText, Handshake, Hmac, KeyEncoding};
use crate::request::Header;

impl Handshake {
    /// 200 and a plain text.
    pub fn text(body: impl IntoIterator<Item = AnswerPiece>) -> Self {
        Self::new("text/plain", body)
    }

    /// 200 and JSON. Put texts into it with [`crate::json::quoted`].
    pub fn json(body: impl IntoIterator<Item = AnswerPiece>) -> Self {
        Self::new("application/json", body)
    }

    fn new(content_type: &str, body: impl IntoIterator<Item = AnswerPiece>) -> Self {
        let (content_type, headers) = (content_type.to_owned(), Vec::new());
        Self { status: 200, content_type, headers, body: body.into_iter().collect() }
    }

    /// With a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(Header { name: name.to_owned(), value: value.into() });
        self
    }
}

impl AnswerPiece {
    /// An HMAC in hexadecimal, computed with the source's first secret that fits.
    pub fn hex_hmac(algorithm: Hmac, key: KeyEncoding, message: impl Into<String>) -> Self {
        let (message, written) = (message.into(), DigestText::Hex);
        Self::Digest(Digest { algorithm, key, message, written })
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
