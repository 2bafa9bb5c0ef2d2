//! A public key as a JSON Web Key (RFC 7517), and sets of them.
//!
//! A key that says that it has expired, that it is for something else than signatures, or for
//! another algorithm, is refused, so that nobody has to remember to ask. Of a set such keys are
//! left out: it may hold keys for others.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::KeyError;
use crate::provider::{KeyFamily, PublicKey};
use crate::signature::der;

/// Most keys in a set.
const KEYS_MAX: usize = 64;

/// A key that may be used.
#[derive(Debug, Clone)]
pub(super) struct Jwk {
    id: Option<String>,
    family: KeyFamily,
    algorithm: Option<String>,
    bytes: Vec<u8>,
}

/// The keys of a set that may be used.
#[derive(Debug, Clone)]
pub(super) struct Set(Arc<[Jwk]>);

/// Alone, or as a member.
#[derive(Deserialize)]
struct Answer {
    key: Option<Members>,
}

#[derive(Deserialize)]
struct Listed {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Members {
    kty: String,
    crv: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    expired_at: Option<serde_json::Value>,
}

impl Jwk {
    pub(super) fn read(json: &[u8]) -> Result<Self, KeyError> {
        let unreadable = || KeyError::Unreadable("the answer is not a JSON Web Key".to_owned());
        let answer = serde_json::from_slice(json).ok();
        let member = answer.and_then(|answer: Answer| answer.key);
        let members =
            member.or_else(|| serde_json::from_slice(json).ok()).ok_or_else(unreadable)?;
        members.into_key()
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Its bytes, if it is a key of this scheme.
    pub(super) fn bytes(&self, scheme: PublicKey) -> Option<Vec<u8>> {
        let is_meant =
            self.algorithm.as_deref().is_none_or(|alg| algorithms(scheme).contains(&alg));
        (is_meant && scheme.family() == self.family).then(|| self.bytes.clone())
    }
}

impl Set {
    /// Reads the keys of a set, without those that may not be used.
    pub(super) fn read(json: &[u8]) -> Result<Self, KeyError> {
        let unreadable = |what: &str| KeyError::Unreadable(what.to_owned());
        let keys = serde_json::from_slice(json);
        let Listed { keys } =
            keys.map_err(|_| unreadable("the answer is not a set of JSON Web Keys"))?;
        if keys.len() > KEYS_MAX {
            return Err(unreadable("the answer has more than 64 JSON Web Keys"));
        }
        let members = keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(members.filter_map(|members: Members| members.into_key().ok()).collect()))
    }

    /// Whether it has a key of this id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id() == Some(id))
    }

    /// The bytes of the key of this id and scheme; no bytes if all of the id are of another scheme.
    pub(super) fn bytes(&self, id: &str, scheme: PublicKey) -> Result<Option<Vec<u8>>, KeyError> {
        if !self.has(id) {
            return Err(KeyError::Unknown);
        }
        let mut keys = self.0.iter().filter(|key| key.id() == Some(id));
        Ok(keys.find_map(|key| key.bytes(scheme)))
    }
}

impl Members {
    fn into_key(self) -> Result<Jwk, KeyError> {
        if self.expired_at.is_some() {
            return Err(KeyError::Expired);
        }
        let verifies = |operations: &Vec<String>| operations.iter().any(|it| it == "verify");
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig")
            || self.key_ops.as_ref().is_some_and(|operations| !verifies(operations))
        {
            return Err(KeyError::Unfit);
        }
        let (family, bytes) = self.public_key().ok_or(KeyError::Unfit)?;
        let is_known = |alg: &str| {
            let schemes = SCHEMES.into_iter().filter(|scheme| scheme.family() == family);
            schemes.flat_map(algorithms).any(|known| *known == alg)
        };
        if !self.alg.as_deref().is_none_or(is_known) {
            return Err(KeyError::Unfit);
        }
        Ok(Jwk { id: self.kid, family, algorithm: self.alg, bytes })
    }

    fn public_key(&self) -> Option<(KeyFamily, Vec<u8>)> {
        if self.kty == "RSA" {
            let number = |text: Option<&String>| URL_SAFE_NO_PAD.decode(text?).ok();
            let key = der::rsa_public_key(&number(self.n.as_ref())?, &number(self.e.as_ref())?);
            return Some((KeyFamily::Rsa, key));
        }
        let (family, bytes) = match (self.kty.as_str(), self.crv.as_deref()?) {
            ("OKP", "Ed25519") => {
                let key = URL_SAFE_NO_PAD.decode(self.x.as_ref()?).ok();
                return Some((KeyFamily::Ed25519, key.filter(|key| key.len() == 32)?));
            }
            ("EC", "P-256") => (KeyFamily::P256, 32),
            ("EC", "P-384") => (KeyFamily::P384, 48),
            ("EC", "P-521") => (KeyFamily::P521, 66),
            _ => return None,
        };
        let x = coordinate(self.x.as_ref(), bytes)?;
        let y = coordinate(self.y.as_ref(), bytes)?;
        Some((family, [&[4][..], &x, &y].concat()))
    }
}

/// One scheme for each name of an algorithm.
const SCHEMES: [PublicKey; 8] = [
    PublicKey::Ed25519,
    PublicKey::EcdsaP256,
    PublicKey::EcdsaP384,
    PublicKey::EcdsaP521,
    PublicKey::RsaSha1,
    PublicKey::RsaSha256,
    PublicKey::RsaSha512,
    PublicKey::RsaPssSha256,
];

/// What `alg` may be of a key for this scheme.
fn algorithms(scheme: PublicKey) -> &'static [&'static str] {
    match scheme {
        PublicKey::Ed25519 => &["EdDSA", "Ed25519"],
        PublicKey::EcdsaP256 | PublicKey::EcdsaP256Der => &["ES256"],
        PublicKey::EcdsaP384 | PublicKey::EcdsaP384Der => &["ES384"],
        PublicKey::EcdsaP521 | PublicKey::EcdsaP521Der => &["ES512"],
        PublicKey::RsaSha1 => &["RS1"],
        PublicKey::RsaSha256 => &["RS256"],
        PublicKey::RsaSha512 => &["RS512"],
        PublicKey::RsaPssSha256 => &["PS256"],
    }
}

/// A number of a curve, as long as all of them are. Not every provider writes the zeros that a
/// number begins with, although RFC 7518 demands them; of P-521 every other one begins with some.
fn coordinate(text: Option<&String>, bytes: usize) -> Option<Vec<u8>> {
    let found = URL_SAFE_NO_PAD.decode(text?).ok().filter(|found| !found.is_empty())?;
    let zeros = vec![0; bytes.checked_sub(found.len())?];
    Some([zeros, found].concat())
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
            ("key_ops", json!(["sign", "deriveKey"])),
            ("alg", json!("HS256")),
            ("alg", json!("none")),
            ("kty", json!("oct")),
            ("alg", json!("ES384")),
            ("kty", json!("RSA")),
            ("crv", json!("P-384")),
            ("crv", json!("secp256k1")),
            ("x", json!("A".repeat(44))),
            ("x", json!("")),
            ("y", json!(null)),
            ("y", json!("eGTxpBfncsOeG+RAuYKKiRw3J7vjiw0xCdVGQy1bfOM")),
        ] {
            assert_eq!(changed(member, value.clone()).unwrap_err(), KeyError::Unfit, "{value}");
        }
        assert!(matches!(Jwk::read(b"{}"), Err(KeyError::Unreadable(_))));
        assert!(matches!(Jwk::read(b"<html>"), Err(KeyError::Unreadable(_))));
    }

    #[test]
    fn a_number_may_lack_the_zeros_that_it_begins_with() {
        let with = |x: &[u8]| changed("x", json!(URL_SAFE_NO_PAD.encode(x))).unwrap().bytes;
        assert_eq!(with(&[7; 31]), with(&[&[0][..], &[7; 31]].concat()));
    }

    #[test]
    fn a_key_is_for_its_algorithm_alone() {
        let document = json!({
            "kty": "RSA", "alg": "RS256", "kid": "r", "e": "AQAB",
            "n": URL_SAFE_NO_PAD.encode([0x80; 256])
        });
        let key = Jwk::read(document.to_string().as_bytes()).unwrap();
        assert!(key.bytes(PublicKey::RsaSha256).is_some());
        for other in [PublicKey::RsaSha512, PublicKey::RsaPssSha256, PublicKey::EcdsaP256] {
            assert!(key.bytes(other).is_none(), "{other:?}");
        }
        let mut open = document;
        open.as_object_mut().unwrap().remove("alg");
        let key = Jwk::read(open.to_string().as_bytes()).unwrap();
        assert!(key.bytes(PublicKey::RsaSha512).is_some());
    }

    #[test]
    fn of_two_keys_with_one_id_a_set_gives_the_one_of_the_scheme() {
        let mut other = document();
        other["alg"] = json!("EdDSA");
        (other["kty"], other["crv"]) = (json!("OKP"), json!("Ed25519"));
        let keys = json!({ "keys": [other, document()] }).to_string();
        let set = Set::read(keys.as_bytes()).unwrap();
        let id = "6c5516e1-92dc-479e-a8ff-5a51992e0001";
        let length = |scheme| set.bytes(id, scheme).unwrap().map(|key| key.len());
        let lengths = [PublicKey::Ed25519, PublicKey::EcdsaP256, PublicKey::EcdsaP384].map(length);
        assert_eq!(lengths, [Some(32), Some(65), None]);
    }

    #[test]
    fn a_set_gives_the_key_of_an_id_and_leaves_out_what_it_can_not_use() {
        let mut expired = document();
        expired["kid"] = json!("old");
        expired["expired_at"] = json!(1_600_000_000);
        let keys = json!({ "keys": [expired, { "kty": "oct", "kid": "k" }, "odd", document()] });
        let set = Set::read(keys.to_string().as_bytes()).unwrap();
        let id = "6c5516e1-92dc-479e-a8ff-5a51992e0001";
        assert!(matches!(set.bytes(id, PublicKey::EcdsaP256Der), Ok(Some(_))));
        assert_eq!(set.bytes(id, PublicKey::RsaSha256), Ok(None));
        for id in ["old", "k", "", "other"] {
            assert!(!set.has(id), "{id}");
            assert_eq!(set.bytes(id, PublicKey::EcdsaP256), Err(KeyError::Unknown), "{id}");
        }
        assert!(matches!(Set::read(b"{}"), Err(KeyError::Unreadable(_))));
        let many = json!({ "keys": vec![document(); 65] }).to_string();
        assert!(matches!(Set::read(many.as_bytes()), Err(KeyError::Unreadable(_))));
    }
}
