//! The answers that the gateway gives to accepted requests and to validation challenges.
//!
//! For tests only: the gateway has code of its own. Nothing is verified here: whoever calls knows
//! that the evidence of the claims holds.

use super::message::Materials;
use super::{open, worth};
use crate::claims::{Answer, Claims, Piece, Value};
use crate::provider::ProviderInfo;
use crate::request::Request;

/// The body of the answer to a validation challenge, as the gateway makes it. `None` if the claims
/// have no handshake, or the gateway would not compute one of its digests. Unless the evidence is
/// worth `Bound`, it computes one only for a method that the provider declares for its challenges,
/// and only an HMAC of 1 to 64 hexadecimal digits in lower case.
pub fn answer(
    info: &ProviderInfo,
    claims: &Claims,
    request: &Request,
    secret: &str,
) -> Option<String> {
    let handshake = claims.handshake.as_ref()?;
    let mut digests = handshake.body.iter().filter_map(|piece| named(piece, claims));
    let may_ask = info.handshakes.contains(&request.method);
    if !worth::is_bound(info, claims) && !digests.all(|value| may_ask && open::is_open(value)) {
        return None;
    }
    String::from_utf8(body(handshake, claims, request, secret)?).ok()
}

/// The answer to an accepted request that the provider gives; `None` if the gateway gives its own.
pub(super) fn reply(info: &ProviderInfo, claims: &Claims) -> Option<Answer> {
    let is_digest = |piece: &Piece| matches!(piece, Piece::Value(_));
    let may_be_sent =
        |reply: &Answer| worth::is_bound(info, claims) || !reply.body.iter().any(is_digest);
    claims.reply.clone().filter(may_be_sent).or_else(|| info.reply.clone())
}

/// The body of an answer.
pub(super) fn body(
    answer: &Answer,
    claims: &Claims,
    request: &Request,
    secret: &str,
) -> Option<Vec<u8>> {
    Materials::new(&claims.values, Some(secret), &request.body).message(&answer.body)
}

/// The value that a piece names.
fn named<'c>(piece: &Piece, claims: &'c Claims) -> Option<&'c Value> {
    match piece {
        Piece::Value(part) => claims.values.get(usize::try_from(part.index).ok()?),
        Piece::Text(_) | Piece::Bytes(_) | Piece::Body | Piece::Secret(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{Digest, DigestText, Evidence, Hash, KeyEncoding, Proof, ProofKind, Worth};
    use crate::handshake::{AnswerPiece, Handshake};

    fn info() -> ProviderInfo {
        ProviderInfo::new("acme", "1.0.0", &["acme.*"], &[ProofKind::Mac])
            .or_worth(ProofKind::Mac, Worth::Unbound)
            .asking_by("GET")
    }

    /// Evidence of this worth.
    fn mac(worth: Worth) -> Evidence {
        let message = vec![Piece::Body];
        Evidence::from(Proof::hmac(Hash::Sha256, KeyEncoding::Text, message, Vec::new()))
            .worth(worth)
    }

    #[test]
    fn a_digest_is_for_a_declared_method_or_whoever_proves_all() {
        let answered = |evidence: Option<Worth>, method: &str, text: &str| {
            let digest = AnswerPiece::hex_hmac(Hash::Sha256, KeyEncoding::Text, text);
            let claims = Claims::all(evidence.map(mac), None::<String>)
                .with_handshake(Handshake::text([digest]));
            let request = Request { method: method.to_owned(), ..Request::post("/", "") };
            answer(&info(), &claims, &request, "key").is_some()
        };
        for proven in [None, Some(Worth::Unbound)] {
            assert!(answered(proven, "GET", "00ff"), "{proven:?}");
            for (method, text) in [("POST", "00ff"), ("OPTIONS", "00ff"), ("GET", "{}")] {
                assert!(!answered(proven, method, text), "{proven:?} {method} {text}");
            }
        }
        assert!(answered(Some(Worth::Bound), "POST", "{}"));
    }

    #[test]
    fn a_reply_with_a_digest_is_for_whoever_proves_all() {
        let digest = Digest { hash: Hash::Sha256, key: None, message: vec![Piece::Body] };
        let body = vec![Piece::of_value(0, DigestText::Hex)];
        let own = Answer { body, ..Answer::new("text/plain", "") };
        let replied = |worth, own: &Answer| {
            let claims = Claims::new(mac(worth), None::<String>)
                .with_values([Value::Digest(digest.clone())])
                .with_reply(own.clone());
            reply(&info().with_reply(Answer::empty()), &claims)
        };
        assert_eq!(replied(Worth::Bound, &own), Some(own.clone()));
        assert_eq!(replied(Worth::Unbound, &own), Some(Answer::empty()));
        let plain = Answer::json("{}");
        assert_eq!(replied(Worth::Unbound, &plain), Some(plain.clone()));
    }
}
