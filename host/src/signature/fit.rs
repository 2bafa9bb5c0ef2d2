//! Whether a secret can be the key that a proof needs, before anything is signed with it.
//!
//! For operators: a certificate in place of a key, or base64 where the scheme takes hexadecimal, is
//! otherwise noticed only when every request is refused. Never says anything of the secret but what
//! kind of thing it is.

use super::key;
use crate::provider::{Decryption, Jws, KeyEncoding, KeySource, Proof, SecretForm, Value};
use crate::secrets::Secret;

/// Whether `secret` can be what the proof needs; `None` if the proof needs none of the source's.
pub(crate) fn fits(proof: &Proof, values: &[Value], secret: &Secret) -> Option<bool> {
    match proof {
        Proof::Mac { digest, .. } => match &digest.key {
            Some(form) => Some(key::shared(form, secret).is_some()),
            None => Some(key::shared_text(secret).is_some()),
        },
        Proof::Signature { key, .. } | Proof::Jws(Jws { key, .. }) => match key {
            KeySource::Configured(form) => Some(match proof.public_key() {
                Some((scheme, _)) => key::public_key(scheme.family(), form, secret).is_some(),
                None => key::shared(form, secret).is_some(),
            }),
            KeySource::Fetched(_) | KeySource::Chain(_) => None,
        },
        Proof::Token(_) => Some(key::shared_text(secret).is_some()),
        Proof::Decrypted(decryption) => {
            let key = decryption_key(decryption, values)?;
            let key = key::shared(key, secret);
            Some(key.is_some_and(|key| matches!(key.len(), 16 | 24 | 32)))
        }
    }
}

fn decryption_key<'v>(decryption: &Decryption, values: &'v [Value]) -> Option<&'v SecretForm> {
    match values.get(decryption.index)? {
        Value::Decrypted(encrypted) => Some(&encrypted.key),
        Value::Digest(_) => None,
    }
}

/// What the proof needs, for people.
pub(crate) fn wanted(proof: &Proof, values: &[Value]) -> &'static str {
    let (encoding, is_public) = match proof {
        Proof::Mac { digest, .. } => {
            (digest.key.as_ref().map_or(KeyEncoding::Text, |form| form.encoding), false)
        }
        Proof::Signature { key, .. } | Proof::Jws(Jws { key, .. }) => match key {
            KeySource::Configured(form) => (form.encoding, proof.public_key().is_some()),
            KeySource::Fetched(_) => return "a key that the gateway fetches",
            KeySource::Chain(_) => return "a certificate that comes with the request",
        },
        Proof::Token(_) => (KeyEncoding::Text, false),
        Proof::Decrypted(decryption) => match decryption_key(decryption, values) {
            Some(form) if form.encoding == KeyEncoding::Hex => {
                return "a key of 16, 24 or 32 bytes in hexadecimal";
            }
            Some(form) if matches!(form.encoding, KeyEncoding::Md5 | KeyEncoding::Sha256) => {
                (KeyEncoding::Text, false)
            }
            _ => return "a key of 16, 24 or 32 bytes",
        },
    };
    match (encoding, is_public) {
        (KeyEncoding::Hex, false) => "a secret key in hexadecimal",
        (KeyEncoding::Hex, true) => "a public key in hexadecimal",
        (KeyEncoding::Base64, false) => "a secret key in base64",
        (KeyEncoding::Base64, true) => "a public key in base64",
        (KeyEncoding::Base64Url, false) => "a secret key in URL-safe base64",
        (KeyEncoding::Base64Url, true) => "a public key in URL-safe base64",
        (KeyEncoding::Whsec, _) => "a secret key in base64, with or without the prefix `whsec_`",
        (KeyEncoding::Whpk, _) => "a public key in base64 with the prefix `whpk_`",
        (KeyEncoding::Pem, _) => "a public key in PEM (-----BEGIN PUBLIC KEY-----)",
        (KeyEncoding::Spki, _) => "a public key in base64, as in PEM but in one line",
        (
            KeyEncoding::Text
            | KeyEncoding::Urlencoded
            | KeyEncoding::Md5
            | KeyEncoding::Sha1
            | KeyEncoding::Sha256,
            _,
        ) => "a shared secret, any text",
    }
}

/// What a secret looks like that is no shared secret.
pub(crate) fn resembles(secret: &Secret) -> Option<&'static str> {
    let text = secret.expose();
    let Some(label) = text.trim_start().strip_prefix("-----BEGIN ") else {
        return key::is_public(text).then_some("a public key");
    };
    let label = label.split("-----").next().unwrap_or_default();
    Some(match label {
        "CERTIFICATE" => {
            "a certificate: take the public key out of it (openssl x509 -pubkey -noout)"
        }
        label if label.ends_with("PRIVATE KEY") => {
            "a private key, which only its owner should have"
        }
        label if label.ends_with("PUBLIC KEY") => "a public key",
        _ => "something else in PEM",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Cipher, Digest, Encrypted, Hash, PublicKey};

    fn mac(key: KeyEncoding) -> Proof {
        let digest = Digest { hash: Hash::Sha256, key: Some(key.into()), message: Vec::new() };
        Proof::Mac { digest, digests: Vec::new() }
    }

    fn public(key: KeyEncoding) -> Proof {
        Proof::Signature {
            algorithm: PublicKey::Ed25519,
            key: KeySource::Configured(key.into()),
            message: Vec::new(),
            signatures: Vec::new(),
        }
    }

    #[test]
    fn a_secret_that_can_be_no_key_is_known_before_it_is_used() {
        let fit =
            |proof: &Proof, text: &str| fits(proof, &[], &Secret::new(text).unwrap()).unwrap();
        let certificate = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";
        assert!(fit(&mac(KeyEncoding::Hex), "00ff") && !fit(&mac(KeyEncoding::Hex), "whsec_x"));
        assert!(!fit(&mac(KeyEncoding::Base64), "not base64!"));
        for proof in [mac(KeyEncoding::Text), Proof::Token(String::new()), public(KeyEncoding::Pem)]
        {
            assert!(!fit(&proof, certificate), "{proof:?}");
        }
        assert!(!fit(&public(KeyEncoding::Hex), "00ff"), "too short");
    }

    #[test]
    fn a_secret_that_is_no_key_of_a_cipher_is_known() {
        let encrypted = Encrypted {
            cipher: Cipher::AesGcm,
            key: KeyEncoding::Hex.into(),
            nonce: Vec::new(),
            ciphertext: Vec::new(),
            tag: Vec::new(),
            associated_data: Vec::new(),
        };
        let values = [Value::Decrypted(encrypted)];
        let proof = |index| Proof::Decrypted(Decryption { index, plain: None });
        let fit = |text: &str| fits(&proof(0), &values, &Secret::new(text).unwrap());
        assert_eq!(fit(&"0".repeat(64)), Some(true));
        assert_eq!(fit(&"0".repeat(60)), Some(false));
        assert_eq!(fit("a text"), Some(false));
        assert_eq!(wanted(&proof(0), &values), "a key of 16, 24 or 32 bytes in hexadecimal");
        assert_eq!(fits(&proof(1), &values, &Secret::new("a").unwrap()), None);
    }

    #[test]
    fn what_stands_in_place_of_a_key_is_named_by_its_kind() {
        let seen = |text: &str| resembles(&Secret::new(text).unwrap()).unwrap_or("a text");
        assert!(seen("-----BEGIN CERTIFICATE-----\nAA==").starts_with("a certificate"));
        assert!(seen("-----BEGIN RSA PRIVATE KEY-----\nAA==").starts_with("a private key"));
        assert_eq!(seen("-----BEGIN PUBLIC KEY-----\nAA=="), "a public key");
        assert_eq!(seen("whpk_AA=="), "a public key");
        let spki = "MCowBQYDK2VwAyEA1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
        assert_eq!((seen(spki), seen(&spki[..56])), ("a public key", "a text"));
        assert_eq!(seen("whsec_AA=="), "a text");
    }
}
