//! What a provider plugin reads off a request, and what it says of itself.
//!
//! Pure values, mirrors of `wit/provider.wit`, so that nothing outside of `plugin` knows the
//! bindings. Claims are never believed before [`crate::signature::verify`] has held them against
//! the source's secrets.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::event::Timestamp;

/// What a provider plugin says of itself, once, at load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderInfo {
    /// The provider's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// The event types that it may yield.
    pub types: Vec<String>,
    /// The kinds of proof that it may offer.
    pub proofs: Vec<ProofKind>,
    /// How signing times are held against the clock.
    pub clock: ClockRule,
    /// The tolerance where the source sets none.
    pub tolerance: Option<Duration>,
    /// The answer to an accepted request.
    pub reply: Option<Reply>,
    /// The status for evidence that does not hold, 400 to 499.
    pub refusal_status: u16,
}

/// What a handler plugin says of itself, once, at load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerInfo {
    /// The handler's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// The event types that it runs on.
    pub types: Vec<crate::route::Pattern>,
}

/// An answer to a payment gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 299.
    pub status: u16,
    /// Its content type.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// All of it must hold.
    pub evidence: Vec<Evidence>,
    /// When it was signed.
    pub signed_at: Option<Timestamp>,
    /// The ids of the events inside, as far as they can be told without parsing.
    pub event_ids: Vec<String>,
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
        /// How a secret becomes a public key.
        key: KeyEncoding,
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
}

/// Evidence that is missing or can't be read, as the plugin says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For the operator.
    pub reason: String,
}
