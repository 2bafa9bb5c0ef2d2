//! What the gateway digests for anybody, as the answer to a validation challenge, and therefore
//! never accepts as evidence.
//!
//! Nothing is digested here.

use super::cost;
use crate::claims::{Claims, DigestText, Piece, Value};

/// Longest text that the gateway digests for anybody, in bytes.
const OPEN_BYTES_MAX: usize = 64;

/// Whether the gateway computes a value for anybody who requests it.
pub(super) fn is_open(value: &Value) -> bool {
    let Value::Digest(digest) = value else { return false };
    let is_given = |piece: &Piece| matches!(piece, Piece::Text(_) | Piece::Bytes(_));
    digest.key.is_some()
        && digest.message.iter().all(is_given)
        && is_for_anybody(&digest.message, &[])
}

/// Whether evidence is made of a digest that anybody can get.
pub(super) fn is_evidence(claims: &Claims, body: &[u8]) -> bool {
    let used = cost::used(claims);
    let is_digested = |(value, used): (&Value, bool)| match value {
        Value::Digest(digest) => {
            used && digest.key.is_some() && is_for_anybody(&digest.message, body)
        }
        Value::Decrypted(_) => false,
    };
    cost::proofs(claims).any(|proof| is_for_anybody(cost::message(proof), body))
        || claims.values.iter().zip(used).any(is_digested)
}

/// Whether a message is one that the gateway digests for anybody.
fn is_for_anybody(message: &[Piece], body: &[u8]) -> bool {
    let is_hex = |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let mut length = 0_usize;
    for piece in message {
        let more = match piece {
            Piece::Text(text) if is_hex(text.as_bytes()) => text.len(),
            Piece::Bytes(bytes) if is_hex(bytes) => bytes.len(),
            Piece::Body if is_hex(body) => body.len(),
            // A digest of any length counts as one that is short enough.
            Piece::Value(part) if part.written == DigestText::Hex => {
                let start = number(part.start);
                let end = part.end.map_or(start.saturating_add(OPEN_BYTES_MAX / 2), number);
                end.saturating_sub(start).saturating_mul(2)
            }
            Piece::Text(_) | Piece::Bytes(_) | Piece::Body | Piece::Secret(_) | Piece::Value(_) => {
                return false;
            }
        };
        length = length.saturating_add(more);
        if length > OPEN_BYTES_MAX {
            return false;
        }
    }
    length > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{Digest, Evidence, Hash, KeyEncoding, Proof};

    fn evidence(message: Vec<Piece>, body: &[u8]) -> bool {
        let proof = Proof::hmac(Hash::Sha256, KeyEncoding::Text, message, vec![vec![0; 32]]);
        is_evidence(&Claims::new(Evidence::from(proof), None::<String>), body)
    }

    #[test]
    fn a_short_hexadecimal_text_is_digested_for_anybody_and_proves_nothing() {
        assert!(evidence(vec!["00ff".into()], b"") && evidence(vec![Piece::Body], b"00ff"));
        assert!(!evidence(vec!["00ff.".into()], b"") && !evidence(vec![Piece::Body], b"{}"));
        assert!(!evidence(vec!["0".repeat(65).into()], b"") && !evidence(vec![Piece::Body], b""));
        let value = |key: Option<KeyEncoding>, message| {
            let key = key.map(Into::into);
            Value::Digest(Digest { hash: Hash::Sha256, key, message })
        };
        assert!(is_open(&value(Some(KeyEncoding::Text), vec!["00ff".into()])));
        assert!(!is_open(&value(None, vec!["00ff".into()])));
        assert!(!is_open(&value(Some(KeyEncoding::Text), vec![Piece::Body])));
    }
}
