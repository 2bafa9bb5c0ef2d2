//! Whether a secret can be the key that a proof needs, before anything is signed with it.
//!
//! For operators: a certificate in place of a key, or base64 where the scheme takes hexadecimal, is
//! otherwise noticed only when every request is refused. Never says anything of the secret but what
//! kind of thing it is.

use super::key;
use crate::provider::{KeyEncoding, KeySource, Proof};
use crate::secrets::Secret;

/// Whether `secret` can be what the proof needs; `None` if the proof needs none of the source's.
pub(crate) fn fits(proof: &Proof, secret: &Secret) -> Option<bool> {
    match proof {
        Proof::Mac { key, .. } => Some(key::mac_key(*key, secret).is_some()),
        Proof::Signature { algorithm, key: KeySource::Configured(encoding), .. } => {
            Some(key::public_key(*algorithm, *encoding, secret).is_some())
        }
        Proof::Signature { key: KeySource::Fetched(_), .. } => None,
        Proof::Token(_) => Some(key::shared_text(secret).is_some()),
    }
}

/// What the proof needs, for people.
pub(crate) fn wanted(proof: &Proof) -> &'static str {
    let (encoding, is_public) = match proof {
        Proof::Mac { key, .. } => (*key, false),
        Proof::Signature { key: KeySource::Configured(encoding), .. } => (*encoding, true),
        Proof::Signature { .. } => return "a key that the gateway fetches",
        Proof::Token(_) => (KeyEncoding::Text, false),
    };
    match (encoding, is_public) {
        (KeyEncoding::Hex, false) => "a secret key in hexadecimal",
        (KeyEncoding::Hex, true) => "a public key in hexadecimal",
        (KeyEncoding::Base64, false) => "a secret key in base64",
        (KeyEncoding::Base64, true) => "a public key in base64",
        (KeyEncoding::Whsec, _) => "a secret key in base64, with or without the prefix `whsec_`",
        (KeyEncoding::Whpk, _) => "a public key in base64 with the prefix `whpk_`",
        (KeyEncoding::Pem, _) => "a public key in PEM (-----BEGIN PUBLIC KEY-----)",
        (KeyEncoding::Text | KeyEncoding::Sha1, _) => "a shared secret, any text",
    }
}

/// What a secret looks like that is no shared secret.
pub(crate) fn resembles(secret: &Secret) -> Option<&'static str> {
    let text = secret.expose();
    let Some(label) = text.trim_start().strip_prefix("-----BEGIN ") else {
        return text.starts_with("whpk_").then_some("a public key");
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
    use crate::provider::{Hmac, PublicKey};

    fn mac(key: KeyEncoding) -> Proof {
        Proof::Mac { algorithm: Hmac::Sha256, key, message: Vec::new(), digests: Vec::new() }
    }

    fn public(key: KeyEncoding) -> Proof {
        Proof::Signature {
            algorithm: PublicKey::Ed25519,
            key: KeySource::Configured(key),
            message: Vec::new(),
            signatures: Vec::new(),
        }
    }

    #[test]
    fn a_secret_that_can_be_no_key_is_known_before_it_is_used() {
        let fit = |proof: &Proof, text: &str| fits(proof, &Secret::new(text).unwrap()).unwrap();
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
    fn what_stands_in_place_of_a_key_is_named_by_its_kind() {
        let seen = |text: &str| resembles(&Secret::new(text).unwrap()).unwrap_or("a text");
        assert!(seen("-----BEGIN CERTIFICATE-----\nAA==").starts_with("a certificate"));
        assert!(seen("-----BEGIN RSA PRIVATE KEY-----\nAA==").starts_with("a private key"));
        assert_eq!(seen("-----BEGIN PUBLIC KEY-----\nAA=="), "a public key");
        assert_eq!(seen("whpk_AA=="), "a public key");
        assert_eq!(seen("whsec_AA=="), "a text");
    }
}
