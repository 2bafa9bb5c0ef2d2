//! What of claims can be refused without any secret: what is empty, undeclared or out of
//! proportion, and what everybody could have made.
//!
//! Asked before a key is fetched, so that no crafted request makes the gateway fetch one, and again
//! before anything is computed. Never says that evidence holds.

use super::cost::{Cost, Lengths};
use super::{Error, Times, answer, jws, values, worth};
use crate::provider::{
    Claims, Evidence, Jws, KeyEncoding, KeySource, Piece, Proof, ProofKind, ProviderInfo,
};
use crate::secrets::Secret;

/// What is wrong with claims whatever the secrets are; of these only the lengths count.
pub(super) fn check(
    claims: &Claims,
    info: &ProviderInfo,
    secrets: &[Secret],
    body: &[u8],
) -> Result<(), Error> {
    if claims.evidence.is_empty() {
        return Err(Error::NoEvidence);
    }
    if claims.evidence.iter().any(|evidence| evidence.proofs.is_empty()) {
        return Err(Error::NoProof);
    }
    let limits = worth::limits(&claims.values);
    for evidence in &claims.evidence {
        worth::of_evidence(evidence, &limits, info)?;
    }
    let lengths = Lengths::of(&claims.values, secrets, body);
    let keyed = values::keyed(&claims.values);
    let asks = !info.handshakes.is_empty();
    for proof in claims.proofs() {
        if has_bare_key(proof) && info.proofs.iter().any(|it| it.kind != ProofKind::Signature) {
            return Err(Error::PublicKeyForm);
        }
        let Some(message) = message(proof, &keyed)? else { continue };
        if lengths.message(message) == 0 {
            return Err(Error::EmptyMessage);
        }
        if asks && answer::is_for_anybody(message, body) {
            return Err(Error::Digested);
        }
    }
    let used = values::used(claims);
    if asks && answer::digests_for_anybody(claims, &used, body) {
        return Err(Error::Digested);
    }
    if Cost::of(claims, &used, &lengths).is_excessive(body) {
        return Err(Error::Excessive);
    }
    Ok(())
}

/// Whether a configured public key is bare bytes, which a shared secret could be too.
fn has_bare_key(proof: &Proof) -> bool {
    let Some((_, KeySource::Configured(form))) = proof.public_key() else { return false };
    matches!(form.encoding, KeyEncoding::Hex | KeyEncoding::Base64 | KeyEncoding::Base64Url)
}

/// What a proof is over, if it is over a message of its own that may not be empty.
fn message<'c>(proof: &'c Proof, keyed: &[usize]) -> Result<Option<&'c [Piece]>, Error> {
    match proof {
        Proof::Mac { digests: none, .. } | Proof::Signature { signatures: none, .. }
            if none.is_empty() =>
        {
            Err(Error::NoDigest)
        }
        Proof::Mac { digest, .. } => {
            if digest.key.is_none() && !values::has_secret(&digest.message, keyed) {
                return Err(Error::NoSecretHashed);
            }
            Ok(Some(digest.message.as_slice()))
        }
        Proof::Signature { message, .. } => Ok(Some(message.as_slice())),
        Proof::Jws(Jws { payload, .. }) => Ok(payload.as_deref()),
        Proof::Token(_) | Proof::Decrypted(_) => Ok(None),
    }
}

/// Refuses evidence of tokens alone of which none can hold, whoever signed them.
pub(super) fn check_tokens(claims: &Claims, times: Times) -> Result<(), Error> {
    for Evidence { proofs, .. } in &claims.evidence {
        let check = |proof: &Proof| match proof {
            Proof::Jws(jws) => jws::check(jws, times),
            _ => Ok(()),
        };
        let checked: Vec<_> = proofs.iter().map(check).collect();
        if checked.iter().all(Result::is_err) {
            return checked.into_iter().next().unwrap_or(Ok(()));
        }
    }
    Ok(())
}
