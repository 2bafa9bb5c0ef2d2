//! Whether a request is genuine: the claims of its provider, held against the source's secrets.
//!
//! Stands between what a plugin says was signed and everything else: no receipt is stored before
//! [`verify`] has passed. Fails closed: whatever is missing, empty, of another kind than declared
//! or out of proportion is refused. Pure: knows no clock but the time that it is given, and never
//! says to a sender why it refused.
//!
//! The room: `form` (what is refused before anything is computed) and `cost` (how much that would
//! be), `values` (what is computed first), `judge` (whether proofs hold), one file for each kind of
//! computation (`digest`, `public`, `jws`, `cipher`), `key` and `der` (how keys are written),
//! `worth` (what a proof is worth), `answer` (what is computed for the sender and for the plugin),
//! `open` (what of that anybody may have, and is no evidence).

use std::time::Duration;

use subtle::Choice;

use crate::event::Timestamp;
use crate::provider::{
    Claims, ClockRule, Evidence, KeySource, Proof, ProofKind, ProviderInfo, PublicKey, Value, Worth,
};
use crate::secrets::Secret;

mod answer;
mod cipher;
mod cost;
pub(crate) mod der;
mod digest;
pub(crate) mod fit;
mod form;
mod judge;
mod jws;
pub(crate) mod key;
mod open;
mod public;
mod values;
mod worth;

pub(crate) use answer::{Asker, answer, plain_body, reply};
pub(crate) use cost::takes_long;
pub(crate) use digest::Keyed;
use judge::Judge;
use values::Materials;
pub(crate) use worth::worth;

/// Why a request is not genuine, or can't be shown to be. For the operator alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The claims hold nothing to check.
    #[error("claims carry no evidence")]
    NoEvidence,
    /// A piece of evidence holds nothing to check.
    #[error("evidence carries no proof")]
    NoProof,
    /// The plugin did not say that it would offer this.
    #[error("provider never declared proofs of kind {}", .0.name())]
    UndeclaredProof(ProofKind),
    /// The plugin said that it would offer better.
    #[error("provider declared no proof of kind {} that is only {}", .0.name(), .1.name())]
    LesserProof(ProofKind, Worth),
    /// Everybody could compute it.
    #[error("a plain hash without the secret in its message proves nothing")]
    NoSecretHashed,
    /// Whoever talked the plugin into another kind of proof could sign with it.
    #[error(
        "a public key in hexadecimal or base64, or behind a prefix, looks like a shared secret: \
         beside other kinds of proof it must be in the form whpk, pem or spki, without a prefix"
    )]
    PublicKeyForm,
    /// Nothing was signed.
    #[error("signed message is empty")]
    EmptyMessage,
    /// There is nothing to compare with.
    #[error("proof carries no digest")]
    NoDigest,
    /// More to compute than any honest request needs.
    #[error("claims ask for too much computation")]
    Excessive,
    /// Not one secret of the source can be what the proof needs.
    #[error("no secret of the source fits the proof")]
    NoUsableSecret,
    /// Forged, damaged, or signed with a secret that is not configured.
    #[error("no secret of the source matches")]
    Mismatch,
    /// Signed too long ago: perhaps sent again by someone who listened.
    #[error("signed {0} s ago")]
    TooOld(u64),
    /// Signed too far in the future.
    #[error("signed {0} s in the future")]
    TooNew(u64),
    /// A token that is not in its form.
    #[error("token is not a compact JWS without critical extensions")]
    MalformedJws,
    /// A token that would be verified by another algorithm than the provider's.
    #[error("JWS names another algorithm than the provider signs with")]
    OtherAlgorithm,
    /// A token that is for somebody else, or of somebody else.
    #[error("JWS does not say what it must")]
    JwsRule,
    /// A token whose time is over.
    #[error("token expired {0} s ago")]
    Expired(u64),
    /// What an unsigned handshake may have digested, and so anybody.
    #[error("anybody can get a digest of the signed message by a validation challenge")]
    Digested,
    /// The plugin would let an unsigned request choose what is digested.
    #[error(
        "the gateway digests only 1 to {} hexadecimal digits for a challenge whose proof is not \
         bound, by a method that the provider declares for its challenges",
        open::OPEN_BYTES_MAX
    )]
    Oracle,
    /// From [`plain_body`] only.
    #[error("no secret of the source decrypts the body")]
    Sealed,
    /// From [`sample`] only: a public key can't sign.
    #[error("signing needs a private key, which a source does not have")]
    NeedsPrivateKey,
}

impl Error {
    /// The case, for counting.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::NoEvidence => "no_evidence",
            Self::NoProof => "no_proof",
            Self::UndeclaredProof(_) => "undeclared_proof",
            Self::LesserProof(..) => "lesser_proof",
            Self::NoSecretHashed => "no_secret_hashed",
            Self::PublicKeyForm => "public_key_form",
            Self::EmptyMessage => "empty_message",
            Self::NoDigest => "no_digest",
            Self::Excessive => "excessive",
            Self::NoUsableSecret => "no_usable_secret",
            Self::Mismatch => "mismatch",
            Self::TooOld(_) => "too_old",
            Self::TooNew(_) => "too_new",
            Self::MalformedJws => "malformed_jws",
            Self::OtherAlgorithm => "other_algorithm",
            Self::JwsRule => "jws_rule",
            Self::Expired(_) => "expired",
            Self::Digested => "digested",
            Self::Oracle => "oracle",
            Self::Sealed => "sealed",
            Self::NeedsPrivateKey => "needs_private_key",
        }
    }
}

/// What a source's evidence is checked with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keyring<'a> {
    /// What the operator configured.
    pub(crate) secrets: &'a [Secret],
    /// The public keys that were fetched or vouched for, each for one scheme, as the family's own
    /// bytes.
    pub(crate) found: &'a [(PublicKey, &'a KeySource, Vec<u8>)],
}

impl<'a> From<&'a [Secret]> for Keyring<'a> {
    fn from(secrets: &'a [Secret]) -> Self {
        Self { secrets, found: &[] }
    }
}

/// What signing times are held against.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// None is any time.
    tolerance: Option<Duration>,
    clock: ClockRule,
    now: Timestamp,
}

impl Times {
    /// `tolerance` is what the operator set for the source, else the provider's counts; zero
    /// switches the check off.
    fn of(info: &ProviderInfo, tolerance: Option<Duration>, now: Timestamp) -> Self {
        let tolerance = tolerance.or(info.tolerance).filter(|tolerance| !tolerance.is_zero());
        Self { tolerance, clock: info.clock, now }
    }

    /// In whole seconds, as the schemes count: what is as old as the tolerance passes.
    fn check(self, signed_at: Timestamp) -> Result<(), Error> {
        let Some(tolerance) = self.tolerance else { return Ok(()) };
        let age = self.now.seconds().saturating_sub(signed_at.seconds());
        let ahead = signed_at.seconds().saturating_sub(self.now.seconds());
        if Duration::from_secs(age) > tolerance {
            return Err(Error::TooOld(age));
        }
        if self.clock == ClockRule::Both && Duration::from_secs(ahead) > tolerance {
            return Err(Error::TooNew(ahead));
        }
        Ok(())
    }
}

/// Passes a request whose evidence all holds and that was signed within the tolerance.
///
/// `tolerance` is what the operator set for the source, else the provider's counts; zero switches
/// the check of the time off, and so does a scheme that signs none.
pub(crate) fn verify<'a>(
    claims: &Claims,
    info: &ProviderInfo,
    keys: impl Into<Keyring<'a>>,
    body: &'a [u8],
    tolerance: Option<Duration>,
    now: Timestamp,
) -> Result<(), Error> {
    let keys: Keyring<'a> = keys.into();
    let times = Times::of(info, tolerance, now);
    form::check(claims, info, keys.secrets, body)?;
    form::check_tokens(claims, times)?;

    // All of it is computed before any of it is judged, so that the time it takes does not tell
    // which part held.
    let judge = Judge::new(claims, keys, body, times);
    let holds = |evidence: &Evidence| {
        judge::any(evidence.proofs.iter().filter_map(|proof| judge.holds(proof)))
    };
    let judged: Vec<Option<Choice>> = claims.evidence.iter().map(holds).collect();
    if !info.handshakes.is_empty() && judge.is_digested(claims) {
        return Err(Error::Digested);
    }
    let all = judged.into_iter().try_fold(Choice::from(1), |all, one| Some(all & one?));
    if !bool::from(all.ok_or(Error::NoUsableSecret)?) {
        return Err(Error::Mismatch);
    }
    claims.signed_at.map_or(Ok(()), |signed_at| times.check(signed_at))
}

/// What can be refused before a key is fetched, so that no crafted request makes the host ask for
/// one.
pub(crate) fn precheck(
    claims: &Claims,
    info: &ProviderInfo,
    secrets: &[Secret],
    body: &[u8],
    tolerance: Option<Duration>,
    now: Timestamp,
) -> Result<(), Error> {
    let times = Times::of(info, tolerance, now);
    form::check(claims, info, secrets, body)?;
    form::check_tokens(claims, times)?;
    claims.signed_at.map_or(Ok(()), |signed_at| times.check(signed_at))
}

/// The bytes that make `proof` hold, for sending a request as the provider would.
pub(crate) fn sample(
    proof: &Proof,
    values: &[Value],
    secret: &Secret,
    body: &[u8],
) -> Result<Vec<u8>, Error> {
    let values = values::make(values, &vec![true; values.len()], &[], Some(secret), body);
    let materials = Materials { secret: Some(secret), body, values: &values };
    match proof {
        Proof::Mac { digest, .. } => {
            let made = materials.digest(digest);
            made.map(|made| made.bytes).ok_or(Error::NoUsableSecret)
        }
        Proof::Token(_) => {
            let text = key::shared_text(secret).ok_or(Error::NoUsableSecret)?;
            Ok(text.as_bytes().to_vec())
        }
        Proof::Jws(jws) => jws::sample(jws, materials),
        Proof::Signature { .. } | Proof::Decrypted(_) => Err(Error::NeedsPrivateKey),
    }
}

#[cfg(test)]
mod tests;
