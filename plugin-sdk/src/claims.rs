//! The claims that a provider reads from a request, and short ways to build them.
//!
//! This never computes or compares a signature: the gateway does, with secrets that no plugin sees.

use std::fmt;

use crate::event::{Failure, Timestamp};
use crate::handshake::Handshake;
use crate::{id, limits};

pub use crate::bindings::provider::exports::hookgate::plugin::provider::{
    Answer, Chain, Cipher, Claims, Decryption, Digest, DigestText, Encrypted, Evidence, Extension,
    Hash, Jws, JwsAlgorithm, JwsMember, JwsRule, KeyEncoding, KeyField, KeyFormat, KeyLookup,
    KeyPlace, KeySource, Mac, Piece, Proof, ProofInfo, ProofKind, PublicKey, Refusal, Root,
    SecretForm, Signature, Value, ValuePart, Worth,
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
        Self {
            values: Vec::new(),
            evidence,
            signed_at: None,
            event_ids,
            plain_body: None,
            handshake: None,
            reply: None,
        }
    }

    /// With values that the gateway computes first, in this order: digests and decrypted texts that
    /// messages name by [`Piece::of_value`].
    #[must_use]
    pub fn with_values(self, values: impl IntoIterator<Item = Value>) -> Self {
        Self { values: values.into_iter().collect(), ..self }
    }

    /// With the body that `parse` gets in place of the one that came, which is encrypted.
    #[must_use]
    pub fn with_plain_body(self, pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self { plain_body: Some(pieces.into_iter().collect()), ..self }
    }

    /// With the time at which the request was signed, which the signature must cover.
    #[must_use]
    pub fn with_signing_time(self, at: Timestamp) -> Self {
        Self { signed_at: Some(at), ..self }
    }

    /// With the answer to a validation challenge, if the request is one.
    #[must_use]
    pub fn with_handshake(mut self, handshake: impl Into<Option<Handshake>>) -> Self {
        let answer = handshake.into().map(|handshake| handshake.answer(&mut self.values));
        Self { handshake: answer, ..self }
    }

    /// With a reply to this one request, for a provider that expects different replies to different
    /// requests. The gateway sends it once the request is verified and stored.
    ///
    /// ```
    /// # use hookgate_sdk::{Answer, Claims, Evidence};
    /// # let (evidence, is_a_call) = (Evidence::token("t"), true);
    /// let claims = Claims::new(evidence, ["evt_1"]);
    /// let claims = if is_a_call {
    ///     claims.with_reply(Answer::new("text/xml", "<Response/>"))
    /// } else {
    ///     claims.with_reply(Answer::no_content())
    /// };
    /// # assert_eq!(claims.reply.map(|reply| reply.status), Some(200));
    /// ```
    #[must_use]
    pub fn with_reply(self, reply: impl Into<Option<Answer>>) -> Self {
        Self { reply: reply.into(), ..self }
    }

    /// Claims of a validation challenge that carries no evidence.
    pub fn asking(handshake: Handshake) -> Self {
        Self::all([], None::<String>).with_handshake(handshake)
    }
}

impl Evidence {
    /// The secret itself, sent along. It proves nothing about the body.
    pub fn token(token: impl Into<String>) -> Self {
        Self::from(Proof::Token(token.into()))
    }

    /// Evidence that holds if any of these proofs holds.
    pub fn any(proofs: Vec<Proof>) -> Self {
        Self { proofs, worth: None }
    }

    /// Evidence that is worth no more than this, for a provider that signs some requests in a
    /// lesser way than others. `describe` declares both ([`ProviderInfo::or_worth`]).
    ///
    /// [`ProviderInfo::or_worth`]: crate::ProviderInfo::or_worth
    #[must_use]
    pub fn worth(self, worth: Worth) -> Self {
        Self { worth: Some(worth), ..self }
    }
}

impl From<Proof> for Evidence {
    fn from(proof: Proof) -> Self {
        Self::any(vec![proof])
    }
}

impl Proof {
    /// An HMAC over the pieces, concatenated without separators. It holds if any of the source's
    /// secrets gives any of the digests.
    pub fn hmac(
        hash: Hash,
        key: impl Into<SecretForm>,
        message: Vec<Piece>,
        digests: Vec<Vec<u8>>,
    ) -> Self {
        Self::Mac(Mac { digest: Digest { hash, key: Some(key.into()), message }, digests })
    }

    /// A plain hash of the pieces, one of which must be the secret: [`Piece::secret`].
    pub fn hash(hash: Hash, message: Vec<Piece>, digests: Vec<Vec<u8>>) -> Self {
        Self::Mac(Mac { digest: Digest { hash, key: None, message }, digests })
    }

    /// A public-key signature over the pieces, concatenated without separators. The source's
    /// secrets are the public keys, written as `key` says.
    pub fn public_key(
        algorithm: PublicKey,
        key: impl Into<SecretForm>,
        message: Vec<Piece>,
        signatures: Vec<Vec<u8>>,
    ) -> Self {
        let key = KeySource::Configured(key.into());
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
            Self::Mac(mac) if mac.digest.key.is_none() => ProofKind::Hash,
            Self::Mac(_) => ProofKind::Mac,
            Self::Signature(_) => ProofKind::Signature,
            Self::Jws(_) => ProofKind::Jws,
            Self::Token(_) => ProofKind::Token,
            Self::Decrypted(_) => ProofKind::Decrypted,
        }
    }
}

impl From<KeyEncoding> for SecretForm {
    fn from(encoding: KeyEncoding) -> Self {
        Self { encoding, prefix: None }
    }
}

impl SecretForm {
    /// A secret that may be written `ID:KEY`, for a provider whose requests name the key that they
    /// are signed with: it proves only what names this id. One without an id proves the same for
    /// any. In [`KeyEncoding::Text`] one with another id would be a key too, the whole of it.
    pub fn named(encoding: KeyEncoding, id: &str) -> Self {
        Self { encoding, prefix: Some(format!("{id}:")) }
    }
}

impl ProofKind {
    /// What a proof of this kind is worth if it covers the whole body, or all that `parse` reads: a
    /// token is never worth more than [`Worth::Weak`].
    pub(crate) fn at_best(self) -> ProofInfo {
        let worth = if self == Self::Token { Worth::Weak } else { Worth::Bound };
        ProofInfo { kind: self, worth }
    }
}

impl Piece {
    /// A secret of the source. The gateway puts it in; the plugin never sees it.
    pub fn secret(form: impl Into<SecretForm>) -> Self {
        Self::Secret(form.into())
    }

    /// All of the value at this place of [`Claims::with_values`], from 0.
    pub fn of_value(index: u32, written: DigestText) -> Self {
        Self::Value(ValuePart { index, written, start: 0, end: None })
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
