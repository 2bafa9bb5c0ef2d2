//! What the gateway digests for anybody, as the answer to a validation challenge, and therefore
//! never accepts as evidence.
//!
//! Nothing is digested here.

use super::cost;
use super::message::Materials;
use crate::claims::{Claims, Digest, Piece, Proof, Value};

/// Longest text that the gateway digests for anybody, in bytes.
const OPEN_BYTES_MAX: usize = 64;

/// Whether the gateway computes a value for anybody who requests it.
pub(super) fn is_open(value: &Value) -> bool {
    let Value::Digest(digest) = value else { return false };
    let mut message = Vec::new();
    for piece in &digest.message {
        match piece {
            Piece::Text(text) => message.extend_from_slice(text.as_bytes()),
            Piece::Bytes(bytes) => message.extend_from_slice(bytes),
            Piece::Body | Piece::Secret(_) | Piece::Value(_) => return false,
        }
    }
    digest.key.is_some() && is_for_anybody(&message)
}

/// Whether evidence is made of an HMAC that anybody can get. Its messages are made of these
/// materials, one with each secret.
pub(super) fn is_evidence(claims: &Claims, keyed: &[Materials<'_>]) -> bool {
    let used = cost::used(claims);
    let values = claims.values.iter().zip(used).filter_map(|(value, used)| match value {
        Value::Digest(digest) if used => Some(digest),
        Value::Digest(_) | Value::Decrypted(_) => None,
    });
    let macs = cost::proofs(claims).filter_map(|proof| match proof {
        Proof::Mac(mac) => Some(&mac.digest),
        Proof::Signature(_) | Proof::Jws(_) | Proof::Token(_) | Proof::Decrypted(_) => None,
    });
    values.chain(macs).any(|digest| is_digested(digest, keyed))
}

fn is_digested(digest: &Digest, keyed: &[Materials<'_>]) -> bool {
    let is_secret = |piece: &Piece| matches!(piece, Piece::Secret(_));
    let mut messages = keyed.iter().filter_map(|materials| materials.message(&digest.message));
    digest.key.is_some()
        && !digest.message.iter().any(is_secret)
        && messages.any(|message| is_for_anybody(&message))
}

/// Whether the gateway digests this message for anybody.
fn is_for_anybody(message: &[u8]) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (1..=OPEN_BYTES_MAX).contains(&message.len()) && message.iter().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{DigestText, Evidence, Hash, KeyEncoding, ValuePart};

    fn evidence(values: Vec<Value>, message: Vec<Piece>, body: &[u8]) -> bool {
        let proof = Proof::hmac(Hash::Sha256, KeyEncoding::Text, message, vec![vec![0; 32]]);
        let claims = Claims::new(Evidence::from(proof), None::<String>).with_values(values);
        is_evidence(&claims, &[Materials::new(&claims.values, Some("key"), body)])
    }

    fn value(key: Option<KeyEncoding>, message: Vec<Piece>) -> Value {
        let key = key.map(Into::into);
        Value::Digest(Digest { hash: Hash::Sha256, key, message })
    }

    #[test]
    fn a_short_hexadecimal_text_is_digested_for_anybody_and_proves_nothing() {
        let evidence = |message, body: &[u8]| evidence(Vec::new(), message, body);
        assert!(evidence(vec!["00ff".into()], b"") && evidence(vec![Piece::Body], b"00ff"));
        assert!(!evidence(vec!["00ff.".into()], b"") && !evidence(vec![Piece::Body], b"{}"));
        assert!(!evidence(vec!["0".repeat(65).into()], b"") && !evidence(vec![Piece::Body], b""));
        assert!(!evidence(vec![Piece::secret(KeyEncoding::Text), "00ff".into()], b""));
        assert!(is_open(&value(Some(KeyEncoding::Text), vec!["00ff".into()])));
        assert!(!is_open(&value(None, vec!["00ff".into()])));
        assert!(!is_open(&value(Some(KeyEncoding::Text), vec![Piece::Body])));
    }

    #[test]
    fn a_message_is_judged_by_its_bytes() {
        // The second byte of the SHA-256 of `abc` is 78.
        let part = |written| ValuePart { index: 0, written, start: 1, end: Some(2) };
        let of_part = |written| {
            let message = vec![Piece::Value(part(written))];
            evidence(vec![value(None, vec!["abc".into()])], message, b"")
        };
        assert!(of_part(DigestText::Hex) && of_part(DigestText::HexUpper));
        assert!(!of_part(DigestText::Base64));
        let inner = |text: &str| vec![value(Some(KeyEncoding::Text), vec![text.into()])];
        let of_value = || vec![Piece::of_value(0, DigestText::Hex), Piece::Body];
        assert!(evidence(inner("00ff"), of_value(), b"."), "anybody can have the value");
        assert!(!evidence(inner("00ff."), of_value(), b"."));
    }
}
