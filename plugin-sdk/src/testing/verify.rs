//! Verifies claims as the gateway does.
//!
//! For tests only: it says why claims do not hold, which the gateway never tells a sender, and it
//! does not always take the same time.

use std::fmt;

use ring::{hmac, signature};

use super::key;
use crate::claims::{
    AnswerPiece, Claims, DigestText, Hmac, KeySource, Mac, Piece, Proof, ProofKind, PublicKey,
    Signature,
};
use crate::event::Timestamp;
use crate::provider::{ClockRule, ProviderInfo};
use crate::request::Request;
use crate::{base64, hex};

/// How far the signing time may be from the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// The tolerance that the provider describes.
    Provider,
    /// Any distance.
    Unchecked,
    /// At most this number of seconds.
    Seconds(u64),
}

/// Why claims do not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproven {
    /// There is no evidence, or a piece of it is empty.
    Empty,
    /// A proof has a kind that the provider does not describe.
    Kind(ProofKind),
    /// A key is looked up at a place that the provider does not describe.
    Place,
    /// None of the secrets verifies a piece of evidence.
    Mismatch,
    /// The signing time is too old or too far in the future.
    Time,
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the evidence is missing or empty"),
            Self::Kind(kind) => write!(f, "`describe` does not name proofs of the kind {kind:?}"),
            Self::Place => f.write_str("`describe` does not name the place of the key"),
            Self::Mismatch => f.write_str("no secret verifies the evidence"),
            Self::Time => f.write_str("the signing time is too old or too far in the future"),
        }
    }
}

impl std::error::Error for Unproven {}

/// Verifies claims with the secrets of a source at the time `now`, as the gateway does: every piece
/// of evidence must hold. A piece holds if any of its proofs holds with any of the secrets.
pub fn verify(
    info: &ProviderInfo,
    claims: &Claims,
    request: &Request,
    secrets: &[&str],
    now: Timestamp,
    tolerance: Tolerance,
) -> Result<(), Unproven> {
    let proofs = || claims.evidence.iter().flat_map(|evidence| &evidence.proofs);
    if claims.evidence.is_empty() || claims.evidence.iter().any(|piece| piece.proofs.is_empty()) {
        return Err(Unproven::Empty);
    }
    if let Some(proof) = proofs().find(|proof| !info.proofs.contains(&proof.kind())) {
        return Err(Unproven::Kind(proof.kind()));
    }
    if proofs().any(|proof| is_empty(proof, &request.body)) {
        return Err(Unproven::Empty);
    }
    if proofs().any(|proof| !is_declared(info, proof)) {
        return Err(Unproven::Place);
    }
    for evidence in &claims.evidence {
        let holds = |proof: &Proof| secrets.iter().any(|secret| holds(proof, request, secret));
        if !evidence.proofs.iter().any(holds) {
            return Err(Unproven::Mismatch);
        }
    }
    let fresh = claims.signed_at.is_none_or(|signed| fresh(info, signed, now, tolerance));
    if fresh { Ok(()) } else { Err(Unproven::Time) }
}

/// The digests for [`crate::Provider::sign`], one for each piece of evidence, computed with this
/// secret as the gateway does. If the secret is a private key, they are the provider's signatures.
/// `None` if the secret is not a key of the encoding in the claims.
pub fn digests(claims: &Claims, request: &Request, secret: &str) -> Option<Vec<Vec<u8>>> {
    let digest = |proofs: &[Proof]| {
        proofs.iter().find_map(|proof| match proof {
            Proof::Mac(mac) => {
                let bytes = key::decode(mac.key, secret)?;
                let key = hmac::Key::new(algorithm(mac.algorithm), &bytes);
                let digest = hmac::sign(&key, &message(&mac.message, &request.body));
                Some(digest.as_ref().to_vec())
            }
            Proof::Token(_) => Some(secret.as_bytes().to_vec()),
            Proof::Signature(signed) => {
                key::sign(signed, &message(&signed.message, &request.body), secret)
            }
        })
    };
    claims.evidence.iter().map(|evidence| digest(&evidence.proofs)).collect()
}

/// The body of the answer to a validation challenge, as the gateway makes it. `None` if the claims
/// have no handshake, or the gateway would not compute one of its digests: without evidence it
/// computes digests only of 1 to 64 hexadecimal digits in lower case.
pub fn answer(claims: &Claims, secret: &str) -> Option<String> {
    let open = |text: &str| {
        let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (1..=64).contains(&text.len()) && text.bytes().all(hexadecimal)
    };
    let piece = |piece: &AnswerPiece| match piece {
        AnswerPiece::Text(text) => Some(text.clone()),
        AnswerPiece::Digest(digest) => {
            if claims.evidence.is_empty() && !open(&digest.message) {
                return None;
            }
            let bytes = key::decode(digest.key, secret)?;
            let key = hmac::Key::new(algorithm(digest.algorithm), &bytes);
            let code = hmac::sign(&key, digest.message.as_bytes());
            Some(match digest.written {
                DigestText::Hex => hex::encode(code.as_ref()),
                DigestText::Base64 => base64::encode(code.as_ref()),
            })
        }
    };
    claims.handshake.as_ref()?.body.iter().map(piece).collect()
}

/// Compares times in whole seconds, as providers write them.
fn fresh(info: &ProviderInfo, signed: Timestamp, now: Timestamp, tolerance: Tolerance) -> bool {
    let tolerance = match tolerance {
        Tolerance::Unchecked => return true,
        Tolerance::Seconds(seconds) => seconds,
        Tolerance::Provider => match info.tolerance_ms {
            Some(tolerance) => tolerance / 1000,
            None => return true,
        },
    };
    let signed = signed / 1000;
    let now = now / 1000;
    let old = now.saturating_sub(signed) > tolerance;
    let early = signed.saturating_sub(now) > tolerance;
    match info.clock {
        ClockRule::Past => !old,
        ClockRule::Both => !old && !early,
    }
}

fn is_empty(proof: &Proof, body: &[u8]) -> bool {
    match proof {
        Proof::Mac(mac) => mac.digests.is_empty() || message(&mac.message, body).is_empty(),
        Proof::Signature(signed) => {
            signed.signatures.is_empty() || message(&signed.message, body).is_empty()
        }
        Proof::Token(token) => token.is_empty(),
    }
}

fn is_declared(info: &ProviderInfo, proof: &Proof) -> bool {
    match proof {
        Proof::Signature(Signature { key: KeySource::Fetched(lookup), .. }) => {
            info.key_places.iter().any(|place| place.holds(&lookup.url))
        }
        _ => true,
    }
}

fn holds(proof: &Proof, request: &Request, secret: &str) -> bool {
    match proof {
        Proof::Mac(mac) => mac_holds(mac, &request.body, secret),
        Proof::Signature(signed) => signature_holds(signed, &request.body, secret),
        // An empty secret counts as no secret.
        Proof::Token(token) => !secret.is_empty() && token == secret,
    }
}

fn mac_holds(mac: &Mac, body: &[u8], secret: &str) -> bool {
    let Some(key) = key::decode(mac.key, secret) else { return false };
    let key = hmac::Key::new(algorithm(mac.algorithm), &key);
    let message = message(&mac.message, body);
    mac.digests.iter().any(|digest| hmac::verify(&key, &message, digest).is_ok())
}

fn signature_holds(signed: &Signature, body: &[u8], secret: &str) -> bool {
    let Some(key) = key::public(signed, secret) else { return false };
    // An Ed25519 key in PEM and one in `whpk_` are the same bytes once decoded.
    let algorithm: &dyn signature::VerificationAlgorithm = match signed.algorithm {
        PublicKey::Ed25519 => &signature::ED25519,
        PublicKey::EcdsaP256 => &signature::ECDSA_P256_SHA256_FIXED,
        PublicKey::RsaSha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
    };
    let key = signature::UnparsedPublicKey::new(algorithm, key);
    let message = message(&signed.message, body);
    signed.signatures.iter().any(|signature| key.verify(&message, signature).is_ok())
}

fn algorithm(hash: Hmac) -> hmac::Algorithm {
    match hash {
        Hmac::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Hmac::Sha256 => hmac::HMAC_SHA256,
        Hmac::Sha512 => hmac::HMAC_SHA512,
    }
}

fn message(pieces: &[Piece], body: &[u8]) -> Vec<u8> {
    pieces.iter().fold(Vec::new(), |mut message, piece| {
        message.extend_from_slice(match piece {
            Piece::Text(text) => text.as_bytes(),
            Piece::Bytes(bytes) => bytes,
            Piece::Body => body,
        });
        message
    })
}
