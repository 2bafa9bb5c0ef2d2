//! A public key as a JSON Web Key (RFC 7517).
//!
//! Curves only: P-256 and Ed25519. A key that says that it has expired, or that it is for something
//! else than signatures, is refused while it is read, so that nobody has to remember to ask.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::KeyError;
use crate::provider::PublicKey;

/// A key that may be used.
#[derive(Debug, Clone)]
pub(super) struct Jwk {
    id: Option<String>,
    scheme: PublicKey,
    bytes: Vec<u8>,
}

/// Alone, or as a member.
#[derive(Deserialize)]
struct Answer {
    key: Option<Members>,
}

#[derive(Deserialize)]
struct Members {
    kty: String,
    crv: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    x: Option<String>,
    y: Option<String>,
    expired_at: Option<serde_json::Value>,
}

impl Jwk {
    pub(super) fn read(json: &[u8]) -> Result<Self, KeyError> {
        let unreadable = || KeyError::Unreadable("the answer is not a JSON Web Key".to_owned());
        let answer = serde_json::from_slice(json).ok();
        let member = answer.and_then(|answer: Answer| answer.key);
        let members =
            member.or_else(|| serde_json::from_slice(json).ok()).ok_or_else(unreadable)?;
        if members.expired_at.is_some() {
            return Err(KeyError::Expired);
        }
        if members.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return Err(KeyError::Unfit);
        }
        let (scheme, bytes) = members.public_key().ok_or(KeyError::Unfit)?;
        Ok(Self { id: members.kid, scheme, bytes })
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn bytes(&self, scheme: PublicKey) -> Option<Vec<u8>> {
        (scheme == self.scheme).then(|| self.bytes.clone())
    }
}

impl Members {
    fn public_key(&self) -> Option<(PublicKey, Vec<u8>)> {
        let x = coordinate(self.x.as_ref())?;
        let alg = self.alg.as_deref();
        match (self.kty.as_str(), self.crv.as_deref()?) {
            ("EC", "P-256") if alg.is_none_or(|alg| alg == "ES256") => {
                let y = coordinate(self.y.as_ref())?;
                let point = [&[4][..], &x, &y].concat();
                Some((PublicKey::EcdsaP256, point))
            }
            ("OKP", "Ed25519") if alg.is_none_or(|alg| matches!(alg, "EdDSA" | "Ed25519")) => {
                Some((PublicKey::Ed25519, x))
            }
            _ => None,
        }
    }
}

fn coordinate(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok().filter(|bytes| bytes.len() == 32)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Plaid's, as its documents show one.
    pub(in super::super) fn document() -> Value {
        json!({
            "alg": "ES256", "crv": "P-256", "kty": "EC", "use": "sig",
            "kid": "6c5516e1-92dc-479e-a8ff-5a51992e0001",
            "x": "eGTxpBfncsOeG-RAuYKKiRw3J7vjiw0xCdVGQy1bfOM",
            "y": "FrTYDgfO6d40ZTXOchMy6Mzi3ct8ZAAlN0yWInDwEaU",
            "created_at": 1_560_466_150, "expired_at": null
        })
    }

    pub(in super::super) fn example() -> Jwk {
        Jwk::read(document().to_string().as_bytes()).unwrap()
    }

    fn changed(member: &str, value: Value) -> Result<Jwk, KeyError> {
        let mut document = document();
        document[member] = value;
        Jwk::read(document.to_string().as_bytes())
    }

    #[test]
    fn a_key_is_read_alone_or_as_a_member() {
        let member = json!({ "key": document(), "request_id": "RqSuo" }).to_string();
        let member = Jwk::read(member.as_bytes()).unwrap();
        assert_eq!(member.bytes, example().bytes);
        assert_eq!((member.bytes.len(), member.bytes[0]), (65, 4));
        assert_eq!(member.id(), Some("6c5516e1-92dc-479e-a8ff-5a51992e0001"));
        assert!(member.bytes(PublicKey::EcdsaP256).is_some());
        assert!(member.bytes(PublicKey::Ed25519).is_none());
    }

    #[test]
    fn an_expired_key_is_refused() {
        assert_eq!(changed("expired_at", json!(1_600_000_000)).unwrap_err(), KeyError::Expired);
    }

    #[test]
    fn what_is_no_key_for_signatures_is_refused() {
        for (member, value) in [
            ("use", json!("enc")),
            ("alg", json!("HS256")),
            ("alg", json!("none")),
            ("kty", json!("oct")),
            ("kty", json!("RSA")),
            ("crv", json!("P-384")),
            ("x", json!("AAAA")),
            ("y", json!(null)),
            ("y", json!("eGTxpBfncsOeG+RAuYKKiRw3J7vjiw0xCdVGQy1bfOM")),
        ] {
            assert_eq!(changed(member, value.clone()).unwrap_err(), KeyError::Unfit, "{value}");
        }
        assert!(matches!(Jwk::read(b"{}"), Err(KeyError::Unreadable(_))));
        assert!(matches!(Jwk::read(b"<html>"), Err(KeyError::Unreadable(_))));
    }
}
