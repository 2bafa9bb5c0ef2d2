//! What it takes to verify a request, added up as the gateway does before it computes anything.
//!
//! Pure arithmetic over claims. Never computes what it counts.

use super::jws::{self, Scheme};
use crate::claims::{Claims, DigestText, KeySource, Piece, Proof, PublicKey, Value};
use crate::header_mac;

/// Most proofs in the claims of one request.
const PROOFS_MAX: usize = 1_024;
/// Most digests in all of them.
const DIGESTS_MAX: usize = 4_096;
/// Most public-key signatures in all of them, those of JSON Web Signatures among them.
const SIGNATURES_MAX: usize = 32;
/// The number of signatures for which one of P-521 counts.
const P521_WEIGHT: usize = 4;
/// Most chains of certificates in all of them.
const CHAINS_MAX: usize = 4;
/// Most bytes of all messages and values together: this number of bodies, and these bytes.
const BODIES_MAX: usize = 16;
const BYTES_MORE: usize = 1 << 20;

/// Whether the claims ask for more than any honest request with this body needs.
pub(super) fn is_excessive(claims: &Claims, secrets: &[&str], body: &[u8]) -> bool {
    let lengths = Lengths::of(&claims.values, secrets, body);
    let used = used(claims);
    let made = claims.values.iter().zip(used).filter(|(_, used)| *used);
    let made = made.map(|(value, _)| lengths.message(message_of(value)));
    let mut cost = Cost { bytes: made.fold(0, usize::saturating_add), ..Cost::default() };
    for proof in proofs(claims) {
        cost.add(proof, &lengths);
    }
    let bytes_max = body.len().saturating_mul(BODIES_MAX).saturating_add(BYTES_MORE);
    cost.proofs > PROOFS_MAX
        || cost.digests > DIGESTS_MAX
        || cost.signatures > SIGNATURES_MAX
        || cost.chains > CHAINS_MAX
        || cost.bytes > bytes_max
}

/// Which values the evidence uses, itself or in other values.
pub(super) fn used(claims: &Claims) -> Vec<bool> {
    let mut used = vec![false; claims.values.len()];
    for proof in proofs(claims) {
        mark(&mut used, message(proof));
        if let Proof::Decrypted(decryption) = proof {
            mark_one(&mut used, decryption.index);
        }
    }
    // A value names only values before it.
    for place in (0..used.len()).rev() {
        if used[place] {
            mark(&mut used, message_of(&claims.values[place]));
        }
    }
    used
}

/// All proofs of all evidence.
pub(super) fn proofs(claims: &Claims) -> impl Iterator<Item = &Proof> {
    claims.evidence.iter().flat_map(|evidence| &evidence.proofs)
}

/// The message of a proof, if it has one of its own.
pub(super) fn message(proof: &Proof) -> &[Piece] {
    match proof {
        Proof::Mac(mac) => &mac.digest.message,
        Proof::Signature(signed) => &signed.message,
        Proof::Jws(jws) => jws.payload.as_deref().unwrap_or_default(),
        Proof::Token(_) => &[],
        Proof::Decrypted(decryption) => decryption.plain.as_deref().unwrap_or_default(),
    }
}

fn message_of(value: &Value) -> &[Piece] {
    match value {
        Value::Digest(digest) => &digest.message,
        Value::Decrypted(encrypted) => &encrypted.ciphertext,
    }
}

fn mark(used: &mut [bool], pieces: &[Piece]) {
    for piece in pieces {
        if let Piece::Value(part) = piece {
            mark_one(used, part.index);
        }
    }
}

fn mark_one(used: &mut [bool], index: u32) {
    if let Some(used) = usize::try_from(index).ok().and_then(|place| used.get_mut(place)) {
        *used = true;
    }
}

/// How long messages are, at most.
struct Lengths {
    values: Vec<usize>,
    body: usize,
    /// Of the longest secret, in any form.
    secret: usize,
}

impl Lengths {
    fn of(values: &[Value], secrets: &[&str], body: &[u8]) -> Self {
        // In a form a byte may become three.
        let secret = secrets.iter().map(|secret| 3 * secret.len()).max().unwrap_or(1);
        let mut lengths = Self { values: Vec::new(), body: body.len(), secret };
        for value in values {
            let length = match value {
                Value::Digest(digest) => header_mac::length(digest.hash),
                // What it decrypts to is not longer.
                Value::Decrypted(encrypted) => lengths.message(&encrypted.ciphertext),
            };
            lengths.values.push(length);
        }
        lengths
    }

    fn message(&self, pieces: &[Piece]) -> usize {
        let length = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Bytes(bytes) => bytes.len(),
            Piece::Body => self.body,
            Piece::Secret(_) => self.secret,
            Piece::Value(part) => {
                let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
                let whole = self.values.get(number(part.index)).copied().unwrap_or_default();
                let bytes = part.end.map_or(whole, number).saturating_sub(number(part.start));
                if part.written == DigestText::Raw { bytes } else { bytes.saturating_mul(2) }
            }
        };
        pieces.iter().map(length).fold(0, usize::saturating_add)
    }
}

/// What there is to compute.
#[derive(Default)]
struct Cost {
    proofs: usize,
    digests: usize,
    signatures: usize,
    chains: usize,
    bytes: usize,
}

impl Cost {
    fn add(&mut self, proof: &Proof, lengths: &Lengths) {
        self.proofs += 1;
        let message = lengths.message(message(proof));
        let bytes = match proof {
            Proof::Mac(mac) => {
                self.digests += mac.digests.len();
                message
            }
            Proof::Signature(signed) => {
                let count = signed.signatures.len();
                self.signatures += count * weight(signed.algorithm);
                self.chains += usize::from(is_chain(&signed.key));
                // The message is hashed anew for each of them.
                message.saturating_mul(count)
            }
            Proof::Jws(jws) => {
                match jws::scheme(jws.algorithm) {
                    Scheme::Hmac(_) => self.signatures += 1,
                    Scheme::PublicKey(algorithm) => {
                        self.signatures += weight(algorithm);
                        self.chains += usize::from(is_chain(&jws.key));
                    }
                }
                // In base64 it is longer by a third.
                message.saturating_mul(2).saturating_add(jws.token.len())
            }
            Proof::Token(token) => token.len(),
            Proof::Decrypted(_) => message,
        };
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

fn is_chain(key: &KeySource) -> bool {
    matches!(key, KeySource::Chain(_))
}

fn weight(algorithm: PublicKey) -> usize {
    match algorithm {
        PublicKey::EcdsaP521 | PublicKey::EcdsaP521Der => P521_WEIGHT,
        PublicKey::Ed25519
        | PublicKey::EcdsaP256
        | PublicKey::EcdsaP256Der
        | PublicKey::EcdsaP384
        | PublicKey::EcdsaP384Der
        | PublicKey::RsaSha1
        | PublicKey::RsaSha256
        | PublicKey::RsaSha512
        | PublicKey::RsaPssSha256 => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{Digest, Evidence, Hash, KeyEncoding};

    fn mac(message: Vec<Piece>) -> Proof {
        Proof::hmac(Hash::Sha256, KeyEncoding::Text, message, vec![vec![0; 32]])
    }

    fn is_much(evidence: Vec<Evidence>, body: &[u8]) -> bool {
        is_excessive(&Claims::all(evidence, None::<String>), &["key"], body)
    }

    #[test]
    fn what_one_request_may_cost_has_an_end() {
        let proofs = |count| vec![Evidence::any(vec![mac(vec![Piece::Body]); count])];
        assert!(!is_much(proofs(16), &[0; 10]) && is_much(proofs(1_025), &[]));
        let signed = |algorithm, count| {
            let signatures = vec![vec![0; 64]; count];
            let message = vec![Piece::Body];
            vec![Evidence::from(Proof::public_key(
                algorithm,
                KeyEncoding::Pem,
                message,
                signatures,
            ))]
        };
        assert!(!is_much(signed(PublicKey::Ed25519, 32), &[]));
        assert!(is_much(signed(PublicKey::Ed25519, 33), &[]));
        assert!(is_much(signed(PublicKey::EcdsaP521, 9), &[]));
        // The body may be hashed 16 times, and a MiB more.
        let bodies = |count| vec![Evidence::from(mac(vec![Piece::Body; count]))];
        let body = vec![0; 1 << 20];
        assert!(!is_much(bodies(17), &body) && is_much(bodies(18), &body));
    }

    #[test]
    fn only_values_that_the_evidence_uses_cost_anything() {
        let value = |message| Value::Digest(Digest { hash: Hash::Sha256, key: None, message });
        let of = |index| Piece::of_value(index, DigestText::Hex);
        let values = [value(vec![Piece::Body]), value(vec![of(0)]), value(vec![Piece::Body])];
        let claims = Claims::new(Evidence::from(mac(vec![of(1)])), None::<String>);
        assert_eq!(used(&claims.with_values(values)), [true, true, false]);
    }
}
