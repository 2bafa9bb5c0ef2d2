//! How an endpoint can tell that a delivery is genuine: the headers of Standard Webhooks, and the
//! keys that sign them.
//!
//! Pure: made from the delivery's id, the time, the body and the keys. Nothing here sends.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use http::HeaderName;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::Serialize;

use crate::secrets::Secret;
use crate::signature::{self, Keyed};

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
pub(crate) const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// These, and one for whoever says what the body is.
const HEADERS: usize = 4;

/// Bytes of a signature by a shared key, and of what parts it from the next.
const SHARED_BYTES: usize = "v1,".len() + 44 + " ".len();

/// A key that signs deliveries.
#[derive(Clone)]
pub(crate) enum SigningKey {
    /// HMAC-SHA256, `v1`: both sides know the key.
    Shared(Keyed),
    /// Ed25519, `v1a`: the endpoint knows the public half.
    Ed25519(Arc<Ed25519KeyPair>),
}

/// The public half of a key, as a JSON Web Key (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Jwk {
    kty: &'static str,
    crv: &'static str,
    kid: String,
    x: String,
    #[serde(rename = "use")]
    usage: &'static str,
}

impl Jwk {
    /// Tells it from the others of a set.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }
}

/// A secret that can't sign. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidKey {
    /// Another prefix, or none.
    #[error("a signing key begins with whsec_ (HMAC-SHA256) or whsk_ (Ed25519)")]
    Prefix,
    /// Not standard base64.
    #[error("a signing key is base64 after whsec_ or whsk_; this one is not")]
    Base64,
    /// Too little to be safe, or more than the standard allows.
    #[error("a whsec_ key has 24 to 64 bytes, not {0}")]
    SharedLength(usize),
    /// Neither a seed nor a key pair, or halves that do not belong together.
    #[error("a whsk_ key is an Ed25519 seed of 32 bytes, or 64 bytes of seed and public key")]
    Ed25519,
}

impl SigningKey {
    /// Reads a key as Standard Webhooks writes them.
    pub(crate) fn parse(secret: &Secret) -> Result<Self, InvalidKey> {
        let text = secret.expose();
        let decode = |text| signature::key::base64(text).ok_or(InvalidKey::Base64);
        if let Some(text) = text.strip_prefix("whsec_") {
            let key = decode(text)?;
            let fits = (24..=64).contains(&key.len());
            return if fits {
                Ok(Self::Shared(Keyed::new(&key)))
            } else {
                Err(InvalidKey::SharedLength(key.len()))
            };
        }
        let key = decode(text.strip_prefix("whsk_").ok_or(InvalidKey::Prefix)?)?;
        let pair = match key.split_at_checked(32) {
            Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
            Some((seed, public)) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
            None => return Err(InvalidKey::Ed25519),
        };
        pair.map(|pair| Self::Ed25519(pair.into())).map_err(|_| InvalidKey::Ed25519)
    }

    /// The public half, which everybody may know; none if both sides know the key.
    fn public(&self) -> Option<&[u8]> {
        match self {
            Self::Shared(_) => None,
            Self::Ed25519(pair) => Some(pair.public_key().as_ref()),
        }
    }

    /// The public half as Standard Webhooks writes it.
    pub(crate) fn public_text(&self) -> Option<String> {
        Some(format!("whpk_{}", BASE64.encode(self.public()?)))
    }

    /// The public half in the form in which it is published, under this id.
    pub(crate) fn public_jwk(&self, kid: String) -> Option<Jwk> {
        let x = URL_SAFE_NO_PAD.encode(self.public()?);
        Some(Jwk { kty: "OKP", crv: "Ed25519", kid, x, usage: "sig" })
    }

    /// Writes one signature as it stands in the header: `v1,K5oZ...`.
    fn sign(&self, message: &[&[u8]], header: &mut String) {
        match self {
            Self::Shared(key) => {
                header.push_str("v1,");
                BASE64.encode_string(key.mac(message.iter().copied()), header);
            }
            Self::Ed25519(pair) => {
                header.push_str("v1a,");
                BASE64.encode_string(pair.sign(&message.concat()), header);
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared(_) => "SigningKey(v1, ..)",
            Self::Ed25519(_) => "SigningKey(v1a, ..)",
        })
    }
}

/// The headers of one attempt. `id` stays the same over all attempts of a delivery,
/// `timestamp_secs` is the attempt's own. Every key signs, so that an endpoint in the middle of a
/// rotation knows one of them; without keys there is no signature.
pub(crate) fn headers(
    id: String,
    timestamp_secs: u64,
    body: &[u8],
    keys: &[SigningKey],
) -> Vec<(HeaderName, String)> {
    let timestamp = timestamp_secs.to_string();
    let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let mut signatures = String::with_capacity((SHARED_BYTES * keys.len()).saturating_sub(1));
    for key in keys {
        if !signatures.is_empty() {
            signatures.push(' ');
        }
        key.sign(&message, &mut signatures);
    }
    let mut headers = Vec::with_capacity(HEADERS);
    headers.extend([(WEBHOOK_ID, id), (WEBHOOK_TIMESTAMP, timestamp)]);
    if !signatures.is_empty() {
        headers.push((WEBHOOK_SIGNATURE, signatures));
    }
    headers
}

#[cfg(test)]
mod tests;
