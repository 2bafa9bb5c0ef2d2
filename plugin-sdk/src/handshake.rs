//! Answers to validation challenges, by which a provider checks that the endpoint is yours.
//!
//! A plugin says what the answer contains, and the gateway computes the digests, which need the
//! secret. Anybody may send a challenge and choose its text. So an answer beyond the gateway's
//! limits is refused here: the gateway would count it as a violation of the contract by the plugin.

use crate::claims::{AnswerPiece, Digest, DigestText, Handshake, Hmac, KeyEncoding};
use crate::limits;
use crate::request::Header;

impl Handshake {
    /// Whether this answer is within the gateway's limits.
    pub(crate) fn fits(&self) -> bool {
        let mut bytes = 0;
        let mut digested = true;
        for header in &self.headers {
            bytes += header.name.len() + header.value.len();
        }
        for piece in &self.body {
            match piece {
                AnswerPiece::Text(text) => bytes += text.len(),
                AnswerPiece::Digest(Digest { message, .. }) => {
                    bytes += message.len();
                    digested &= (1..=limits::DIGESTED_BYTES_MAX).contains(&message.len());
                }
            }
        }
        bytes <= limits::HANDSHAKE_BYTES_MAX && digested
    }

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
}

impl AnswerPiece {
    /// An HMAC in hexadecimal. The gateway computes it with the first of the source's secrets that
    /// is a key of this encoding.
    pub fn hex_hmac(algorithm: Hmac, key: KeyEncoding, message: impl Into<String>) -> Self {
        Self::Digest(Digest { algorithm, key, message: message.into(), written: DigestText::Hex })
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

    #[test]
    fn what_the_gateway_gives_is_asked_for() {
        let digest =
            |bytes| AnswerPiece::hex_hmac(Hmac::Sha256, KeyEncoding::Text, "a".repeat(bytes));
        for bytes in [1, 1024] {
            assert!(Handshake::text([digest(bytes)]).fits(), "{bytes}");
        }
        for bytes in [0, 1025] {
            assert!(!Handshake::text([digest(bytes)]).fits(), "{bytes}");
        }
        let text = |bytes| Handshake::text(["a".repeat(bytes).into()]);
        assert!(text(4096).fits() && !text(4097).fits());
        assert!(text(4092).with_header("x", "abc").fits());
        assert!(!text(4093).with_header("x", "abc").fits());
    }
}
