//! Whether proofs hold: each with every secret, and with the keys that were found.
//!
//! Everything is computed before anything is judged, and compared in constant time, so that the
//! time it takes does not tell which secret, which proof or which byte was right. Never says why a
//! proof does not hold.

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::jws::{self, Token};
use super::values::{self, Materials, Message, Values};
use super::{Keyring, Times, digest, key, open, public};
use crate::provider::{
    Claims, Decryption, Digest, Jws, JwsAlgorithm, KeySource, Piece, Proof, PublicKey, Value,
};
use crate::secrets::Secret;

/// What the proofs of one request are held against.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    keys: Keyring<'a>,
    body: &'a [u8],
    times: Times,
    /// The values that the evidence is made of.
    used: Vec<bool>,
    /// The values that need no secret.
    open: Values,
    /// All values, by the secret that they were made with; none if none needs a secret.
    keyed: Vec<Values>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(claims: &Claims, keys: Keyring<'a>, body: &'a [u8], times: Times) -> Self {
        let values = &claims.values;
        let used = values::used(claims);
        let open = values::make(values, &used, &[], None, body);
        let make = |secret: &Secret| values::make(values, &used, &open, Some(secret), body);
        let keyed = match values::need_secret(values, &used) {
            true => keys.secrets.iter().map(make).collect(),
            false => Vec::new(),
        };
        Self { keys, body, times, used, open, keyed }
    }

    /// Whether the evidence is made of an HMAC that anybody can get by a validation challenge. Only
    /// here it is known what a message says that was decrypted or digested.
    pub(super) fn is_digested(&self, claims: &Claims) -> bool {
        let made = claims.values.iter().zip(&self.used).filter_map(|(value, used)| match value {
            Value::Digest(digest) if *used => Some(digest),
            Value::Digest(_) | Value::Decrypted(_) => None,
        });
        let compared = claims.proofs().filter_map(|proof| match proof {
            Proof::Mac { digest, .. } => Some(digest),
            Proof::Signature { .. } | Proof::Jws(_) | Proof::Token(_) | Proof::Decrypted(_) => None,
        });
        made.chain(compared).any(|digest| digest.key.is_some() && self.is_open(&digest.message))
    }

    fn is_open(&self, message: &[Piece]) -> bool {
        let has_secret = message.iter().any(|piece| matches!(piece, Piece::Secret(_)));
        let is_open = |it: &Message<'_>| bool::from(it.is_meant()) && open::is_open(it.pieces());
        !has_secret && self.messages(message).iter().any(is_open)
    }

    /// Whether any secret or key makes the proof hold; `None` if none of them can.
    pub(super) fn holds(&self, proof: &Proof) -> Option<Choice> {
        match proof {
            Proof::Mac { digest, digests } => self.mac(digest, digests),
            Proof::Signature { algorithm, key, message, signatures } => {
                let messages = self.messages(message).into_iter();
                let signed: Vec<_> = messages.map(|it| (it.whole(), it.is_meant())).collect();
                self.signature(*algorithm, key, &signed, signatures)
            }
            Proof::Jws(jws) => self.jws(jws),
            Proof::Token(token) => {
                // Hashes have one length, so that the secret's own does not show. A secret is never
                // empty, so neither is a token that matches.
                let sent = Sha256::digest(token);
                let texts = self.keys.secrets.iter().filter_map(key::shared_text);
                any(texts.map(|text| Sha256::digest(text).as_slice().ct_eq(sent.as_slice())))
            }
            Proof::Decrypted(decryption) => self.decrypted(decryption),
        }
    }

    fn mac(&self, digest: &Digest, digests: &[Vec<u8>]) -> Option<Choice> {
        any(self.with_each_secret().filter_map(|materials| {
            let made = materials.digest(digest)?;
            let equal = digests.iter().map(|sent| sent.as_slice().ct_eq(&made.bytes));
            Some(made.sound & any(equal)?)
        }))
    }

    fn signature(
        &self,
        scheme: PublicKey,
        source: &KeySource,
        signed: &[(Vec<u8>, Choice)],
        signatures: &[Vec<u8>],
    ) -> Option<Choice> {
        let keys = self.public_keys(scheme, source);
        let mut choices = Vec::new();
        for key in &keys {
            for (message, sound) in signed {
                for signature in signatures {
                    let verified = public::verifies(scheme, key, message, signature);
                    choices.push(*sound & Choice::from(u8::from(verified)));
                }
            }
        }
        any(choices.into_iter())
    }

    fn jws(&self, jws: &Jws) -> Option<Choice> {
        let checked = jws::check(jws, self.times).and_then(|()| Token::read(jws));
        let Ok(token) = checked else { return Some(Choice::from(0)) };
        let signed = |payload: Option<&Message<'_>>| match payload {
            None => (token.signed(None), Choice::from(1)),
            Some(payload) => (token.signed(Some(&payload.whole())), payload.is_meant()),
        };
        match (jws.algorithm, &jws.key) {
            (JwsAlgorithm::PublicKey(scheme), source) => {
                let all: Vec<_> = match &jws.payload {
                    None => vec![signed(None)],
                    Some(it) => self.messages(it).iter().map(|it| signed(Some(it))).collect(),
                };
                self.signature(scheme, source, &all, std::slice::from_ref(&token.signature))
            }
            (JwsAlgorithm::Hmac(hash), KeySource::Configured(form)) => {
                any(self.with_each_secret().filter_map(|materials| {
                    let key = key::shared(form, materials.secret?)?;
                    let (message, meant) = match &jws.payload {
                        None => signed(None),
                        Some(pieces) => signed(Some(&materials.message(pieces)?)),
                    };
                    let code = digest::mac(hash, &key, [message.as_slice()].into_iter());
                    Some(meant & token.signature.as_slice().ct_eq(&code))
                }))
            }
            (JwsAlgorithm::Hmac(_), KeySource::Fetched(_) | KeySource::Chain(_)) => None,
        }
    }

    fn decrypted(&self, decryption: &Decryption) -> Option<Choice> {
        any(self.with_each_secret().filter_map(|materials| {
            let made = materials.values.get(decryption.index)?.as_ref()?;
            let is_plain = match &decryption.plain {
                None => Choice::from(1),
                Some(pieces) => match materials.message(pieces) {
                    Some(plain) => plain.sound & plain.whole().as_slice().ct_eq(&made.bytes),
                    None => Choice::from(0),
                },
            };
            // A text of nothing says nothing, whoever encrypted it.
            let is_something = Choice::from(u8::from(!made.bytes.is_empty()));
            Some(made.sound & is_something & is_plain)
        }))
    }

    /// What messages are made of, with each secret.
    fn with_each_secret(&self) -> impl Iterator<Item = Materials<'_>> {
        self.keys.secrets.iter().enumerate().map(|(at, secret)| Materials {
            secret: Some(secret),
            body: self.body,
            values: self.keyed.get(at).unwrap_or(&self.open),
        })
    }

    /// The message of these pieces: one, or one for each secret.
    fn messages<'m>(&'m self, pieces: &'m [Piece]) -> Vec<Message<'m>> {
        let is_keyed = pieces.iter().any(|piece| match piece {
            Piece::Secret(_) => true,
            Piece::Value(_) => !self.keyed.is_empty(),
            Piece::Bytes(_) | Piece::Body => false,
        });
        if is_keyed {
            return self.with_each_secret().filter_map(|it| it.message(pieces)).collect();
        }
        let open = Materials { secret: None, body: self.body, values: &self.open };
        open.message(pieces).into_iter().collect()
    }

    fn public_keys(&self, scheme: PublicKey, source: &KeySource) -> Vec<Vec<u8>> {
        match source {
            KeySource::Configured(form) => {
                let secrets = self.keys.secrets.iter();
                let family = scheme.family();
                secrets.filter_map(|secret| key::public_key(family, form, secret)).collect()
            }
            KeySource::Fetched(_) | KeySource::Chain(_) => {
                // A key may be for one scheme of its family only.
                let found = self.keys.found.iter();
                let found = found.filter(|(of, known, _)| *of == scheme && *known == source);
                found.map(|(.., key)| key.clone()).collect()
            }
        }
    }
}

/// Whether any of them is; `None` if there are none.
pub(super) fn any(choices: impl Iterator<Item = Choice>) -> Option<Choice> {
    choices.reduce(|one, other| one | other)
}
