//! Answers to a provider that asks whether the endpoint is ours.
//!
//! A plugin says what belongs into the answer; what needs the secret is for the gateway to compute. What
//! is read back was chosen by whoever asks: more of it than the gateway gives is refused here, or it would
//! be the plugin that breaks the contract.

use crate::claims::{
    AnswerPiece, Claims, Digest, DigestText, Handshake, Hmac, KeyEncoding, Refusal,
};
use crate::request::Header;

/// Most bytes of an answer, with its headers.
const ANSWER_BYTES_MAX: usize = 4 << 10;
/// Most bytes that are digested.
const DIGESTED_BYTES_MAX: usize = 1 << 10;

/// Refuses what asks for an answer that the gateway does not give.
pub(crate) fn answerable(claims: Claims) -> Result<Claims, Refusal> {
    if claims.handshake.as_ref().is_none_or(Handshake::fits) {
        Ok(claims)
    } else {
        Err(Refusal::new("what it wants to read back is too long, or nothing"))
    }
}

impl Handshake {
    /// Whether the gateway gives this answer.
    fn fits(&self) -> bool {
        let (mut bytes, mut digested) = (0, true);
        for header in &self.headers {
            bytes += header.name.len() + header.value.len();
        }
        for piece in &self.body {
            match piece {
                AnswerPiece::Text(text) => bytes += text.len(),
                AnswerPiece::Digest(Digest { message, .. }) => {
                    bytes += message.len();
                    digested &= (1..=DIGESTED_BYTES_MAX).contains(&message.len());
                }
            }
        }
        bytes <= ANSWER_BYTES_MAX && digested
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
    use crate::claims::Evidence;

    fn asked(handshake: Handshake) -> Result<Claims, Refusal> {
        let claims = Claims::new(Evidence::token("t"), None::<String>);
        answerable(Claims { handshake: Some(handshake), ..claims })
    }

    #[test]
    fn what_the_gateway_gives_is_asked_for() {
        let digest =
            |bytes| AnswerPiece::hex_hmac(Hmac::Sha256, KeyEncoding::Text, "a".repeat(bytes));
        for bytes in [1, 1024] {
            assert!(asked(Handshake::text([digest(bytes)])).is_ok(), "{bytes}");
        }
        for bytes in [0, 1025] {
            assert!(asked(Handshake::text([digest(bytes)])).is_err(), "{bytes}");
        }
        let text = |bytes| Handshake::text(["a".repeat(bytes).into()]);
        assert!(asked(text(4096)).is_ok() && asked(text(4097)).is_err());
        assert!(asked(text(4092).with_header("x", "abc")).is_ok());
        assert!(asked(text(4093).with_header("x", "abc")).is_err());
    }
}
