//! Decodes a configured secret, or a key that stands in for a fetched one, to the bytes of a key.
//!
//! In a test, a private key in PEM may stand for its public key, so that a sample can be signed.
//! Never used by the gateway, which has code of its own.

use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair};

use crate::claims::{KeyEncoding, KeyField, KeyLookup, KeySource, PublicKey, Signature};
use crate::json::Json;
use crate::{base64, hex};

const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----";

/// The key in a secret; `None` for a secret that is not a key of this encoding, and for an empty
/// key. Verification skips such a secret.
pub(super) fn decode(encoding: KeyEncoding, secret: &str) -> Option<Vec<u8>> {
    let key = match encoding {
        KeyEncoding::Text => Some(secret.as_bytes().to_vec()),
        KeyEncoding::Hex => hex::decode(secret),
        KeyEncoding::Base64 => padded(secret),
        KeyEncoding::Whsec => padded(secret.strip_prefix("whsec_").unwrap_or(secret)),
        KeyEncoding::Whpk => padded(secret.strip_prefix("whpk_")?),
        KeyEncoding::Pem => subject_public_key(secret),
        KeyEncoding::Sha1 => {
            let hash =
                ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
            Some(hash.as_ref().to_vec())
        }
    };
    key.filter(|key| !key.is_empty())
}

/// The public key in this text that verifies a signature; `None` if the text is not such a key.
pub(super) fn public(signed: &Signature, text: &str) -> Option<Vec<u8>> {
    if text.starts_with(PRIVATE) {
        return Some(match Private::read(signed.algorithm, text)? {
            Private::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Private::Ecdsa(pair) => pair.public_key().as_ref().to_vec(),
        });
    }
    match &signed.key {
        KeySource::Configured(encoding) => decode(*encoding, text),
        KeySource::Fetched(lookup) => fetched(lookup, text),
    }
}

/// The signature that a provider with this private key would make.
pub(super) fn sign(signed: &Signature, message: &[u8], text: &str) -> Option<Vec<u8>> {
    let random = SystemRandom::new();
    match Private::read(signed.algorithm, text)? {
        Private::Rsa(pair) => {
            let mut bytes = vec![0; pair.public().modulus_len()];
            pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut bytes).ok()?;
            Some(bytes)
        }
        Private::Ecdsa(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
    }
}

enum Private {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

impl Private {
    fn read(algorithm: PublicKey, text: &str) -> Option<Self> {
        let der = pem(text, "PRIVATE KEY")?;
        match algorithm {
            PublicKey::RsaSha256 => RsaKeyPair::from_pkcs8(&der).ok().map(Self::Rsa),
            PublicKey::EcdsaP256 => {
                let scheme = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
                EcdsaKeyPair::from_pkcs8(scheme, &der, &SystemRandom::new()).ok().map(Self::Ecdsa)
            }
            PublicKey::Ed25519 => None,
        }
    }
}

/// A recorded key: a certificate, a public key, or the JSON Web Key whose id the look-up names.
fn fetched(lookup: &KeyLookup, text: &str) -> Option<Vec<u8>> {
    if let Some(certificate) = pem(text, "CERTIFICATE") {
        return of_certificate(&certificate);
    }
    let Ok(key) = Json::parse(text.as_bytes()) else { return subject_public_key(text) };
    let key = key.members();
    let id = key.name("/kid")?;
    let fields = lookup.post.iter().flatten();
    let named = |(_, field): &(String, KeyField)| *field == KeyField::Text(id.clone());
    let good = fields.into_iter().any(named) && key.name("/expired_at").is_none();
    let coordinate = |name: &str| base64::decode_url(&key.name(name)?);
    good.then(|| Some([vec![4], coordinate("/x")?, coordinate("/y")?].concat())).flatten()
}

fn padded(text: &str) -> Option<Vec<u8>> {
    let width = text.len().next_multiple_of(4);
    base64::decode(&format!("{text:=<width$}"))
}

/// The key inside the DER of `BEGIN PUBLIC KEY`: a sequence of the algorithm and a bit string.
fn subject_public_key(pem: &str) -> Option<Vec<u8>> {
    key_of_info(&self::pem(pem, "PUBLIC KEY")?)
}

/// The bytes between the first and the last line of PEM.
fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let body = text.trim().strip_prefix(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = body.split_once(&format!("-----END {label}-----"))?;
    base64::decode(&body.split_whitespace().collect::<String>())
}

/// The public key of an X.509 certificate. A test does not check who signed the certificate.
fn of_certificate(der: &[u8]) -> Option<Vec<u8>> {
    let (certificate, _) = element(0x30, der)?;
    let (content, _) = element(0x30, certificate)?;
    let rest = element(0xa0, content).map_or(content, |(_version, rest)| rest);
    let (_serial, mut rest) = element(0x02, rest)?;
    for _ in ["algorithm", "issuer", "validity", "subject"] {
        rest = element(0x30, rest)?.1;
    }
    key_of_info(rest)
}

fn key_of_info(der: &[u8]) -> Option<Vec<u8>> {
    let (sequence, _) = element(0x30, der)?;
    let (_algorithm, rest) = element(0x30, sequence)?;
    let (bits, _) = element(0x03, rest)?;
    bits.strip_prefix(&[0]).map(<[u8]>::to_vec)
}

/// The content of the DER element with this tag, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.strip_prefix(&[tag])?.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f).min(4))?;
        (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_becomes_a_key() {
        assert_eq!(decode(KeyEncoding::Text, "whsec_ab").unwrap(), b"whsec_ab");
        assert_eq!(decode(KeyEncoding::Hex, "fF00").unwrap(), [255, 0]);
        for secret in ["whsec_Zm8=", "whsec_Zm8", "Zm8="] {
            assert_eq!(decode(KeyEncoding::Whsec, secret).unwrap(), b"fo");
        }
    }

    #[test]
    fn an_empty_key_fits_nothing() {
        for secret in ["", "whsec_", "whpk_"] {
            assert_eq!(decode(KeyEncoding::Whsec, secret.trim_start_matches("whpk_")), None);
            assert_eq!(decode(KeyEncoding::Whpk, secret), None);
        }
        assert_eq!(decode(KeyEncoding::Text, ""), None);
        assert_eq!(decode(KeyEncoding::Pem, "-----BEGIN PUBLIC KEY-----"), None);
    }
}
