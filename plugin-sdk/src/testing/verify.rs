//! Verifies claims as the gateway does.
//!
//! For tests only: it says why claims do not hold, which the gateway never tells a sender, and it
//! does not always take the same time.

use std::fmt;

use super::jws::{self, Scheme, Token};
use super::message::{self, Materials};
use super::times::{Times, Tolerance};
use super::{chain, cost, crypto, key, open, worth};
use crate::claims::{
    Claims, Jws, KeySource, Piece, Proof, ProofInfo, ProofKind, PublicKey, Value, Worth,
};
use crate::event::Timestamp;
use crate::provider::ProviderInfo;
use crate::request::Request;

/// Why claims do not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproven {
    /// There is no evidence, or a piece of it is empty.
    Empty,
    /// A proof has a kind that the provider does not describe.
    Kind(ProofKind),
    /// A proof of this kind is worth at most this, and the provider describes only others of it
    /// that are worth more.
    Worth(ProofKind, Worth),
    /// A plain hash without the secret in its message: everybody can compute it.
    Open,
    /// A public key in a form that a shared secret could have too, of a provider that describes
    /// other proofs than public-key signatures.
    Form,
    /// A digest that anybody can get as the answer to a validation challenge: of a provider that
    /// declares `handshakes` the gateway accepts no HMAC of 1 to 64 hexadecimal digits, in whatever
    /// way the message is put together.
    Digested,
    /// More to compute than any honest request needs: too many proofs, digests, signatures or
    /// chains, or too many bytes in all messages together.
    Excessive,
    /// A key is looked up at a place that the provider does not describe.
    Place,
    /// None of the secrets verifies a piece of evidence, or a token does not say what it must.
    Mismatch,
    /// The signing time is too old or too far in the future.
    Time,
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the evidence is missing or empty"),
            Self::Kind(kind) => write!(f, "`describe` does not name proofs of the kind {kind:?}"),
            Self::Worth(kind, worth) => {
                write!(f, "`describe` names no proof of the kind {kind:?} that is only {worth:?}")
            }
            Self::Open => f.write_str("a plain hash does not have the secret in its message"),
            Self::Form => f.write_str(
                "beside other kinds of proof, a public key needs the form `Whpk`, `Pem` or `Spki`, \
                 without a prefix",
            ),
            Self::Digested => {
                f.write_str("anybody can get a digest of the message by a validation challenge")
            }
            Self::Excessive => f.write_str("the claims ask for too much computation"),
            Self::Place => f.write_str("`describe` does not name the place of the key"),
            Self::Mismatch => f.write_str("no secret verifies the evidence"),
            Self::Time => f.write_str("the signing time is too old or too far in the future"),
        }
    }
}

impl std::error::Error for Unproven {}

/// Verifies claims with the secrets of a source at the time `now`, as the gateway does: every piece
/// of evidence must hold. A piece holds if any of its proofs holds with any of the secrets. In
/// place of a key that the gateway fetches, or of a root that its platform trusts, a test passes
/// the key or the root as a secret.
pub fn verify(
    info: &ProviderInfo,
    claims: &Claims,
    request: &Request,
    secrets: &[&str],
    now: Timestamp,
    tolerance: Tolerance,
) -> Result<(), Unproven> {
    check_form(info, claims, secrets, &request.body)?;
    let times = Times::of(info, tolerance, now);
    let judge = Judge {
        secrets,
        roots: chain::roots(info, secrets),
        times,
        open: Materials::new(&claims.values, None, &request.body),
        keyed: keyed(claims, request, secrets),
    };
    if !info.handshakes.is_empty() && open::is_evidence(claims, &judge.keyed) {
        return Err(Unproven::Digested);
    }
    for evidence in &claims.evidence {
        if !evidence.proofs.iter().any(|proof| judge.holds(proof)) {
            return Err(Unproven::Mismatch);
        }
    }
    let fresh = claims.signed_at.is_none_or(|signed_at| times.holds(signed_at));
    if fresh { Ok(()) } else { Err(Unproven::Time) }
}

/// What the gateway refuses before it uses any secret.
fn check_form(
    info: &ProviderInfo,
    claims: &Claims,
    secrets: &[&str],
    body: &[u8],
) -> Result<(), Unproven> {
    if claims.evidence.is_empty() || claims.evidence.iter().any(|piece| piece.proofs.is_empty()) {
        return Err(Unproven::Empty);
    }
    let is_asked = |it: &ProofInfo| it.kind == ProofKind::Decrypted || it.worth != Worth::Bound;
    if claims.plain_body.is_some() && !info.proofs.iter().any(is_asked) {
        return Err(Unproven::Kind(ProofKind::Decrypted));
    }
    let proofs = || claims.evidence.iter().flat_map(|evidence| &evidence.proofs);
    let names = |kind| info.proofs.iter().any(|declared| declared.kind == kind);
    if let Some(kind) = proofs().map(Proof::kind).find(|kind| !names(*kind)) {
        return Err(Unproven::Kind(kind));
    }
    let values = &claims.values;
    let mut evidence = claims.evidence.iter();
    if let Some((kind, most)) = evidence.find_map(|it| worth::undeclared(info, it, values)) {
        return Err(Unproven::Worth(kind, most));
    }
    let other = |it: &ProofInfo| it.kind != ProofKind::Signature;
    if proofs().any(looks_shared) && info.proofs.iter().any(other) {
        return Err(Unproven::Form);
    }
    if proofs().any(|proof| is_open(proof, values)) {
        return Err(Unproven::Open);
    }
    if proofs().any(|proof| is_empty(proof, body)) {
        return Err(Unproven::Empty);
    }
    if cost::is_excessive(claims, secrets, body) {
        return Err(Unproven::Excessive);
    }
    if proofs().any(|proof| !has_place(info, proof)) {
        return Err(Unproven::Place);
    }
    Ok(())
}

/// Whether the public key of a proof could be a shared secret as well.
fn looks_shared(proof: &Proof) -> bool {
    match proof {
        Proof::Signature(signed) => key::looks_shared(&signed.key),
        Proof::Jws(jws) => {
            matches!(jws::scheme(jws.algorithm), Scheme::PublicKey(_))
                && key::looks_shared(&jws.key)
        }
        Proof::Mac(_) | Proof::Token(_) | Proof::Decrypted(_) => false,
    }
}

/// Whether everybody can compute what a proof proves.
fn is_open(proof: &Proof, values: &[Value]) -> bool {
    match proof {
        Proof::Mac(mac) => {
            mac.digest.key.is_none() && !message::has_secret(&mac.digest.message, values)
        }
        Proof::Signature(_) | Proof::Jws(_) | Proof::Token(_) | Proof::Decrypted(_) => false,
    }
}

fn is_empty(proof: &Proof, body: &[u8]) -> bool {
    let nothing = |message: &[Piece]| {
        message.iter().all(|piece| match piece {
            Piece::Text(text) => text.is_empty(),
            Piece::Bytes(bytes) => bytes.is_empty(),
            Piece::Body => body.is_empty(),
            Piece::Secret(_) | Piece::Value(_) => false,
        })
    };
    match proof {
        Proof::Mac(mac) => mac.digests.is_empty() || nothing(&mac.digest.message),
        Proof::Signature(signed) => signed.signatures.is_empty() || nothing(&signed.message),
        Proof::Jws(jws) => jws.payload.as_ref().is_some_and(|payload| nothing(payload)),
        Proof::Token(token) => token.is_empty(),
        Proof::Decrypted(_) => false,
    }
}

fn has_place(info: &ProviderInfo, proof: &Proof) -> bool {
    let source = match proof {
        Proof::Signature(signed) => &signed.key,
        Proof::Jws(jws) => &jws.key,
        Proof::Mac(_) | Proof::Token(_) | Proof::Decrypted(_) => return true,
    };
    match source {
        KeySource::Fetched(lookup) => info.key_places.iter().any(|place| place.holds(&lookup.url)),
        KeySource::Configured(_) | KeySource::Chain(_) => true,
    }
}

/// What messages are made of, with each secret.
fn keyed<'a>(claims: &Claims, request: &'a Request, secrets: &[&'a str]) -> Vec<Materials<'a>> {
    let with = |secret: &&'a str| Materials::new(&claims.values, Some(*secret), &request.body);
    secrets.iter().map(with).collect()
}

/// What the proofs of one request are compared with.
struct Judge<'a> {
    secrets: &'a [&'a str],
    roots: Vec<Vec<u8>>,
    times: Times,
    /// The values that need no secret.
    open: Materials<'a>,
    /// All values, with each secret.
    keyed: Vec<Materials<'a>>,
}

impl Judge<'_> {
    fn holds(&self, proof: &Proof) -> bool {
        match proof {
            Proof::Mac(mac) => self.keyed.iter().any(|materials| {
                let made = materials.digest(&mac.digest);
                materials.says_something(&mac.digest.message)
                    && made.is_some_and(|made| mac.digests.contains(&made))
            }),
            Proof::Signature(signed) => {
                let messages = self.messages(&signed.message);
                let (algorithm, key) = (signed.algorithm, &signed.key);
                self.is_signed(algorithm, key, &messages, &signed.signatures)
            }
            Proof::Jws(jws) => self.jws_holds(jws).unwrap_or(false),
            Proof::Token(token) => {
                self.secrets.iter().any(|secret| key::shared_text(secret) == Some(token.as_str()))
            }
            Proof::Decrypted(decryption) => self.keyed.iter().any(|materials| {
                let Some(made) = materials.value(decryption.index) else { return false };
                let is = |plain: &Vec<Piece>| materials.message(plain).is_some_and(|it| it == made);
                !made.is_empty() && decryption.plain.as_ref().is_none_or(is)
            }),
        }
    }

    fn jws_holds(&self, jws: &Jws) -> Option<bool> {
        let token = Token::read(jws)?;
        let messages = match &jws.payload {
            None if !token.says(&jws.rules, self.times) => return None,
            None => vec![token.signed(None)],
            Some(_) if !jws.rules.is_empty() => return None,
            Some(payload) => {
                let messages = self.messages(payload).into_iter();
                messages.map(|payload| token.signed(Some(payload.as_slice()))).collect()
            }
        };
        Some(match (jws::scheme(jws.algorithm), &jws.key) {
            (Scheme::PublicKey(algorithm), source) => {
                self.is_signed(algorithm, source, &messages, &[token.signature])
            }
            (Scheme::Hmac(hash), KeySource::Configured(form)) => {
                let mut keys = self.keyed.iter().filter_map(|materials| materials.shared(form));
                let is = |key: &[u8], it: &[u8]| crypto::mac(hash, key, it) == token.signature;
                keys.any(|key| messages.iter().any(|message| is(&key, message)))
            }
            (Scheme::Hmac(_), KeySource::Fetched(_) | KeySource::Chain(_)) => false,
        })
    }

    /// The message of these pieces, or one with each secret.
    fn messages(&self, pieces: &[Piece]) -> Vec<Vec<u8>> {
        match self.open.message(pieces) {
            Some(message) => vec![message],
            None => self.keyed.iter().filter_map(|it| it.message(pieces)).collect(),
        }
    }

    fn is_signed(
        &self,
        algorithm: PublicKey,
        source: &KeySource,
        messages: &[Vec<u8>],
        signatures: &[Vec<u8>],
    ) -> bool {
        let keys: Vec<Vec<u8>> = match source {
            KeySource::Chain(chain) => {
                chain::key(chain, &self.roots, self.times.now).into_iter().collect()
            }
            KeySource::Configured(_) | KeySource::Fetched(_) => {
                let keys = self.secrets.iter();
                keys.filter_map(|secret| key::public(algorithm, source, secret)).collect()
            }
        };
        keys.iter().any(|key| {
            messages.iter().any(|message| {
                let verifies = |it: &Vec<u8>| crypto::verifies(algorithm, key, message, it);
                signatures.iter().any(verifies)
            })
        })
    }
}

/// The body that the gateway passes to `parse`, decrypted with the first secret that fits; `None`
/// if none does. Without [`Claims::plain_body`] it is the body that came.
pub fn plain_body(claims: &Claims, request: &Request, secrets: &[&str]) -> Option<Vec<u8>> {
    let Some(pieces) = &claims.plain_body else { return Some(request.body.clone()) };
    let open = Materials::new(&claims.values, None, &request.body);
    let plain = open.message(pieces);
    plain.or_else(|| keyed(claims, request, secrets).iter().find_map(|it| it.message(pieces)))
}

/// The body that `parse` would get of a request that nobody has encrypted yet.
pub(super) fn draft_body(claims: &Claims, request: &Request) -> Option<Vec<u8>> {
    let Some(pieces) = &claims.plain_body else { return Some(request.body.clone()) };
    Materials::of_draft(&claims.values, None, &request.body).message(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{Evidence, Hash, JwsAlgorithm, JwsRule, KeyEncoding, SecretForm};
    use crate::testing::digests;
    use crate::{DigestText, base64, claims::Digest, hex};

    const NOW: Timestamp = 1_767_225_600_000;

    fn info(kinds: &[ProofKind]) -> ProviderInfo {
        ProviderInfo::new("acme", "1.0.0", &["acme.*"], kinds)
    }

    fn proven(info: &ProviderInfo, claims: &Claims, secrets: &[&str]) -> Result<(), Unproven> {
        let request = Request::post("/in/acme", "body");
        verify(info, claims, &request, secrets, NOW, Tolerance::Provider)
    }

    fn claims(proof: Proof) -> Claims {
        Claims::new(Evidence::from(proof), None::<String>)
    }

    #[test]
    fn a_plain_hash_holds_with_the_secret_in_it() {
        let digest = crypto::digest(Hash::Sha256, b"keybody");
        let message = |secret| vec![secret, Piece::Body];
        let hash =
            |secret| claims(Proof::hash(Hash::Sha256, message(secret), vec![digest.clone()]));
        let info = info(&[ProofKind::Hash]);
        let good = hash(Piece::secret(KeyEncoding::Text));
        assert_eq!(proven(&info, &good, &["other", "key"]), Ok(()));
        assert_eq!(proven(&info, &good, &["other"]), Err(Unproven::Mismatch));
        assert_eq!(proven(&info, &hash("key".into()), &["key"]), Err(Unproven::Open));
        let weak = ProviderInfo {
            proofs: vec![ProofInfo { kind: ProofKind::Mac, worth: Worth::Bound }],
            ..info.clone()
        };
        assert_eq!(proven(&weak, &good, &["key"]), Err(Unproven::Kind(ProofKind::Hash)));
    }

    #[test]
    fn a_bare_public_key_is_for_a_provider_that_only_signs() {
        let key = hex::encode(&[1; 32]);
        let proven = |kinds: &[ProofKind], form: SecretForm| {
            let message = vec![Piece::Body];
            let signed = Proof::public_key(PublicKey::Ed25519, form, message, vec![vec![0; 64]]);
            proven(&info(kinds), &claims(signed), &[&key])
        };
        let hidden =
            || SecretForm { encoding: KeyEncoding::Spki, prefix: Some("acme_".to_owned()) };
        let both = [ProofKind::Signature, ProofKind::Mac];
        assert_eq!(proven(&both, KeyEncoding::Hex.into()), Err(Unproven::Form));
        assert_eq!(proven(&both, hidden()), Err(Unproven::Form));
        assert_eq!(proven(&both, KeyEncoding::Pem.into()), Err(Unproven::Mismatch));
        assert_eq!(proven(&both[..1], KeyEncoding::Hex.into()), Err(Unproven::Mismatch));
        assert_eq!(proven(&both[..1], hidden()), Err(Unproven::Mismatch));
    }

    #[test]
    fn a_plain_body_is_for_a_provider_that_is_asked_again_before_a_parse() {
        let proven = |info: &ProviderInfo, plain: bool| {
            let code = crypto::mac(Hash::Sha256, b"key", b"body");
            let mac = Proof::hmac(Hash::Sha256, KeyEncoding::Text, vec![Piece::Body], vec![code]);
            let claims = claims(mac);
            let claims = if plain { claims.with_plain_body([Piece::Body]) } else { claims };
            proven(info, &claims, &["key"])
        };
        let bound = info(&[ProofKind::Mac]);
        assert_eq!(proven(&bound, true), Err(Unproven::Kind(ProofKind::Decrypted)));
        assert_eq!(proven(&bound, false), Ok(()));
        assert_eq!(proven(&info(&[ProofKind::Mac, ProofKind::Decrypted]), true), Ok(()));
    }

    #[test]
    fn a_message_may_name_a_digest() {
        let digest = Digest { hash: Hash::Sha256, key: None, message: vec![Piece::Body] };
        let text = base64::encode(&crypto::digest(Hash::Sha256, b"body"));
        let code = crypto::mac(Hash::Sha256, b"key", text.as_bytes());
        let message = vec![Piece::of_value(0, DigestText::Base64)];
        let claims = Claims::new(
            Evidence::from(Proof::hmac(Hash::Sha256, KeyEncoding::Text, message, vec![code])),
            None::<String>,
        )
        .with_values([Value::Digest(digest)]);
        assert_eq!(proven(&info(&[ProofKind::Mac]), &claims, &["key"]), Ok(()));
    }

    #[test]
    fn a_token_is_signed_and_verified() {
        let encode = |text: &str| base64::encode_url(text.as_bytes());
        let jws = |signature: &[u8]| Jws {
            token: format!(
                "{}.{}.{}",
                encode(r#"{"alg":"HS256"}"#),
                encode(r#"{"exp":1767225600}"#),
                base64::encode_url(signature)
            ),
            algorithm: JwsAlgorithm::Hs256,
            key: KeySource::Configured(SecretForm::from(KeyEncoding::Text)),
            payload: None,
            rules: vec![JwsRule::Expires],
        };
        let request = Request::post("/in/acme", "body");
        let blank = claims(Proof::Jws(jws(b"")));
        let signature = digests(&blank, &request, "key").unwrap().remove(0);
        let info = info(&[ProofKind::Jws]);
        let signed = claims(Proof::Jws(jws(&signature)));
        assert_eq!(proven(&info, &signed, &["key"]), Ok(()));
        assert_eq!(proven(&info, &signed, &["other"]), Err(Unproven::Mismatch));
        assert_eq!(proven(&info, &blank, &["key"]), Err(Unproven::Mismatch));
    }
}
