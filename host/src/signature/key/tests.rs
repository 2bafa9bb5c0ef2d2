//! Secrets of every encoding, and what gives no key.

use super::*;

const ED25519_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
     MCowBQYDK2VwAyEA1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=\n\
     -----END PUBLIC KEY-----\n";

#[track_caller]
fn check(encoding: KeyEncoding, text: &str, expected: Option<&[u8]>) {
    let secret = Secret::new(text).unwrap();
    assert_eq!(shared(&encoding.into(), &secret).as_deref(), expected, "{text}");
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
    check(KeyEncoding::Base64Url, "AP_-", Some(&[0, 255, 254]));
    let md5 = b"\x90\x01\x50\x98\x3c\xd2\x4f\xb0\xd6\x96\x3f\x7d\x28\xe1\x7f\x72";
    check(KeyEncoding::Md5, "abc", Some(md5));
    let sha256 = sha2::Sha256::digest("abc");
    check(KeyEncoding::Sha256, "abc", Some(sha256.as_slice()));
    check(KeyEncoding::Urlencoded, "a b-_.~/\u{e9}", Some(b"a+b-_.%7E%2F%C3%A9"));
}

#[test]
fn a_prefix_is_taken_off_where_it_stands() {
    let read = |encoding, text: &str| {
        let form = SecretForm { encoding, prefix: Some("whook_".to_owned()) };
        shared(&form, &Secret::new(text).unwrap())
    };
    assert_eq!(read(KeyEncoding::Base64, "whook_AP8="), Some(vec![0, 255]));
    assert_eq!(read(KeyEncoding::Base64, "AP8="), Some(vec![0, 255]));
    assert_eq!(read(KeyEncoding::Hex, "whook_00ff"), Some(vec![0, 255]));
    assert_eq!(read(KeyEncoding::Text, "whook_a"), Some(b"a".to_vec()));
    for encoding in [KeyEncoding::Text, KeyEncoding::Md5, KeyEncoding::Sha256] {
        assert_eq!(read(encoding, "whook_"), None, "nothing is left");
    }
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
    check(KeyEncoding::Sha256, ED25519_PEM, None);
    // In one line of base64 it looks like any other secret.
    let spki = "MCowBQYDK2VwAyEA1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    let encodings = [KeyEncoding::Spki, KeyEncoding::Text, KeyEncoding::Base64, KeyEncoding::Md5];
    for encoding in encodings {
        check(encoding, spki, None);
        check(encoding, spki.trim_end_matches('='), None);
    }
    check(KeyEncoding::Text, &spki[..56], Some(&spki.as_bytes()[..56]));
}

#[test]
fn a_pem_gives_the_key_of_the_scheme_that_it_names() {
    let secret = Secret::new(ED25519_PEM).unwrap();
    let key = |family| public_key(family, &KeyEncoding::Pem.into(), &secret);
    let expected = base64("1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=");
    assert_eq!(key(KeyFamily::Ed25519), expected);
    for other in [KeyFamily::P256, KeyFamily::P384, KeyFamily::P521, KeyFamily::Rsa] {
        assert_eq!(key(other), None, "{other:?}");
    }
    let line = ED25519_PEM.lines().nth(1).unwrap();
    let secret = Secret::new(line).unwrap();
    let spki = public_key(KeyFamily::Ed25519, &KeyEncoding::Spki.into(), &secret);
    assert_eq!(spki, expected);
}

#[test]
fn a_damaged_pem_gives_no_key() {
    let der = pem(ED25519_PEM).unwrap();
    let read = |der: &[u8]| subject_public_key(KeyFamily::Ed25519, der).is_some();
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
    let fits = |family, encoding: KeyEncoding, text: &str| {
        public_key(family, &encoding.into(), &Secret::new(text).unwrap()).is_some()
    };
    let hex = |bytes: usize| format!("04{}", "00".repeat(bytes - 1));
    assert!(fits(KeyFamily::Ed25519, KeyEncoding::Hex, &hex(32)));
    assert!(!fits(KeyFamily::Ed25519, KeyEncoding::Hex, &hex(33)));
    assert!(fits(KeyFamily::P256, KeyEncoding::Hex, &hex(65)));
    assert!(!fits(KeyFamily::P256, KeyEncoding::Hex, &hex(64)));
    assert!(fits(KeyFamily::P384, KeyEncoding::Hex, &hex(97)));
    assert!(fits(KeyFamily::P521, KeyEncoding::Hex, &hex(133)));
    assert!(!fits(KeyFamily::P521, KeyEncoding::Hex, &hex(97)));
    assert!(!fits(KeyFamily::Ed25519, KeyEncoding::Text, "a 32 byte text is not a key, ok?"));
    let bare = "1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    assert!(!fits(KeyFamily::Ed25519, KeyEncoding::Whpk, bare), "whpk_ is required");
}
