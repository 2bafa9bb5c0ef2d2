//! What of claims can be refused without any secret: what is empty, undeclared or out of
//! proportion, and what everybody could have made.
//!
//! Asked before a key is fetched, so that no crafted request makes the gateway fetch one, and again
//! before anything is computed. Never says that evidence holds.

use super::cost::{self, Lengths};
use super::{Error, Times, jws, values, worth};
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
    // Nobody would make it: before a parse the plugin is not asked again.
    if claims.plain_body.is_some() && !info.claims_before_parse() {
        return Err(Error::UndeclaredProof(ProofKind::Decrypted));
    }
    let limits = worth::limits(&claims.values);
    for evidence in &claims.evidence {
        worth::of_evidence(evidence, &limits, info)?;
    }
    let lengths = Lengths::of(&claims.values, secrets, body);
    let keyed = values::keyed(&claims.values);
    for proof in claims.proofs() {
        if looks_shared(proof) && info.proofs.iter().any(|it| it.kind != ProofKind::Signature) {
            return Err(Error::PublicKeyForm);
        }
        let Some(message) = message(proof, &keyed)? else { continue };
        if lengths.message(message) == 0 {
            return Err(Error::EmptyMessage);
        }
    }
    if cost::is_excessive(claims, secrets, body) { Err(Error::Excessive) } else { Ok(()) }
}

/// Whether a shared secret could be written like this public key: as bare bytes, or behind a prefix
/// of the plugin's own, which hides what it is.
fn looks_shared(proof: &Proof) -> bool {
    let Some((_, KeySource::Configured(form))) = proof.public_key() else { return false };
    let bare = [KeyEncoding::Hex, KeyEncoding::Base64, KeyEncoding::Base64Url];
    form.prefix.is_some() || bare.contains(&form.encoding)
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

#[cfg(test)]
mod tests {
    use super::super::tests;
    use super::*;
    use crate::provider::{Digest, Hash, ProofInfo, PublicKey, SecretForm, Worth};

    #[test]
    fn a_public_key_behind_a_prefix_is_for_a_provider_that_has_no_other_proofs() {
        let checked = |prefix: Option<&str>, kinds: &[ProofKind]| {
            let prefix = prefix.map(str::to_owned);
            let signature = Proof::Signature {
                algorithm: PublicKey::Ed25519,
                key: KeySource::Configured(SecretForm { encoding: KeyEncoding::Spki, prefix }),
                message: vec![Piece::Body],
                signatures: vec![vec![0; 64]],
            };
            let evidence = vec![Evidence::from(vec![signature])];
            let declared = kinds.iter().map(|kind| ProofInfo { kind: *kind, worth: Worth::Bound });
            let info = ProviderInfo { proofs: declared.collect(), ..tests::info() };
            check(&Claims { evidence, ..Claims::default() }, &info, &[], b"body")
        };
        let with_others = [ProofKind::Signature, ProofKind::Mac];
        assert_eq!(checked(Some("acme_"), &with_others), Err(Error::PublicKeyForm));
        assert_eq!(checked(None, &with_others), Ok(()));
        assert_eq!(checked(Some("acme_"), &[ProofKind::Signature]), Ok(()));
    }

    #[test]
    fn a_plain_body_is_for_a_provider_that_is_asked_again_before_a_parse() {
        let checked = |plain_body: Option<Vec<Piece>>, kinds: &[ProofKind]| {
            let key = Some(KeyEncoding::Text.into());
            let digest = Digest { hash: Hash::Sha256, key, message: vec![Piece::Body] };
            let mac = Proof::Mac { digest, digests: vec![vec![0; 32]] };
            let evidence = vec![Evidence::from(vec![mac])];
            let claims = Claims { evidence, plain_body, ..Claims::default() };
            let declared = kinds.iter().map(|kind| ProofInfo { kind: *kind, worth: Worth::Bound });
            let info = ProviderInfo { proofs: declared.collect(), ..tests::info() };
            check(&claims, &info, &[], b"body")
        };
        let plain = || Some(vec![Piece::Body]);
        let undeclared = Err(Error::UndeclaredProof(ProofKind::Decrypted));
        assert_eq!(checked(plain(), &[ProofKind::Mac]), undeclared);
        assert_eq!(checked(plain(), &[ProofKind::Mac, ProofKind::Decrypted]), Ok(()));
        assert_eq!(checked(None, &[ProofKind::Mac]), Ok(()));
    }
}
