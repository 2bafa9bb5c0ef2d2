//! Whether a request is genuine: the claims of its provider, held against the source's secrets.
//!
//! Stands between what a plugin says was signed and everything else: no receipt is stored before
//! [`verify`] has passed. Fails closed: whatever is missing, empty, of another kind than declared
//! or out of proportion is refused. Pure: knows no clock but the time that it is given, and never
//! says to a sender why it refused.

use std::fmt;
use std::time::Duration;

use hmac::{KeyInit, Mac};
use ring::signature::{self as public, UnparsedPublicKey, VerificationAlgorithm};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::event::Timestamp;
use crate::provider::{
    Claims, ClockRule, Hmac, KeyLookup, KeySource, Piece, Proof, ProofKind, ProviderInfo, PublicKey,
};
use crate::secrets::Secret;

pub(crate) mod fit;
mod handshake;
pub(crate) mod key;

pub(crate) use handshake::answer;

/// Most proofs in the claims of one request.
const PROOFS_MAX: usize = 1024;
/// Most digests in all of them.
const DIGESTS_MAX: usize = 4096;
/// Most public-key signatures in all of them: each costs 50 us and more for every key.
const SIGNATURES_MAX: usize = 32;
/// Most bytes that all messages may have together.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

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
    #[error("provider never declared proofs of kind {}", kind_name(*.0))]
    UndeclaredProof(ProofKind),
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
    /// What an unsigned handshake may have digested, and so anybody.
    #[error("anybody can get a digest of the signed message by a validation challenge")]
    Digested,
    /// The plugin would let an unsigned request choose what is digested.
    #[error(
        "the gateway digests only 1 to {} hexadecimal digits for a challenge without evidence",
        handshake::OPEN_BYTES_MAX
    )]
    Oracle,
    /// From [`digest`] only: a public key can't sign.
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
            Self::EmptyMessage => "empty_message",
            Self::NoDigest => "no_digest",
            Self::Excessive => "excessive",
            Self::NoUsableSecret => "no_usable_secret",
            Self::Mismatch => "mismatch",
            Self::TooOld(_) => "too_old",
            Self::TooNew(_) => "too_new",
            Self::Digested => "digested",
            Self::Oracle => "oracle",
            Self::NeedsPrivateKey => "needs_private_key",
        }
    }
}

fn kind_name(kind: ProofKind) -> impl fmt::Display {
    match kind {
        ProofKind::Mac => "mac",
        ProofKind::Signature => "signature",
        ProofKind::Token => "token",
    }
}

/// What a source's evidence is checked with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys<'a> {
    /// What the operator configured.
    pub(crate) secrets: &'a [Secret],
    /// The public keys that were fetched, as the scheme's own bytes.
    pub(crate) fetched: &'a [(KeyLookup, Vec<u8>)],
}

impl<'a> From<&'a [Secret]> for Keys<'a> {
    fn from(secrets: &'a [Secret]) -> Self {
        Self { secrets, fetched: &[] }
    }
}

/// Passes a request whose evidence all holds and that was signed within the tolerance.
///
/// `tolerance` is what the operator set for the source, else the provider's counts; zero switches
/// the check of the time off, and so does a scheme that signs none.
pub(crate) fn verify<'a>(
    claims: &Claims,
    info: &ProviderInfo,
    keys: impl Into<Keys<'a>>,
    body: &[u8],
    tolerance: Option<Duration>,
    now: Timestamp,
) -> Result<(), Error> {
    let keys = keys.into();
    check_form(claims, info, body)?;

    // All of it is computed before any of it is judged, so that the time it takes does not tell
    // which part held.
    let judge = |proofs: &[Proof]| {
        proofs.iter().filter_map(|proof| holds(proof, keys, body)).reduce(|one, other| one | other)
    };
    let judged: Vec<Option<Choice>> =
        claims.evidence.iter().map(|evidence| judge(&evidence.proofs)).collect();
    let all = judged.into_iter().try_fold(Choice::from(1), |all, one| Some(all & one?));
    if !bool::from(all.ok_or(Error::NoUsableSecret)?) {
        return Err(Error::Mismatch);
    }
    check_age(claims, info, tolerance, now)
}

/// What can be refused before a key is fetched, so that no crafted request makes the host ask for
/// one.
pub(crate) fn precheck(
    claims: &Claims,
    info: &ProviderInfo,
    body: &[u8],
    tolerance: Option<Duration>,
    now: Timestamp,
) -> Result<(), Error> {
    check_form(claims, info, body)?;
    check_age(claims, info, tolerance, now)
}

fn check_age(
    claims: &Claims,
    info: &ProviderInfo,
    tolerance: Option<Duration>,
    now: Timestamp,
) -> Result<(), Error> {
    let tolerance = tolerance.or(info.tolerance).filter(|tolerance| !tolerance.is_zero());
    match (claims.signed_at, tolerance) {
        (Some(signed_at), Some(tolerance)) => check_time(signed_at, tolerance, info.clock, now),
        _ => Ok(()),
    }
}

/// The bytes that make `proof` hold, for sending a request as the provider would.
pub(crate) fn digest(proof: &Proof, secret: &Secret, body: &[u8]) -> Result<Vec<u8>, Error> {
    match proof {
        Proof::Mac { algorithm, key, message, .. } => {
            let key = key::mac_key(*key, secret).ok_or(Error::NoUsableSecret)?;
            Ok(mac(*algorithm, &key, pieces(message, body)))
        }
        Proof::Token(_) => {
            let text = key::shared_text(secret).ok_or(Error::NoUsableSecret)?;
            Ok(text.as_bytes().to_vec())
        }
        Proof::Signature { .. } => Err(Error::NeedsPrivateKey),
    }
}

/// The HMAC over all pieces, as if they were one.
pub(crate) fn mac<'a>(
    algorithm: Hmac,
    key: &[u8],
    message: impl Iterator<Item = &'a [u8]>,
) -> Vec<u8> {
    fn compute<'a, M: Mac + KeyInit>(
        key: &[u8],
        message: impl Iterator<Item = &'a [u8]>,
    ) -> Vec<u8> {
        let mut mac = <M as KeyInit>::new_from_slice(key).expect("an HMAC takes any key");
        message.for_each(|piece| mac.update(piece));
        mac.finalize().into_bytes().to_vec()
    }
    match algorithm {
        Hmac::Sha1 => compute::<hmac::Hmac<sha1::Sha1>>(key, message),
        Hmac::Sha256 => compute::<hmac::Hmac<Sha256>>(key, message),
        Hmac::Sha512 => compute::<hmac::Hmac<sha2::Sha512>>(key, message),
    }
}

/// What can be refused without any secret.
fn check_form(claims: &Claims, info: &ProviderInfo, body: &[u8]) -> Result<(), Error> {
    if claims.evidence.is_empty() {
        return Err(Error::NoEvidence);
    }
    if claims.evidence.iter().any(|evidence| evidence.proofs.is_empty()) {
        return Err(Error::NoProof);
    }
    let mut proofs = 0;
    let mut digests = 0;
    let mut signatures = 0;
    let mut bytes = 0_usize;
    for proof in claims.evidence.iter().flat_map(|evidence| &evidence.proofs) {
        if !info.proofs.contains(&proof.kind()) {
            return Err(Error::UndeclaredProof(proof.kind()));
        }
        proofs += 1;
        let (message, candidates, total) = match proof {
            Proof::Mac { message, digests: found, .. } => (message, found.len(), &mut digests),
            Proof::Signature { message, signatures: found, .. } => {
                (message, found.len(), &mut signatures)
            }
            Proof::Token(_) => continue,
        };
        if candidates == 0 {
            return Err(Error::NoDigest);
        }
        *total += candidates;
        let length =
            pieces(message, body).fold(0, |sum: usize, piece| sum.saturating_add(piece.len()));
        if length == 0 {
            return Err(Error::EmptyMessage);
        }
        if !info.handshakes.is_empty() && handshake::is_for_anybody(pieces(message, body)) {
            return Err(Error::Digested);
        }
        bytes = bytes.saturating_add(length);
    }
    let excessive = proofs > PROOFS_MAX
        || digests > DIGESTS_MAX
        || signatures > SIGNATURES_MAX
        || bytes > MESSAGE_BYTES_MAX;
    if excessive { Err(Error::Excessive) } else { Ok(()) }
}

/// Whether any secret makes the proof hold; `None` if none of them can.
fn holds(proof: &Proof, keys: Keys<'_>, body: &[u8]) -> Option<Choice> {
    let secrets = keys.secrets;
    let any = |choices: &mut dyn Iterator<Item = Choice>| {
        choices.fold(Choice::from(0), |any, choice| any | choice)
    };
    match proof {
        Proof::Mac { algorithm, key, message, digests } => {
            let keys = secrets.iter().filter_map(|secret| key::mac_key(*key, secret));
            let matches = keys.map(|key| {
                let code = mac(*algorithm, &key, pieces(message, body));
                any(&mut digests.iter().map(|digest| digest.as_slice().ct_eq(&code)))
            });
            matches.reduce(|one, other| one | other)
        }
        Proof::Signature { algorithm, key, message, signatures } => {
            let message = pieces(message, body).collect::<Vec<_>>().concat();
            let matches = public_keys(*algorithm, key, keys).into_iter().map(|key| {
                let key = UnparsedPublicKey::new(verification(*algorithm), key);
                let verified = |signature: &Vec<u8>| key.verify(&message, signature).is_ok();
                any(&mut signatures.iter().map(|signature| u8::from(verified(signature)).into()))
            });
            matches.reduce(|one, other| one | other)
        }
        Proof::Token(token) => {
            // Hashes have one length, so that the secret's own does not show. A secret is never
            // empty, so neither is a token that matches.
            let sent = Sha256::digest(token);
            let texts = secrets.iter().filter_map(key::shared_text);
            let matches = texts.map(|text| Sha256::digest(text).as_slice().ct_eq(sent.as_slice()));
            matches.reduce(|one, other| one | other)
        }
    }
}

fn public_keys(scheme: PublicKey, source: &KeySource, keys: Keys<'_>) -> Vec<Vec<u8>> {
    match source {
        KeySource::Configured(encoding) => {
            let secrets = keys.secrets.iter();
            secrets.filter_map(|secret| key::public_key(scheme, *encoding, secret)).collect()
        }
        KeySource::Fetched(wanted) => {
            let found = keys.fetched.iter().filter(|(lookup, _)| lookup == wanted);
            found.map(|(_, key)| key.clone()).collect()
        }
    }
}

fn verification(scheme: PublicKey) -> &'static dyn VerificationAlgorithm {
    match scheme {
        PublicKey::Ed25519 => &public::ED25519,
        PublicKey::EcdsaP256 => &public::ECDSA_P256_SHA256_FIXED,
        PublicKey::RsaSha256 => &public::RSA_PKCS1_2048_8192_SHA256,
    }
}

fn pieces<'a>(message: &'a [Piece], body: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    message.iter().map(move |piece| match piece {
        Piece::Bytes(bytes) => bytes.as_slice(),
        Piece::Body => body,
    })
}

/// In whole seconds, as the schemes count: what is as old as the tolerance passes.
fn check_time(
    signed_at: Timestamp,
    tolerance: Duration,
    rule: ClockRule,
    now: Timestamp,
) -> Result<(), Error> {
    let age = now.seconds().saturating_sub(signed_at.seconds());
    let ahead = signed_at.seconds().saturating_sub(now.seconds());
    if Duration::from_secs(age) > tolerance {
        return Err(Error::TooOld(age));
    }
    if rule == ClockRule::Both && Duration::from_secs(ahead) > tolerance {
        return Err(Error::TooNew(ahead));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
