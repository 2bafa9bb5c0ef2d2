//! The answer to a validation challenge, by which a provider checks that the endpoint is yours.
//!
//! A digest in it is made with the very secret that proves requests, so this file draws the line
//! between the two: what anybody may have digested is short and hexadecimal, and such a text is
//! never evidence ([`super::verify`] asks). Never digests a body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::{Error, key, mac};
use crate::provider::{AnswerPiece, DigestText, Handshake};
use crate::secrets::Secret;

/// Longest text that is digested for anybody, in bytes.
pub(super) const OPEN_BYTES_MAX: usize = 64;

/// The body of the answer. `proven` says that the evidence of the request was checked; where it was
/// not, anybody may have sent it.
pub(crate) fn answer(
    handshake: &Handshake,
    secrets: &[Secret],
    proven: bool,
) -> Result<Bytes, Error> {
    let mut body = Vec::new();
    for piece in &handshake.body {
        match piece {
            AnswerPiece::Text(text) => body.extend_from_slice(text.as_bytes()),
            AnswerPiece::Digest { algorithm, key, message, written } => {
                if !proven && !is_for_anybody([message.as_bytes()].into_iter()) {
                    return Err(Error::Oracle);
                }
                let mut keys = secrets.iter().filter_map(|secret| key::mac_key(*key, secret));
                let key = keys.next().ok_or(Error::NoUsableSecret)?;
                let digest = mac(*algorithm, &key, [message.as_bytes()].into_iter());
                let text = match written {
                    DigestText::Hex => hex::encode(digest),
                    DigestText::Base64 => STANDARD.encode(digest),
                };
                body.extend_from_slice(text.as_bytes());
            }
        }
    }
    Ok(body.into())
}

/// Whether a text is one that is digested for whoever asks.
pub(super) fn is_for_anybody<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut length = 0;
    for piece in pieces {
        length += piece.len();
        let hexadecimal = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if length > OPEN_BYTES_MAX || !piece.iter().all(hexadecimal) {
            return false;
        }
    }
    length > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::Headers;
    use crate::provider::{Hmac, KeyEncoding};

    fn asked(message: &str) -> Handshake {
        let digest = AnswerPiece::Digest {
            algorithm: Hmac::Sha1,
            key: KeyEncoding::Sha1,
            message: message.to_owned(),
            written: DigestText::Hex,
        };
        Handshake {
            status: 200,
            content_type: "text/plain".to_owned(),
            headers: Headers::default(),
            body: vec![AnswerPiece::Text("integration_public_key|".to_owned()), digest],
        }
    }

    fn secrets(texts: &[&str]) -> Vec<Secret> {
        texts.iter().map(|text| Secret::new(text).unwrap()).collect()
    }

    #[test]
    fn the_constant_that_braintree_publishes_is_answered() {
        let secrets = secrets(&["integration_private_key", "another"]);
        let answer = answer(&asked("20f9f8ed05f77439fe955c977e4c8a53"), &secrets, false);
        let expected = "integration_public_key|d9b899556c966b3f06945ec21311865d35df3ce4";
        assert_eq!(answer, Ok(Bytes::from(expected)));
    }

    #[test]
    fn whoever_proves_nothing_has_only_short_hexadecimal_texts_digested() {
        let secrets = secrets(&["key"]);
        let long = "a".repeat(65);
        for message in ["", "xyz", "ABCDEF", "ab cd", "{}", "v0:1:{}", long.as_str()] {
            assert_eq!(answer(&asked(message), &secrets, false), Err(Error::Oracle), "{message}");
            assert!(answer(&asked(message), &secrets, true).is_ok(), "{message}");
        }
        assert!(answer(&asked(&long[..64]), &secrets, false).is_ok());
    }

    #[test]
    fn without_a_secret_there_is_no_digest() {
        assert_eq!(answer(&asked("ab"), &[], true), Err(Error::NoUsableSecret));
    }

    #[test]
    fn a_text_in_pieces_is_judged_as_one() {
        let open = |pieces: &[&str]| is_for_anybody(pieces.iter().map(|piece| piece.as_bytes()));
        assert!(open(&["ab", "", "01"]));
        assert!(!open(&[]) && !open(&["", ""]) && !open(&["ab", "."]));
        assert!(!open(&["a".repeat(40).as_str(), "b".repeat(40).as_str()]));
    }
}
