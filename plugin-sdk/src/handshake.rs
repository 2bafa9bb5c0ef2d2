//! Answers to a provider that asks whether the endpoint is ours.
//!
//! A plugin says what belongs into the answer; what needs the secret is for the gateway to compute.
//! What is read back was chosen by whoever asks: more of it than the gateway gives is refused here,
//! or it would be the plugin that breaks the contract.

use crate::claims::{AnswerPiece, Digest, DigestText, Handshake, Hmac, KeyEncoding};
use crate::limits;
use crate::request::Header;

impl Handshake {
    /// Whether the gateway gives this answer.
    pub(crate) fn fits(&self) -> bool {
        let (mut bytes, mut digested) = (0, true);
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
