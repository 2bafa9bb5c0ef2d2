//! What it takes to verify a request, known before anything is computed.
//!
//! Anybody can send a request, and a plugin may name its body in many messages: so what is to be
//! hashed, decrypted or copied is added up first. It is counted for one secret, because how many a
//! source has is the operator's choice and no sender's. Pure arithmetic over claims; never computes
//! what it counts.

use super::{digest, values};
use crate::provider::{Claims, DigestText, KeySource, Piece, Proof, PublicKey, Value};
use crate::secrets::Secret;

/// Most proofs in the claims of one request.
pub(super) const PROOFS_MAX: usize = 1_024;
/// Most digests in all of them.
pub(super) const DIGESTS_MAX: usize = 4_096;
/// Most public-key signatures in all of them, those of JSON Web Signatures among them: each costs
/// 50 us and more for every key.
pub(super) const SIGNATURES_MAX: usize = 32;
/// One of P-521 takes about as long as so many of others.
const P521_WEIGHT: usize = 4;
/// Most chains of certificates in all of them.
const CHAINS_MAX: usize = 4;
/// Most bytes that all messages and values may have together: so many times those of the body, and
/// so many more.
pub(super) const BODIES_MAX: usize = 16;
const BYTES_MORE: usize = 1 << 20;
/// What may be verified on an async thread: no more bytes, which are parsed in a token and not only
/// hashed, and no more signatures.
const QUICK_BYTES_MAX: usize = 64 << 10;
const QUICK_SIGNATURES_MAX: usize = 4;

/// Most bytes that all messages and values may have together.
pub(super) fn bytes_max(body: &[u8]) -> usize {
    body.len().saturating_mul(BODIES_MAX).saturating_add(BYTES_MORE)
}

/// Whether it takes more to verify these claims than any honest request with this body needs.
pub(super) fn is_excessive(claims: &Claims, secrets: &[Secret], body: &[u8]) -> bool {
    Cost::of(claims, secrets, body).is_excessive(body)
}

/// Whether it takes so long to verify these claims that nobody should wait for the thread.
pub(crate) fn takes_long(claims: &Claims, secrets: &[Secret], body: &[u8]) -> bool {
    Cost::of(claims, secrets, body).takes_long(secrets.len())
}

/// How long messages are, at most.
#[derive(Debug)]
pub(super) struct Lengths {
    /// Of each value.
    values: Vec<usize>,
    body: usize,
    /// Of the longest secret, in any form.
    secret: usize,
}

impl Lengths {
    pub(super) fn of(values: &[Value], secrets: &[Secret], body: &[u8]) -> Self {
        // In a form a byte may become three. A secret is never empty.
        let secret = secrets.iter().map(|secret| 3 * secret.expose().len()).max().unwrap_or(1);
        let mut lengths =
            Self { values: Vec::with_capacity(values.len()), body: body.len(), secret };
        for value in values {
            let length = match value {
                Value::Digest(digest) => digest::length(digest.hash),
                // What it decrypts to is not longer.
                Value::Decrypted(encrypted) => lengths.message(&encrypted.ciphertext),
            };
            lengths.values.push(length);
        }
        lengths
    }

    /// Of all of these pieces.
    pub(super) fn message(&self, pieces: &[Piece]) -> usize {
        let length = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::Body => self.body,
            Piece::Secret(_) => self.secret,
            Piece::Value(part) => {
                let whole = self.values.get(part.index).copied().unwrap_or_default();
                let bytes = part.end.unwrap_or(whole).saturating_sub(part.start);
                if part.written == DigestText::Raw { bytes } else { bytes.saturating_mul(2) }
            }
        };
        pieces.iter().map(length).fold(0, usize::saturating_add)
    }

    /// Of all that is hashed or decrypted for the values that are `wanted`.
    pub(super) fn values(&self, values: &[Value], wanted: &[bool]) -> usize {
        let wanted = values.iter().zip(wanted).filter(|(_, wanted)| **wanted);
        let length = |(value, _): (&Value, &bool)| match value {
            Value::Digest(digest) => self.message(&digest.message),
            Value::Decrypted(encrypted) => self.message(&encrypted.ciphertext),
        };
        wanted.map(length).fold(0, usize::saturating_add)
    }
}

/// What there is to compute.
#[derive(Debug, Default)]
struct Cost {
    proofs: usize,
    digests: usize,
    signatures: usize,
    chains: usize,
    bytes: usize,
}

impl Cost {
    /// Of the evidence, and of the values that it is made of.
    fn of(claims: &Claims, secrets: &[Secret], body: &[u8]) -> Self {
        let lengths = Lengths::of(&claims.values, secrets, body);
        let is_chain = |key: &KeySource| matches!(key, KeySource::Chain(_));
        let mut cost = Self {
            bytes: lengths.values(&claims.values, &values::used(claims)),
            chains: claims.keys_to_find().filter(|(_, key)| is_chain(key)).count(),
            ..Self::default()
        };
        for proof in claims.proofs() {
            cost.add(proof, &lengths);
        }
        cost
    }

    fn add(&mut self, proof: &Proof, lengths: &Lengths) {
        self.proofs += 1;
        let bytes = match proof {
            Proof::Mac { digest, digests } => {
                self.digests += digests.len();
                lengths.message(&digest.message)
            }
            Proof::Signature { algorithm, message, signatures, .. } => {
                self.signatures += signatures.len() * weight(*algorithm);
                // The message is hashed anew for each of them.
                lengths.message(message).saturating_mul(signatures.len())
            }
            Proof::Jws(jws) => {
                self.signatures += jws.algorithm.public_key().map_or(1, weight);
                let payload = jws.payload.as_deref().unwrap_or_default();
                // In base64 it is longer by a third.
                lengths.message(payload).saturating_mul(2).saturating_add(jws.token.len())
            }
            Proof::Token(token) => token.len(),
            Proof::Decrypted(decryption) => {
                lengths.message(decryption.plain.as_deref().unwrap_or_default())
            }
        };
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn is_excessive(&self, body: &[u8]) -> bool {
        self.proofs > PROOFS_MAX
            || self.digests > DIGESTS_MAX
            || self.signatures > SIGNATURES_MAX
            || self.chains > CHAINS_MAX
            || self.bytes > bytes_max(body)
    }

    /// Whether it takes long with so many secrets. A chain has signatures of its own.
    fn takes_long(&self, secrets: usize) -> bool {
        let each = |count: usize| count.saturating_mul(secrets.max(1));
        each(self.bytes) > QUICK_BYTES_MAX
            || each(self.signatures) > QUICK_SIGNATURES_MAX
            || self.chains > 0
    }
}

fn weight(scheme: PublicKey) -> usize {
    match scheme {
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
