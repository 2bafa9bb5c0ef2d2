//! What a provider plugin reads off a request, and what it says of itself.
//!
//! Pure values, mirrors of `wit/provider.wit`, so that nothing outside of `plugin` knows the
//! bindings. Claims are never believed before `crate::signature::verify` has held them against
//! the source's secrets.

use std::time::Duration;

use http::Method;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::event::Timestamp;
use crate::headers::Headers;
use crate::setting::Setting;

mod proofs;

pub use proofs::{
    Chain, Cipher, Decryption, Digest, DigestText, Encrypted, Evidence, Extension, Hash, Jws,
    JwsAlgorithm, JwsRule, KeyEncoding, KeyFamily, KeyField, KeyLookup, KeySource, Piece, Proof,
    PublicKey, Root, SecretForm, Value, ValuePart,
};

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
    /// The proofs that it may offer.
    pub proofs: Vec<ProofInfo>,
    /// How signing times are held against the clock.
    pub clock: ClockRule,
    /// The tolerance where the source sets none.
    pub tolerance: Option<Duration>,
    /// The answer to an accepted request whose claims have none.
    pub reply: Option<Answer>,
    /// The status for evidence that does not hold, 400 to 499.
    pub refusal_status: u16,
    /// The methods of its events in addition to POST: `GET`.
    pub methods: Vec<Method>,
    /// The methods of its validation challenges in addition to POST: `GET`, `HEAD`, `OPTIONS`.
    pub handshakes: Vec<Method>,
    /// Where its public keys may be fetched.
    pub key_places: Vec<KeyPlace>,
    /// The root certificates that it pins, in DER.
    pub roots: Vec<Vec<u8>>,
    /// The settings that it reads.
    pub settings: Vec<Setting>,
}

impl ProviderInfo {
    /// The place that a key would be looked up at; `None` if the provider never declared it.
    pub fn place(&self, lookup: &KeyLookup) -> Option<&KeyPlace> {
        self.key_places.iter().find(|place| place.holds(&lookup.url))
    }

    /// Whether what it claims must be known before a receipt is parsed: to open an encrypted body,
    /// or to say what the proof is worth.
    pub fn claims_before_parse(&self) -> bool {
        let plain =
            |proof: &ProofInfo| proof.worth == Worth::Bound && proof.kind != ProofKind::Decrypted;
        !self.proofs.iter().all(plain)
    }

    /// Each kind of proof and what it is worth, for people: `mac bound, token weak`.
    pub fn worths(&self) -> String {
        let names = |it: &ProofInfo| format!("{} {}", it.kind.name(), it.worth.name());
        self.proofs.iter().map(names).collect::<Vec<_>>().join(", ")
    }

    /// Whether a shared secret makes any proof that it may offer.
    pub fn can_sign(&self) -> bool {
        let signs = |proof: &ProofInfo| {
            matches!(proof.kind, ProofKind::Mac | ProofKind::Hash | ProofKind::Token)
        };
        self.proofs.iter().any(signs)
    }
}

/// Where public keys may be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    /// The URL. If it ends in `/`, it stands for all URLs below it.
    pub url: Url,
    /// The format of the keys there.
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
        bare && self.is_at(url) && (below || path == place)
    }

    /// Whether this is a host name of the place; `*` stands for one label.
    pub fn has_host(&self, host: &str) -> bool {
        let place = self.url.host_str().unwrap_or_default();
        match place.split_once('*') {
            None => place == host,
            Some((before, after)) => {
                let label = host.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                let known =
                    |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
                label.is_some_and(|label| {
                    (1..=63).contains(&label.len()) && label.bytes().all(known)
                })
            }
        }
    }

    fn is_at(&self, url: &Url) -> bool {
        url.scheme() == self.url.scheme()
            && url.port_or_known_default() == self.url.port_or_known_default()
            && self.has_host(url.host_str().unwrap_or_default())
    }
}

/// The format of a fetched key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyFormat {
    /// X.509 in PEM, made out to this DNS name.
    Certificate(String),
    /// X.509 in PEM for which only its place vouches.
    LeafCertificate,
    /// A public key in PEM.
    Pem,
    /// A JSON Web Key.
    Jwk,
    /// A set of JSON Web Keys.
    Jwks,
}

/// An answer to a payment gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, 200 to 299.
    pub status: u16,
    /// The content type; empty only if there is no body.
    pub content_type: String,
    /// Further headers.
    pub headers: Headers,
    /// The body, as pieces in their order.
    pub body: Vec<Piece>,
}

impl Answer {
    /// Whether the body has a digest in it.
    pub fn has_digest(&self) -> bool {
        self.body.iter().any(|piece| matches!(piece, Piece::Value(_)))
    }
}

/// A kind of proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofKind {
    /// An HMAC.
    Mac,
    /// A plain hash with the secret in its message.
    Hash,
    /// A public-key signature.
    Signature,
    /// A JSON Web Signature.
    Jws,
    /// The secret itself, sent along.
    Token,
    /// A text that only the secret decrypts.
    Decrypted,
}

impl ProofKind {
    /// The name in the contract and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mac => "mac",
            Self::Hash => "hash",
            Self::Signature => "signature",
            Self::Jws => "jws",
            Self::Token => "token",
            Self::Decrypted => "decrypted",
        }
    }
}

/// What a proof is worth, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Worth {
    /// One overheard request, or a collision, forges others.
    Weak,
    /// It does not cover all that is read.
    Unbound,
    /// It covers all that is read.
    Bound,
}

impl Worth {
    /// The name in the contract and in the label `proof`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weak => "weak",
            Self::Unbound => "unbound",
            Self::Bound => "bound",
        }
    }
}

/// What a request proved when it was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proven {
    /// Nothing: its source accepts everything.
    Nothing,
    /// What is worth [`Worth::Weak`].
    Weak,
    /// What is worth [`Worth::Unbound`].
    Unbound,
    /// What is worth [`Worth::Bound`].
    Bound,
}

impl Proven {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Weak => Worth::Weak.name(),
            Self::Unbound => Worth::Unbound.name(),
            Self::Bound => Worth::Bound.name(),
        }
    }

    /// The value of the label `proof`, which an event has unless all of its request is proven.
    pub fn label(self) -> Option<&'static str> {
        (self != Self::Bound).then(|| self.name())
    }
}

impl From<Worth> for Proven {
    fn from(worth: Worth) -> Self {
        match worth {
            Worth::Weak => Self::Weak,
            Worth::Unbound => Self::Unbound,
            Worth::Bound => Self::Bound,
        }
    }
}

/// A proof that a provider may offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofInfo {
    /// The kind of proof.
    pub kind: ProofKind,
    /// The most that it is worth.
    pub worth: Worth,
}

/// How far a signing time may stand from the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockRule {
    /// A time that is too old is refused.
    Past,
    /// A time that is too old, or too far in the future, is refused.
    Both,
}

/// What a provider reads off a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// What is computed before the evidence is checked, in this order.
    pub values: Vec<Value>,
    /// The evidence, all of which must hold.
    pub evidence: Vec<Evidence>,
    /// When the request was signed.
    pub signed_at: Option<Timestamp>,
    /// The ids of the events inside, as far as they can be told without parsing.
    pub event_ids: Vec<String>,
    /// The body that is parsed in place of the one that came.
    pub plain_body: Option<Vec<Piece>>,
    /// The answer, if the request is a validation challenge.
    pub handshake: Option<Answer>,
    /// The answer to this request, in place of the provider's own.
    pub reply: Option<Answer>,
}

impl Claims {
    /// All proofs of all evidence.
    pub fn proofs(&self) -> impl Iterator<Item = &Proof> {
        self.evidence.iter().flat_map(|evidence| &evidence.proofs)
    }

    /// The keys that have to be fetched or vouched for before the evidence can be checked, and for
    /// which scheme.
    pub fn keys_to_find(&self) -> impl Iterator<Item = (PublicKey, &KeySource)> {
        self.proofs().filter_map(|proof| {
            let (scheme, key) = proof.public_key()?;
            (!matches!(key, KeySource::Configured(_))).then_some((scheme, key))
        })
    }
}

/// Evidence that is missing or can't be read, as the plugin says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why, for the operator.
    pub reason: String,
}
