//! The claims that a provider reads from a request, and short ways to build them.
//!
//! This never computes or compares a signature: the gateway does, with secrets that no plugin sees.

use std::fmt;

use crate::event::{Failure, Timestamp};
use crate::request::Reply;
use crate::{id, limits};

pub use crate::bindings::provider::exports::hookgate::plugin::provider::{
    AnswerPiece, Claims, Digest, DigestText, Evidence, Handshake, Hmac, KeyEncoding, KeyField,
    KeyFormat, KeyLookup, KeyPlace, KeySource, Mac, Piece, Proof, ProofKind, PublicKey, Refusal,
    Signature,
};

impl Claims {
    /// Claims without a signing time. `event_ids` are the ids of the events that `parse` will
    /// return, or none. If an id is empty or longer than 255 bytes, or there are more than 1,000,
    /// the claims carry no ids, and the gateway detects duplicates after `parse`.
    pub fn new(evidence: Evidence, event_ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::all([evidence], event_ids)
    }

    /// The same for several pieces of evidence, all of which must hold. Without any, the gateway
    /// accepts the request only from a source with `verify = "none"`.
    pub fn all(
        evidence: impl IntoIterator<Item = Evidence>,
        event_ids: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let mut event_ids: Vec<String> = event_ids.into_iter().map(Into::into).collect();
        if event_ids.len() > limits::EVENTS_MAX
            || !event_ids.iter().all(|event_id| id::fits(event_id))
        {
            event_ids.clear();
        }
        let evidence = evidence.into_iter().collect();
        Self { evidence, signed_at: None, event_ids, handshake: None, reply: None }
    }

    /// With the time at which the request was signed, which the signature must cover.
    #[must_use]
    pub fn with_signing_time(self, at: Timestamp) -> Self {
        Self { signed_at: Some(at), ..self }
    }

    /// With the answer to a validation challenge, if the request is one.
    #[must_use]
    pub fn with_handshake(self, handshake: impl Into<Option<Handshake>>) -> Self {
        Self { handshake: handshake.into(), ..self }
    }

    /// With a reply to this one request, for a provider that expects different replies to different
    /// requests. The gateway sends it once the request is verified and stored.
    ///
    /// ```
    /// # use hookgate_sdk::{Claims, Evidence, Reply};
    /// # let (evidence, is_a_call) = (Evidence::token("t"), true);
    /// let claims = Claims::new(evidence, ["evt_1"]);
    /// let claims = if is_a_call {
    ///     claims.with_reply(Reply::new("text/xml", "<Response/>"))
    /// } else {
    ///     claims.with_reply(Reply::no_content())
    /// };
    /// # assert_eq!(claims.reply.map(|reply| reply.status), Some(200));
    /// ```
    #[must_use]
    pub fn with_reply(self, reply: impl Into<Option<Reply>>) -> Self {
        Self { reply: reply.into(), ..self }
    }

    /// Claims of a validation challenge by another method than POST, which carries no evidence.
    pub fn asking(handshake: Handshake) -> Self {
        Self::all([], None::<String>).with_handshake(handshake)
    }
}

impl Evidence {
    /// An HMAC with SHA-256. It holds if any of the source's secrets gives any of the digests.
    pub fn hmac_sha256(key: KeyEncoding, message: Vec<Piece>, digests: Vec<Vec<u8>>) -> Self {
        Self::from(Proof::hmac(Hmac::Sha256, key, message, digests))
    }

    /// An HMAC with SHA-1.
    pub fn hmac_sha1(key: KeyEncoding, message: Vec<Piece>, digests: Vec<Vec<u8>>) -> Self {
        Self::from(Proof::hmac(Hmac::Sha1, key, message, digests))
    }

    /// An HMAC with SHA-512.
    pub fn hmac_sha512(key: KeyEncoding, message: Vec<Piece>, digests: Vec<Vec<u8>>) -> Self {
        Self::from(Proof::hmac(Hmac::Sha512, key, message, digests))
    }

    /// The secret itself, sent along. It proves nothing about the body.
    pub fn token(token: impl Into<String>) -> Self {
        Self::from(Proof::Token(token.into()))
    }

    /// Evidence that holds if any of these proofs holds.
    pub fn any(proofs: Vec<Proof>) -> Self {
        Self { proofs }
    }
}

impl From<Proof> for Evidence {
    fn from(proof: Proof) -> Self {
        Self { proofs: vec![proof] }
    }
}

impl Proof {
    /// An HMAC over the pieces, concatenated without separators.
    pub fn hmac(
        algorithm: Hmac,
        key: KeyEncoding,
        message: Vec<Piece>,
        digests: Vec<Vec<u8>>,
    ) -> Self {
        Self::Mac(Mac { algorithm, key, message, digests })
    }

    /// A public-key signature over the pieces, concatenated without separators. The source's
    /// secrets are the public keys, written as `key` says.
    pub fn public_key(
        algorithm: PublicKey,
        key: KeyEncoding,
        message: Vec<Piece>,
        signatures: Vec<Vec<u8>>,
    ) -> Self {
        let key = KeySource::Configured(key);
        Self::Signature(Signature { algorithm, key, message, signatures })
    }

    /// A public-key signature over the pieces, with a public key that the gateway fetches.
    pub fn fetched_key(
        algorithm: PublicKey,
        lookup: KeyLookup,
        message: Vec<Piece>,
        signatures: Vec<Vec<u8>>,
    ) -> Self {
        let key = KeySource::Fetched(lookup);
        Self::Signature(Signature { algorithm, key, message, signatures })
    }

    /// The kind of this proof. The gateway rejects a kind that `describe` does not name.
    pub fn kind(&self) -> ProofKind {
        match self {
            Self::Mac(_) => ProofKind::Mac,
            Self::Signature(_) => ProofKind::Signature,
            Self::Token(_) => ProofKind::Token,
        }
    }
}

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Piece {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl Refusal {
    /// Refuses a request. The reason goes to the operator's log and never to the sender.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string() }
    }
}

/// What has no evidence can't be parsed either, where `parse` reads the same headers.
impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::permanent(refusal.reason)
    }
}
