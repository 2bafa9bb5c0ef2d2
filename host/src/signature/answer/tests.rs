//! What is digested for whom.

use super::*;
use crate::headers::Headers;
use crate::provider::{
    Cipher, Decryption, Digest, DigestText, Encrypted, Hash, KeyEncoding, ValuePart,
};

fn whole() -> Piece {
    Piece::Value(ValuePart { index: 0, written: DigestText::Hex, start: 0, end: None })
}

fn asked(digest: Digest) -> (Answer, Claims) {
    let answer = Answer {
        status: 200,
        content_type: "text/plain".to_owned(),
        headers: Headers::default(),
        body: vec![Piece::Bytes(b"integration_public_key|".to_vec()), whole()],
    };
    let values = vec![Value::Digest(digest)];
    (answer, Claims { values, ..Claims::default() })
}

fn braintree(message: Vec<Piece>) -> Digest {
    Digest { hash: Hash::Sha1, key: Some(KeyEncoding::Sha1.into()), message }
}

fn secrets(texts: &[&str]) -> Vec<Secret> {
    texts.iter().map(|text| Secret::new(text).unwrap()).collect()
}

fn answered(digest: Digest, texts: &[&str], asker: Asker) -> Result<Bytes, Error> {
    let (given, claims) = asked(digest);
    answer(&given, &claims, &secrets(texts), b"body", asker)
}

fn text(message: &str) -> Vec<Piece> {
    vec![Piece::Bytes(message.as_bytes().to_vec())]
}

#[test]
fn the_constant_that_braintree_publishes_is_answered() {
    let digest = braintree(text("20f9f8ed05f77439fe955c977e4c8a53"));
    let answer = answered(digest, &["integration_private_key", "another"], Asker::Asking);
    let expected = "integration_public_key|d9b899556c966b3f06945ec21311865d35df3ce4";
    assert_eq!(answer, Ok(Bytes::from(expected)));
}

#[test]
fn whoever_proves_nothing_has_only_short_hexadecimal_texts_digested() {
    let long = "a".repeat(65);
    for message in ["", "xyz", "ABCDEF", "ab cd", "{}", "v0:1:{}", long.as_str()] {
        let answer = |asker| answered(braintree(text(message)), &["key"], asker);
        assert_eq!(answer(Asker::Asking), Err(Error::Oracle), "{message}");
        assert_eq!(answer(Asker::Posting), Err(Error::Oracle), "{message}");
        assert!(answer(Asker::Proven).is_ok(), "{message}");
    }
    let short = || braintree(text(&long[..64]));
    assert!(answered(short(), &["key"], Asker::Asking).is_ok());
    assert_eq!(answered(short(), &["key"], Asker::Posting), Err(Error::Oracle));
}

#[test]
fn what_nobody_has_verified_is_not_proven_whatever_that_takes() {
    let secrets = secrets(&["new", "old"]);
    let proof = |digests| Proof::Mac { digest: braintree(text("ab")), digests };
    let made = super::super::sample(&proof(Vec::new()), &[], &secrets[1], b"body").unwrap();
    let first = |proofs: usize| {
        let evidence = vec![vec![proof(vec![made.clone()]); proofs].into()];
        let claims = Claims { evidence, ..Claims::default() };
        proving_first(&claims, &secrets, b"body")[0].expose().to_owned()
    };
    assert_eq!(first(1), "old", "it proves the request");
    assert_eq!(first(cost::PROOFS_MAX + 1), "new");
}

#[test]
fn only_a_method_of_challenges_asks() {
    use http::Method;

    let info = ProviderInfo {
        methods: vec![Method::GET],
        handshakes: vec![Method::OPTIONS],
        ..super::super::tests::info()
    };
    // What does not prove all of a request proves nothing of what is to be digested.
    for proven in [Proven::Nothing, Proven::Weak, Proven::Unbound] {
        let of = |method: &str| Asker::of(&info, method, proven);
        assert_eq!(
            [of("POST"), of("GET"), of("OPTIONS")],
            [Asker::Posting, Asker::Posting, Asker::Asking]
        );
    }
    assert_eq!(Asker::of(&info, "POST", Proven::Bound), Asker::Proven);
}

#[test]
fn a_digest_is_for_whoever_proved_all_and_everybody_else_is_answered_all_the_same() {
    let given = |text_of: &str| asked(braintree(text(text_of))).0;
    let of_all = Answer { body: text("of all"), ..given("") };
    let plain = Answer { body: text("its own"), ..given("") };
    let info = ProviderInfo { reply: Some(of_all.clone()), ..super::super::tests::info() };
    let digest = given("ab");
    for (asker, own, expected) in [
        (Asker::Proven, Some(&digest), &digest),
        (Asker::Posting, Some(&digest), &of_all),
        (Asker::Asking, Some(&digest), &of_all),
        (Asker::Posting, Some(&plain), &plain),
        (Asker::Posting, None, &of_all),
    ] {
        let claims = Claims { reply: own.cloned(), ..Claims::default() };
        assert_eq!(reply(&info, &claims, asker), Some(expected), "{asker:?} {own:?}");
    }
}

#[test]
fn whoever_proves_nothing_has_nothing_digested_but_what_was_asked() {
    let secret = Piece::Secret(KeyEncoding::Text.into());
    for digest in [
        braintree(vec![Piece::Body]),
        braintree(vec![Piece::Bytes(b"ab".to_vec()), secret.clone()]),
        braintree(vec![Piece::Bytes(b"ab".to_vec()), whole()]),
        Digest { key: None, ..braintree(text("ab")) },
        Digest { key: None, ..braintree(vec![secret]) },
    ] {
        let answer = answered(digest.clone(), &["key"], Asker::Asking);
        assert_eq!(answer, Err(Error::Oracle), "{digest:?}");
    }
}

#[test]
fn an_answer_without_a_digest_is_for_everybody() {
    for asker in [Asker::Proven, Asker::Posting, Asker::Asking] {
        let (given, claims) = asked(braintree(text("ab")));
        let given = Answer { body: text("my-token"), ..given };
        let answer = answer(&given, &claims, &[], b"body", asker);
        assert_eq!(answer, Ok(Bytes::from("my-token")));
    }
}

#[test]
fn without_a_secret_there_is_no_digest() {
    let answer = answered(braintree(text("ab")), &[], Asker::Proven);
    assert_eq!(answer, Err(Error::NoUsableSecret));
    let much = answered(braintree(text(&"a".repeat(65_537))), &["key"], Asker::Proven);
    assert_eq!(much, Err(Error::Excessive));
}

#[test]
fn an_answer_is_made_with_the_secret_that_proves_the_request() {
    let digest = braintree(text("ab"));
    let proven_by = |secret: &str| {
        let (given, claims) = asked(digest.clone());
        let values = &claims.values;
        let mac = Proof::Mac { digest: digest.clone(), digests: Vec::new() };
        let secret = Secret::new(secret).unwrap();
        let digests = vec![super::super::sample(&mac, values, &secret, b"body").unwrap()];
        let proof = Proof::Mac { digest: digest.clone(), digests };
        let claims = Claims { evidence: vec![vec![proof].into()], ..claims };
        answer(&given, &claims, &secrets(&["new", "old"]), b"body", Asker::Proven)
    };
    let with = |secret: &str| answered(digest.clone(), &[secret], Asker::Proven);
    assert_eq!(proven_by("old"), with("old"));
    assert_eq!(proven_by("new"), with("new"));
    assert_eq!(proven_by("neither"), with("new"), "else it is the first");
}

#[test]
fn a_body_is_decrypted_with_the_secret_that_proves_the_request() {
    const KEY: &str = "0123456789abcdef";
    // `00ff`, encrypted with it by OpenSSL.
    let ciphertext = hex::decode("ae3b4bb2fe3b0e3437165c1b66097432").unwrap();
    let encrypted = Encrypted {
        cipher: Cipher::AesCbc,
        key: KeyEncoding::Text.into(),
        nonce: vec![0; 16],
        ciphertext: vec![Piece::Bytes(ciphertext)],
        tag: Vec::new(),
        associated_data: Vec::new(),
    };
    let plain = Piece::Value(ValuePart { index: 0, written: DigestText::Raw, start: 0, end: None });
    let proof = Proof::Decrypted(Decryption { index: 0, plain: Some(text("00ff")) });
    let claims = Claims {
        values: vec![Value::Decrypted(encrypted)],
        evidence: vec![vec![proof].into()],
        plain_body: Some(vec![plain]),
        ..Claims::default()
    };
    let opened = |keys: &[&str]| plain_body(&claims, &secrets(keys), b"body");
    // One in 256 wrong keys leaves what looks like right padding.
    let mut keys = (0..100_000).map(|number| format!("{number:016}"));
    let wrong = keys.find(|key| opened(&[key]).is_ok()).expect("some key does");

    assert_ne!(opened(&[&wrong]), Ok(Some(Bytes::from("00ff"))));
    assert_eq!(opened(&[&wrong, KEY]), Ok(Some(Bytes::from("00ff"))));
}
