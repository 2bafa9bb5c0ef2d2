//! Secrets of every encoding, and what gives no key.

use super::*;

const ED25519_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
     MCowBQYDK2VwAyEA1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=\n\
     -----END PUBLIC KEY-----\n";

#[track_caller]
fn check(encoding: KeyEncoding, text: &str, expected: Option<&[u8]>) {
    let secret = Secret::new(text).unwrap();
    assert_eq!(mac_key(encoding, &secret).as_deref(), expected, "{text}");
}

#[test]
fn a_secret_becomes_the_key_of_an_hmac() {
    check(KeyEncoding::Text, " a secret ", Some(b" a secret "));
    check(KeyEncoding::Hex, "00fF", Some(&[0, 255]));
    check(KeyEncoding::Base64, "AP8=", Some(&[0, 255]));
    check(KeyEncoding::Base64, "AP8", Some(&[0, 255]));
    check(KeyEncoding::Whsec, "whsec_AP8=", Some(&[0, 255]));
    check(KeyEncoding::Whsec, "AP8", Some(&[0, 255]));
    let sha1 = b"\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d";
    check(KeyEncoding::Sha1, "abc", Some(sha1));
}

#[test]
fn a_secret_that_does_not_fit_gives_no_key() {
    check(KeyEncoding::Hex, "0", None);
    check(KeyEncoding::Hex, "zz", None);
    check(KeyEncoding::Base64, "A_8=", None);
    check(KeyEncoding::Whsec, "whsec_", None);
    check(KeyEncoding::Whsec, "whsec_!", None);
}

#[test]
fn a_public_key_is_never_the_key_of_an_hmac() {
    check(KeyEncoding::Text, ED25519_PEM, None);
    check(KeyEncoding::Text, "whpk_AP8=", None);
    check(KeyEncoding::Pem, ED25519_PEM, None);
    check(KeyEncoding::Whpk, "whpk_AP8=", None);
    check(KeyEncoding::Sha1, ED25519_PEM, None);
}

#[test]
fn a_pem_gives_the_key_of_the_scheme_that_it_names() {
    let secret = Secret::new(ED25519_PEM).unwrap();
    let key = |scheme| public_key(scheme, KeyEncoding::Pem, &secret);
    let expected = base64("1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=");
    assert_eq!(key(PublicKey::Ed25519), expected);
    assert_eq!(key(PublicKey::EcdsaP256), None);
    assert_eq!(key(PublicKey::RsaSha256), None);
}

#[test]
fn a_damaged_pem_gives_no_key() {
    let der = pem(ED25519_PEM).unwrap();
    let read = |der: &[u8]| subject_public_key(PublicKey::Ed25519, der).is_some();
    assert!(read(&der));
    for end in 0..der.len() {
        assert!(!read(&der[..end]), "cut at {end}");
    }
    assert!(!read(&[der.as_slice(), &[0]].concat()), "a byte too many");
    for place in 0..12 {
        let mut damaged = der.clone();
        damaged[place] ^= 1;
        assert!(!read(&damaged), "flipped at {place}");
    }
}

#[test]
fn a_public_key_has_the_size_of_its_scheme() {
    let fits = |scheme, encoding, text: &str| {
        public_key(scheme, encoding, &Secret::new(text).unwrap()).is_some()
    };
    let hex = |bytes: usize| format!("04{}", "00".repeat(bytes - 1));
    assert!(fits(PublicKey::Ed25519, KeyEncoding::Hex, &hex(32)));
    assert!(!fits(PublicKey::Ed25519, KeyEncoding::Hex, &hex(33)));
    assert!(fits(PublicKey::EcdsaP256, KeyEncoding::Hex, &hex(65)));
    assert!(!fits(PublicKey::EcdsaP256, KeyEncoding::Hex, &hex(64)));
    assert!(!fits(PublicKey::Ed25519, KeyEncoding::Text, "a 32 byte text is not a key, ok?"));
    let bare = "1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    assert!(!fits(PublicKey::Ed25519, KeyEncoding::Whpk, bare), "whpk_ is required");
}
