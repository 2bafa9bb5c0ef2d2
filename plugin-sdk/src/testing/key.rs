//! Decodes a configured secret, or a key that stands in for a fetched one, to the bytes of a key.
//!
//! In a test, a private key in PEM may stand for its public key, so that a sample can be signed; a
//! certificate behind it in the same text is a root. Never used by the gateway, which has code of
//! its own.

use p521::ecdsa::signature::Signer as _;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair};

use super::{crypto, der};
use crate::claims::{Hash, KeyEncoding, KeyField, KeyLookup, KeySource, PublicKey, SecretForm};
use crate::json::{Json, Members};
use crate::{base64, hex};

const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----";

/// The bytes of a shared secret; `None` for a secret of another form, for an empty key, and for a
/// public key, which everybody knows. Verification skips such a secret.
pub(super) fn shared(form: &SecretForm, secret: &str) -> Option<Vec<u8>> {
    let text = Some(without_prefix(form, shared_text(secret)?)).filter(|text| !text.is_empty())?;
    let key = match form.encoding {
        KeyEncoding::Text => Some(text.as_bytes().to_vec()),
        KeyEncoding::Hex => hex::decode(text),
        KeyEncoding::Base64 => padded(text),
        KeyEncoding::Base64url => base64::decode_url(text.trim_end_matches('=')),
        KeyEncoding::Urlencoded => Some(urlencoded(text).into_bytes()),
        KeyEncoding::Whsec => padded(text.strip_prefix("whsec_").unwrap_or(text)),
        KeyEncoding::Md5 => Some(crypto::digest(Hash::Md5, text.as_bytes())),
        KeyEncoding::Sha1 => Some(crypto::digest(Hash::Sha1, text.as_bytes())),
        KeyEncoding::Sha256 => Some(crypto::digest(Hash::Sha256, text.as_bytes())),
        KeyEncoding::Whpk | KeyEncoding::Pem | KeyEncoding::Spki => None,
    };
    key.filter(|key| !key.is_empty())
}

/// The text of a secret that is neither empty nor a public key.
pub(super) fn shared_text(secret: &str) -> Option<&str> {
    let is_info = || padded(secret).is_some_and(|der| der::key_of_info(&der).is_some());
    let is_public = secret.starts_with("whpk_")
        || secret.trim_start().starts_with("-----BEGIN ")
        || secret.starts_with('M') && is_info();
    (!is_public && !secret.is_empty()).then_some(secret)
}

/// Whether a shared secret could be written like this configured public key: without anything that
/// says what it is, or behind a prefix that only the plugin knows.
pub(super) fn looks_shared(source: &KeySource) -> bool {
    let KeySource::Configured(form) = source else { return false };
    form.prefix.is_some()
        || matches!(form.encoding, KeyEncoding::Hex | KeyEncoding::Base64 | KeyEncoding::Base64url)
}

/// The public key in this text that verifies signatures of this scheme; `None` if the text is not
/// such a key.
pub(super) fn public(algorithm: PublicKey, source: &KeySource, text: &str) -> Option<Vec<u8>> {
    if text.starts_with(PRIVATE) {
        return Some(match Private::read(algorithm, text)? {
            Private::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Private::Ecdsa(pair) => pair.public_key().as_ref().to_vec(),
            Private::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Private::P521(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
        });
    }
    let key = match source {
        KeySource::Configured(form) => configured(form, text),
        KeySource::Fetched(lookup) => fetched(algorithm, lookup, text),
        KeySource::Chain(_) => None,
    };
    key.filter(|key| !key.is_empty())
}

fn configured(form: &SecretForm, text: &str) -> Option<Vec<u8>> {
    let text = without_prefix(form, text);
    match form.encoding {
        KeyEncoding::Hex => hex::decode(text),
        KeyEncoding::Base64 => padded(text),
        KeyEncoding::Base64url => base64::decode_url(text.trim_end_matches('=')),
        KeyEncoding::Whpk => padded(text.strip_prefix("whpk_")?),
        KeyEncoding::Pem => der::key_of_info(&der::pem(text, "PUBLIC KEY")?),
        KeyEncoding::Spki => der::key_of_info(&padded(text)?),
        KeyEncoding::Text
        | KeyEncoding::Urlencoded
        | KeyEncoding::Whsec
        | KeyEncoding::Md5
        | KeyEncoding::Sha1
        | KeyEncoding::Sha256 => None,
    }
}

/// A recorded key: a certificate, a public key, a JSON Web Key, or a set of them with the id that
/// the look-up names.
fn fetched(algorithm: PublicKey, lookup: &KeyLookup, text: &str) -> Option<Vec<u8>> {
    if let Some(certificate) = der::pem(text, "CERTIFICATE") {
        return der::key_of_certificate(&certificate);
    }
    let Ok(key) = Json::parse(text.as_bytes()) else {
        return der::key_of_info(&der::pem(text, "PUBLIC KEY")?);
    };
    let set = key.items("/keys");
    if set.is_empty() {
        let key = key.members();
        let id = key.name("/kid").map(KeyField::Text);
        let is_posted = |fields: &Vec<(String, KeyField)>| {
            fields.iter().any(|(_, field)| Some(field) == id.as_ref())
        };
        let is_meant = lookup.post.as_ref().is_none_or(is_posted);
        return is_meant.then(|| of_jwk(algorithm, &key)).flatten();
    }
    let mut keys = set.into_iter().map(Json::members);
    of_jwk(algorithm, &keys.find(|key| key.name("/kid") == lookup.id)?)
}

/// A JSON Web Key that may verify signatures of this scheme.
fn of_jwk(algorithm: PublicKey, key: &Members<'_>) -> Option<Vec<u8>> {
    let is_fit = key.name("/use").is_none_or(|purpose| purpose == "sig")
        && key.name("/alg").is_none_or(|name| names(algorithm).contains(&&*name))
        && key.name("/expired_at").is_none();
    let number = |name: &str| base64::decode_url(&key.text(name)?);
    // Not every provider writes the zeros that a coordinate begins with.
    let coordinate = |name: &str| {
        let found = number(name)?;
        let zeros = vec![0; coordinate_bytes(algorithm).checked_sub(found.len())?];
        Some([zeros, found].concat())
    };
    match key.name("/kty")?.as_str() {
        _ if !is_fit => None,
        "RSA" => Some(der::rsa_key(&number("/n")?, &number("/e")?)),
        "OKP" => number("/x"),
        "EC" => Some([vec![4], coordinate("/x")?, coordinate("/y")?].concat()),
        _ => None,
    }
}

/// The length of a number of the scheme's curve.
fn coordinate_bytes(algorithm: PublicKey) -> usize {
    match algorithm {
        PublicKey::EcdsaP384 | PublicKey::EcdsaP384Der => 48,
        PublicKey::EcdsaP521 | PublicKey::EcdsaP521Der => 66,
        _ => 32,
    }
}

/// The names of a scheme in JSON Web Keys and Signatures.
pub(super) fn names(algorithm: PublicKey) -> &'static [&'static str] {
    match algorithm {
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

/// The signature that a provider with this private key would make.
pub(super) fn sign(algorithm: PublicKey, message: &[u8], text: &str) -> Option<Vec<u8>> {
    let random = SystemRandom::new();
    match Private::read(algorithm, text)? {
        Private::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
        Private::Ecdsa(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
        Private::Rsa(pair) => {
            let encoding: &'static dyn RsaEncoding = match algorithm {
                PublicKey::RsaSha512 => &signature::RSA_PKCS1_SHA512,
                PublicKey::RsaPssSha256 => &signature::RSA_PSS_SHA256,
                _ => &signature::RSA_PKCS1_SHA256,
            };
            let mut bytes = vec![0; pair.public().modulus_len()];
            pair.sign(encoding, &random, message, &mut bytes).ok()?;
            Some(bytes)
        }
        Private::P521(key) => {
            let signature: p521::ecdsa::Signature = key.try_sign(message).ok()?;
            Some(signature.to_bytes().to_vec())
        }
    }
}

enum Private {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    P521(p521::ecdsa::SigningKey),
}

impl Private {
    /// Reads a private key of a scheme that a test can sign with.
    fn read(algorithm: PublicKey, text: &str) -> Option<Self> {
        let der = der::pem(text, "PRIVATE KEY")?;
        let scheme = match algorithm {
            PublicKey::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der);
                return pair.ok().map(Self::Ed25519);
            }
            PublicKey::RsaSha256 | PublicKey::RsaSha512 | PublicKey::RsaPssSha256 => {
                return RsaKeyPair::from_pkcs8(&der).ok().map(Self::Rsa);
            }
            PublicKey::EcdsaP256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            PublicKey::EcdsaP256Der => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            PublicKey::EcdsaP384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            PublicKey::EcdsaP384Der => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
            PublicKey::EcdsaP521 => {
                let key = p521::ecdsa::SigningKey::from_slice(der::private_number(&der)?);
                return key.ok().map(Self::P521);
            }
            PublicKey::EcdsaP521Der | PublicKey::RsaSha1 => return None,
        };
        let pair = EcdsaKeyPair::from_pkcs8(scheme, &der, &SystemRandom::new());
        pair.ok().map(Self::Ecdsa)
    }
}

fn without_prefix<'a>(form: &SecretForm, text: &'a str) -> &'a str {
    text.strip_prefix(form.prefix.as_deref().unwrap_or_default()).unwrap_or(text)
}

fn padded(text: &str) -> Option<Vec<u8>> {
    base64::decode(&base64::padded(text.to_owned()))
}

/// As a form writes a value.
fn urlencoded(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'-' | b'_' | b'.' => written.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => written.push(char::from(byte)),
            b' ' => written.push('+'),
            _ => written.push_str(&format!("%{byte:02X}")),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: KeyEncoding, secret: &str) -> Option<Vec<u8>> {
        shared(&encoding.into(), secret)
    }

    #[test]
    fn a_secret_becomes_a_key() {
        assert_eq!(decode(KeyEncoding::Text, "whsec_ab").unwrap(), b"whsec_ab");
        assert_eq!(decode(KeyEncoding::Hex, "fF00").unwrap(), [255, 0]);
        for secret in ["whsec_Zm8=", "whsec_Zm8", "Zm8="] {
            assert_eq!(decode(KeyEncoding::Whsec, secret).unwrap(), b"fo");
        }
        assert_eq!(decode(KeyEncoding::Base64url, "_-8=").unwrap(), [255, 239]);
        assert_eq!(decode(KeyEncoding::Urlencoded, "a b/é").unwrap(), b"a+b%2F%C3%A9");
        assert_eq!(decode(KeyEncoding::Md5, "abc").unwrap()[..2], [0x90, 0x01]);
        let form = SecretForm { encoding: KeyEncoding::Hex, prefix: Some("whook_".to_owned()) };
        assert_eq!(shared(&form, "whook_ff").unwrap(), [255]);
        assert_eq!(shared(&form, "ff").unwrap(), [255]);
    }

    #[test]
    fn an_empty_key_fits_nothing() {
        for secret in ["", "whsec_"] {
            assert_eq!(decode(KeyEncoding::Whsec, secret), None);
        }
        assert_eq!(decode(KeyEncoding::Text, ""), None);
        let form = SecretForm { encoding: KeyEncoding::Md5, prefix: Some("whook_".to_owned()) };
        assert_eq!(shared(&form, "whook_"), None);
        let public = |encoding: KeyEncoding, text: &str| {
            super::public(PublicKey::Ed25519, &KeySource::Configured(encoding.into()), text)
        };
        assert_eq!(public(KeyEncoding::Whpk, "whpk_"), None);
        assert_eq!(public(KeyEncoding::Pem, "-----BEGIN PUBLIC KEY-----"), None);
    }

    #[test]
    fn a_public_key_is_never_a_shared_secret() {
        for text in [
            "whpk_AP8=",
            "-----BEGIN PUBLIC KEY-----\nAA==",
            " -----BEGIN CERTIFICATE-----",
            "MCowBQYDK2VwAyEA1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
        ] {
            assert_eq!(decode(KeyEncoding::Text, text), None, "{text}");
        }
    }

    #[test]
    fn a_set_of_keys_gives_the_key_that_is_named() {
        let set = r#"{"keys":[
            {"kid":"a","kty":"OKP","crv":"Ed25519","x":"AQ","use":"sig","alg":"EdDSA"},
            {"kid":"b","kty":"RSA","n":"gAE","e":"AQAB"},
            {"kid":"c","kty":"EC","crv":"P-256","x":"AQ","y":"Ag","use":"enc"}
        ]}"#;
        let key = |algorithm, id: &str| {
            let lookup = KeyLookup::get("https://a.example/keys").with_id(id);
            public(algorithm, &KeySource::Fetched(lookup), set)
        };
        assert_eq!(key(PublicKey::Ed25519, "a"), Some(vec![1]));
        assert_eq!(key(PublicKey::RsaSha512, "b"), Some(der::rsa_key(&[0x80, 1], &[1, 0, 1])));
        assert_eq!(key(PublicKey::EcdsaP256, "a"), None, "another algorithm");
        assert_eq!(key(PublicKey::EcdsaP256, "c"), None, "for another use");
        assert_eq!(key(PublicKey::Ed25519, "d"), None, "another id");
    }

    #[test]
    fn a_coordinate_may_lack_the_zeros_that_it_begins_with() {
        let set = r#"{"keys":[{"kid":"a","kty":"EC","crv":"P-384","x":"AQ","y":"Ag"}]}"#;
        let lookup = KeyLookup::get("https://a.example/keys").with_id("a");
        let key = public(PublicKey::EcdsaP384, &KeySource::Fetched(lookup), set).unwrap();
        assert_eq!((key.len(), key[48], key[96]), (97, 1, 2));
    }
}
