//! What a provider plugin reads off a request, and what it says of itself.
//!
//! Pure values, mirrors of `wit/provider.wit`, so that nothing outside of `plugin` knows the
//! bindings. Claims are never believed before [`crate::signature::verify`] has held them against
//! the source's secrets.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::event::Timestamp;
use crate::headers::Headers;

/// What a provider plugin says of itself, once, at load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderInfo {
    /// The provider's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// How it signs, for people.
    pub scheme: String,
    /// The event types that it may yield.
    pub types: Vec<String>,
    /// The kinds of proof that it may offer.
    pub proofs: Vec<ProofKind>,
    /// How signing times are held against the clock.
    pub clock: ClockRule,
    /// The tolerance where the source sets none.
    pub tolerance: Option<Duration>,
    /// The answer to an accepted request whose claims have none.
    pub reply: Option<Reply>,
    /// The status for evidence that does not hold, 400 to 499.
    pub refusal_status: u16,
    /// The methods of its validation challenges in addition to POST: `GET`, `OPTIONS`.
    pub handshakes: Vec<Method>,
    /// Where its public keys may be fetched.
    pub key_places: Vec<KeyPlace>,
}

impl ProviderInfo {
    /// The place that a key would be looked up at; `None` if the provider never declared it.
    pub fn place(&self, lookup: &KeyLookup) -> Option<&KeyPlace> {
        self.key_places.iter().find(|place| place.holds(&lookup.url))
    }
}

/// Where public keys may be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    /// With a `/` at its end it stands for all below it.
    pub url: Url,
    /// What lies there.
    pub format: KeyFormat,
}

impl KeyPlace {
    /// Whether a URL lies in this place: the same scheme, host, port and path, and nothing beside
    /// them that could make one key look like many.
    pub fn holds(&self, url: &Url) -> bool {
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let place = self.url.path();
        let path = url.path();
        // `%2f` and `%2e` are for some servers what they stand for.
        let below = place.ends_with('/') && path.starts_with(place) && !path.contains(['%', '\\']);
        bare && url.origin() == self.url.origin() && (below || path == place)
    }
}

/// What a fetched key comes as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyFormat {
    /// X.509 in PEM, made out to this DNS name.
    Certificate(String),
    /// A JSON Web Key.
    Jwk,
}

/// An answer to a payment gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 299.
    pub status: u16,
    /// Its content type; empty if it has none, and then no body either.
    pub content_type: String,
    /// Its body.
    pub body: Bytes,
}

/// A kind of proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofKind {
    /// An HMAC.
    Mac,
    /// A public-key signature.
    Signature,
    /// The secret itself.
    Token,
}

/// How far a signing time may stand from the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockRule {
    /// Too old is refused.
    Past,
    /// Too old and too far in the future are refused.
    Both,
}

/// What a provider reads off a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// All of it must hold.
    pub evidence: Vec<Evidence>,
    /// When it was signed.
    pub signed_at: Option<Timestamp>,
    /// The ids of the events inside, as far as they can be told without parsing.
    pub event_ids: Vec<String>,
    /// The answer, if the request is a validation challenge.
    pub handshake: Option<Handshake>,
    /// The answer to this request, in place of the provider's own.
    pub reply: Option<Reply>,
}

impl Claims {
    /// The keys that have to be fetched before the evidence can be checked, and for which scheme.
    pub fn lookups(&self) -> impl Iterator<Item = (PublicKey, &KeyLookup)> {
        let proofs = self.evidence.iter().flat_map(|evidence| &evidence.proofs);
        proofs.filter_map(|proof| match proof {
            Proof::Signature { algorithm, key: KeySource::Fetched(lookup), .. } => {
                Some((*algorithm, lookup))
            }
            _ => None,
        })
    }
}

/// The answer to a validation challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// 200 to 299.
    pub status: u16,
    /// Its content type.
    pub content_type: String,
    /// What else the provider looks for.
    pub headers: Headers,
    /// Its body, in order.
    pub body: Vec<AnswerPiece>,
}

/// A part of the answer to a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerPiece {
    /// As the plugin gives it.
    Text(String),
    /// A digest with the source's secret.
    Digest {
        /// The hash under it.
        algorithm: Hmac,
        /// How a secret becomes key bytes.
        key: KeyEncoding,
        /// What is digested.
        message: String,
        /// How it is written.
        written: DigestText,
    },
}

/// How a digest is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestText {
    /// Lower case.
    Hex,
    /// Standard, padded.
    Base64,
}

/// Holds if any of its proofs does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Alternatives.
    pub proofs: Vec<Proof>,
}

/// Something that can be checked with a secret or a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// An HMAC.
    Mac {
        /// The hash under it.
        algorithm: Hmac,
        /// How a secret becomes key bytes.
        key: KeyEncoding,
        /// What was signed, in order.
        message: Vec<Piece>,
        /// Any of them may match.
        digests: Vec<Vec<u8>>,
    },
    /// A public-key signature.
    Signature {
        /// The scheme.
        algorithm: PublicKey,
        /// Where the public key comes from.
        key: KeySource,
        /// What was signed, in order.
        message: Vec<Piece>,
        /// Any of them may match.
        signatures: Vec<Vec<u8>>,
    },
    /// The secret itself, sent along.
    Token(String),
}

impl Proof {
    /// Its kind.
    pub fn kind(&self) -> ProofKind {
        match self {
            Self::Mac { .. } => ProofKind::Mac,
            Self::Signature { .. } => ProofKind::Signature,
            Self::Token(_) => ProofKind::Token,
        }
    }
}

/// Where a public key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The source's secrets are public keys, written like this.
    Configured(KeyEncoding),
    /// It has to be fetched.
    Fetched(KeyLookup),
}

/// A request for a public key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyLookup {
    /// Where.
    pub url: Url,
    /// The members of a JSON object that is posted; none is a GET.
    pub post: Option<Vec<(String, KeyField)>>,
}

/// A member of the object that is posted for a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyField {
    /// As the plugin gives it.
    Text(String),
    /// The source's first secret.
    Secret,
}

/// A part of what was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes that the plugin gives.
    Bytes(Vec<u8>),
    /// The request's body.
    Body,
}

/// The hash under an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hmac {
    /// 20 bytes.
    Sha1,
    /// 32 bytes.
    Sha256,
    /// 64 bytes.
    Sha512,
}

/// A scheme of public-key signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKey {
    /// RFC 8032.
    Ed25519,
    /// P-256 with SHA-256; r and s, 64 bytes.
    EcdsaP256,
    /// PKCS #1 v1.5 with SHA-256.
    RsaSha256,
}

/// How a configured secret becomes key bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEncoding {
    /// Its UTF-8, whole.
    Text,
    /// Hexadecimal of either case.
    Hex,
    /// Standard base64.
    Base64,
    /// `whsec_`, which may be missing, and base64.
    Whsec,
    /// `whpk_` and base64.
    Whpk,
    /// A public key in PEM.
    Pem,
    /// The SHA-1 of its UTF-8.
    Sha1,
}

/// Evidence that is missing or can't be read, as the plugin says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For the operator.
    pub reason: String,
}
