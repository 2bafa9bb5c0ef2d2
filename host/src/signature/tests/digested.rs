//! What anybody can have digested by a validation challenge, and so is no evidence of a provider
//! that sends challenges.

use super::*;
use crate::provider::{Cipher, Encrypted};

/// Of AES with 128 bits, and of an HMAC.
const KEY: &str = "0123456789abcdef";
/// `00ff`, encrypted with it by OpenSSL.
const ENCRYPTED: &str = "ae3b4bb2fe3b0e3437165c1b66097432";

/// Judges claims for a provider that sends no challenges, and for one that does.
#[track_caller]
fn check(values: &[Value], message: &[Piece], made_of: &str, expected: [Result<(), Error>; 2]) {
    let code = mac(Hash::Sha256, KEY.as_bytes(), [made_of.as_bytes()].into_iter());
    let proof = hmac(Hash::Sha256, KeyEncoding::Text, message.to_vec(), vec![code]);
    let claims = Claims { values: values.to_vec(), ..claims(vec![vec![proof]]) };
    let asking = ProviderInfo { handshakes: vec![http::Method::GET], ..info() };
    let judged =
        |info: &ProviderInfo| verify(&claims, info, secrets(&[KEY]).as_slice(), b"body", None, NOW);
    assert_eq!([judged(&info()), judged(&asking)], expected, "{message:?}");
}

const OPEN: [Result<(), Error>; 2] = [Ok(()), Err(Error::Digested)];
const CLOSED: [Result<(), Error>; 2] = [Ok(()), Ok(())];

fn bytes(text: &str) -> Piece {
    Piece::Bytes(text.as_bytes().to_vec())
}

fn hashed(hash: Hash, text: &str) -> Vec<Value> {
    vec![Value::Digest(Digest { hash, key: None, message: vec![bytes(text)] })]
}

#[test]
fn a_short_hexadecimal_text_is_no_evidence_however_it_is_put_together() {
    let given = "20f9f8ed05f77439fe955c977e4c8a53";
    check(&[], &[bytes(given)], given, OPEN);
    check(&[], &[bytes("20f9"), bytes("f8ed")], "20f9f8ed", OPEN);
    check(&[], &[bytes("PHhtbD4=")], "PHhtbD4=", CLOSED);

    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    check(&hashed(Hash::Sha256, "abc"), &[whole(0, DigestText::Hex)], sha256, OPEN);
    // Its second byte is 78 in either case.
    let part = ValuePart { index: 0, written: DigestText::HexUpper, start: 1, end: Some(2) };
    check(&hashed(Hash::Sha256, "abc"), &[Piece::Value(part)], "78", OPEN);
    // 96 digits are more than anybody gets digested.
    let sha384 = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
                  8086072ba1e7cc2358baeca134c825a7";
    check(&hashed(Hash::Sha384, "abc"), &[whole(0, DigestText::Hex)], sha384, CLOSED);
}

#[test]
fn a_decrypted_text_is_judged_by_what_it_says() {
    let values = [Value::Decrypted(Encrypted {
        cipher: Cipher::AesCbc,
        key: KeyEncoding::Text.into(),
        nonce: vec![0; 16],
        ciphertext: vec![Piece::Bytes(hex::decode(ENCRYPTED).unwrap())],
        tag: Vec::new(),
        associated_data: Vec::new(),
    })];
    let plain = whole(0, DigestText::Raw);
    check(&values, std::slice::from_ref(&plain), "00ff", OPEN);
    check(&values, &[plain, bytes(".")], "00ff.", CLOSED);
}

#[test]
fn what_is_made_of_a_digest_that_anybody_can_have_is_no_evidence() {
    let inner = |text: &str| {
        let key = Some(KeyEncoding::Text.into());
        [Value::Digest(Digest { hash: Hash::Sha256, key, message: vec![bytes(text)] })]
    };
    let of = |text: &str| {
        let made = mac(Hash::Sha256, KEY.as_bytes(), [text.as_bytes()].into_iter());
        format!("{}.", hex::encode(made))
    };
    let message = [whole(0, DigestText::Hex), bytes(".")];
    check(&inner("00ff"), &message, &of("00ff"), OPEN);
    check(&inner("00ff."), &message, &of("00ff."), CLOSED);
}

#[test]
fn a_message_with_the_secret_in_it_is_nobodys_to_have_digested() {
    let secret = Piece::Secret(KeyEncoding::Text.into());
    check(&[], &[secret, bytes("00ff")], &format!("{KEY}00ff"), CLOSED);
}
