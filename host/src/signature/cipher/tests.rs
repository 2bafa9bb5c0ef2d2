//! Texts that others encrypted, and what does not decrypt.

use super::*;
use crate::provider::KeyEncoding;

fn encrypted(cipher: Cipher, nonce: &str, tag: &str, associated_data: &str) -> Encrypted {
    let bytes = |hex: &str| hex::decode(hex).unwrap();
    Encrypted {
        cipher,
        key: KeyEncoding::Hex.into(),
        nonce: bytes(nonce),
        ciphertext: Vec::new(),
        tag: bytes(tag),
        associated_data: bytes(associated_data),
    }
}

/// The fourth example of the specification of GCM, with a key of 128 bits.
const KEY: &str = "feffe9928665731c6d6a8f9467308308";
const NONCE: &str = "cafebabefacedbaddecaf888";
const TAG: &str = "5bc94fbc3221a5db94fae95ae7121a47";
const DATA: &str = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
const TEXT: &str = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
     21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091";
const PLAIN: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
     1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";

fn opened(key: &str, encrypted: &Encrypted, text: &str) -> Option<String> {
    let key = hex::decode(key).unwrap();
    let text = hex::decode(text).unwrap();
    let (plain, sound) = decrypt(encrypted, &key, text)?;
    bool::from(sound).then(|| hex::encode(plain))
}

#[test]
fn the_published_example_of_gcm_opens_and_nothing_else() {
    let genuine = encrypted(Cipher::AesGcm, NONCE, TAG, DATA);
    assert_eq!(opened(KEY, &genuine, TEXT).as_deref(), Some(PLAIN));
    let zeros = "00".repeat(16);
    let changed = TEXT.replacen("42", "43", 1);
    let short = &TEXT[..TEXT.len() - 2];
    for (what, key, it, text) in [
        ("another key", zeros.as_str(), genuine.clone(), TEXT),
        ("a key of another size", "00ff", genuine.clone(), TEXT),
        ("another text", KEY, genuine.clone(), changed.as_str()),
        ("a shorter text", KEY, genuine.clone(), short),
        ("no text", KEY, genuine.clone(), ""),
        (
            "another nonce",
            KEY,
            encrypted(Cipher::AesGcm, &NONCE.replace("ca", "cb"), TAG, DATA),
            TEXT,
        ),
        ("a nonce of another size", KEY, encrypted(Cipher::AesGcm, "00", TAG, DATA), TEXT),
        ("another tag", KEY, encrypted(Cipher::AesGcm, NONCE, &zeros, DATA), TEXT),
        ("a shorter tag", KEY, encrypted(Cipher::AesGcm, NONCE, &TAG[..24], DATA), TEXT),
        ("other associated data", KEY, encrypted(Cipher::AesGcm, NONCE, TAG, ""), TEXT),
        ("another cipher", KEY, encrypted(Cipher::AesCbc, &zeros, "", ""), TEXT),
    ] {
        assert_eq!(opened(key, &it, text), None, "{what}");
    }
}

#[test]
fn a_nonce_of_sixteen_bytes_is_taken_as_it_is() {
    // Made with OpenSSL: a nonce of another size than 12 bytes is hashed first.
    let it = encrypted(Cipher::AesGcm, &"00".repeat(16), GCM_16_TAG, "");
    assert_eq!(opened(&"00".repeat(32), &it, GCM_16_TEXT).as_deref(), Some("6f6b"));
}
const GCM_16_TAG: &str = "4abe343b1a28884d930042daa801c00a";
const GCM_16_TEXT: &str = "b038";

/// The first block of the examples of CBC in NIST SP 800-38A, and the padding behind it.
const CBC_KEY: &str = "2b7e151628aed2a6abf7158809cf4f3c";
const CBC_NONCE: &str = "000102030405060708090a0b0c0d0e0f";
const CBC_TEXT: &str = "7649abac8119b246cee98e9b12e9197d8964e0b149c10b7b682e6e39aaeb731c";

#[test]
fn cbc_opens_what_is_padded_and_says_of_the_rest_that_it_is_not_sound() {
    let genuine = encrypted(Cipher::AesCbc, CBC_NONCE, "", "");
    let plain = "6bc1bee22e409f96e93d7e117393172a";
    assert_eq!(opened(CBC_KEY, &genuine, CBC_TEXT).as_deref(), Some(plain));
    for text in ["", "00", &CBC_TEXT[..32], &CBC_TEXT[2..]] {
        assert_eq!(opened(CBC_KEY, &genuine, text), None, "{text}");
    }
    assert_eq!(opened(&"00".repeat(16), &genuine, CBC_TEXT), None);
    let (text, sound) = unpadded(vec![1; 15].into_iter().chain([17]).collect()).unwrap();
    assert_eq!((text.len(), bool::from(sound)), (16, false));
}

#[test]
fn padding_is_all_of_its_bytes() {
    let read = |bytes: &[u8]| {
        let (text, sound) = unpadded(bytes.to_vec()).unwrap();
        bool::from(sound).then_some(text.len())
    };
    assert_eq!(read(&[7; 16]), Some(9));
    assert_eq!(read(&[16; 16]), Some(0));
    assert_eq!(read(&[16; 32]), Some(16));
    let mut almost = [4; 16];
    almost[13] = 5;
    assert_eq!(read(&almost), None);
    for last in [0, 17, 255] {
        assert_eq!(read(&[last; 32]), None, "{last}");
    }
}
