//! What a proof is worth: what the provider declares for its kind, and no more than the proof
//! itself shows.
//!
//! Pure arithmetic over claims: nothing is verified here. A request proves as much as the best of
//! its evidence, because all of that must hold; evidence as much as the least of its proofs,
//! because any of them will do.

use super::Error;
use crate::provider::{
    Cipher, Claims, Digest, Evidence, Hash, Piece, Proof, ProviderInfo, PublicKey, Value, Worth,
};

/// What a request proves whose evidence holds.
pub(crate) fn worth(claims: &Claims, info: &ProviderInfo) -> Worth {
    let limits = limits(&claims.values);
    let of = |evidence: &Evidence| of_evidence(evidence, &limits, info).unwrap_or(Worth::Weak);
    claims.evidence.iter().map(of).max().unwrap_or(Worth::Weak)
}

/// What evidence is worth; an error if the provider does not declare one of its proofs, or only as
/// one that is worth more.
pub(super) fn of_evidence(
    evidence: &Evidence,
    limits: &[Worth],
    info: &ProviderInfo,
) -> Result<Worth, Error> {
    let most = evidence.worth.unwrap_or(Worth::Bound);
    let of = |proof: &Proof| of_proof(proof, most.min(limit(proof, limits)), info);
    let each = evidence.proofs.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    Ok(each.into_iter().min().unwrap_or(Worth::Weak))
}

fn of_proof(proof: &Proof, most: Worth, info: &ProviderInfo) -> Result<Worth, Error> {
    let kind = proof.kind();
    let mut declared = info.proofs.iter().filter(|it| it.kind == kind).peekable();
    if declared.peek().is_none() {
        return Err(Error::UndeclaredProof(kind));
    }
    let fitting = declared.map(|it| it.worth).filter(|worth| *worth <= most).max();
    fitting.ok_or(Error::LesserProof(kind, most))
}

/// The most that each value is worth for what is made of it.
pub(super) fn limits(values: &[Value]) -> Vec<Worth> {
    let mut limits = Vec::with_capacity(values.len());
    for value in values {
        let limit = match value {
            Value::Digest(digest) => of_digest(digest, &limits),
            Value::Decrypted(encrypted) => of_cipher(encrypted.cipher),
        };
        limits.push(limit);
    }
    limits
}

fn limit(proof: &Proof, limits: &[Worth]) -> Worth {
    match proof {
        Proof::Mac { digest, .. } => of_digest(digest, limits),
        Proof::Signature { algorithm: PublicKey::RsaSha1, .. } | Proof::Token(_) => Worth::Weak,
        Proof::Signature { message, .. } => of_message(message, limits),
        Proof::Jws(jws) => of_message(jws.payload.as_deref().unwrap_or_default(), limits),
        Proof::Decrypted(decryption) => {
            let plain = of_message(decryption.plain.as_deref().unwrap_or_default(), limits);
            limits.get(decryption.index).map_or(Worth::Weak, |limit| plain.min(*limit))
        }
    }
}

fn of_digest(digest: &Digest, limits: &[Worth]) -> Worth {
    let is_broken = match digest.hash {
        Hash::Md5 => true,
        // Two messages of one hash can be found, but not of one HMAC.
        Hash::Sha1 => digest.key.is_none(),
        Hash::Sha256 | Hash::Sha384 | Hash::Sha512 | Hash::Sha3 => false,
    };
    // The same in every request: nothing of it is in the message.
    let is_constant = digest.message.iter().all(|piece| match piece {
        Piece::Secret(_) => true,
        Piece::Bytes(bytes) => bytes.is_empty(),
        Piece::Body | Piece::Value(_) => false,
    });
    if is_broken || is_constant { Worth::Weak } else { of_message(&digest.message, limits) }
}

fn of_cipher(cipher: Cipher) -> Worth {
    match cipher {
        Cipher::AesGcm => Worth::Bound,
        Cipher::AesCbc => Worth::Weak,
    }
}

fn of_message(message: &[Piece], limits: &[Worth]) -> Worth {
    let of = |piece: &Piece| match piece {
        Piece::Value(part) => limits.get(part.index).copied().unwrap_or(Worth::Weak),
        Piece::Bytes(_) | Piece::Body | Piece::Secret(_) => Worth::Bound,
    };
    message.iter().map(of).min().unwrap_or(Worth::Bound)
}

#[cfg(test)]
mod tests;
