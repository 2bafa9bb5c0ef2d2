//! Whole schemes as a hundred providers have them: each genuine, and forged in every way that its
//! kind allows. The signatures were made with OpenSSL and Python.

use super::*;
use crate::provider::{Cipher, Decryption, Encrypted, Jws, JwsAlgorithm, JwsRule};

const BODY: &str = r#"{"event_id":"wh_1","amount":"10.99"}"#;

const BRIDGE_KEY: &str = "\
     MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtLPljK7f03D/ncx1oli8pkQSGVdNAfRvM4Jgh1haiqCF\
     URFPe86L/0dDTStRAXxNrhVvk0ySQ0GF9Ze+R+FFtFK7bsVz/DjJ722Myjs9hznoq6tpUyd7Q+22R94yZoPEJToV\
     6dlXDCT8TfX/TllZCGnIrJi4yBQgdJMZrVhLBHZ1maEC/Ym6ywJIHIiebcz2mbpuoleEmreG36mAOY2VCEUJP0E9\
     A70xjM8w9bspfrjspK0pOe+pzdNcx3Y/texdZVjer7JcSUQR9hvJ72Yu2Usf1RiVsG+VnYysQxr5rjU6psFxYR58\
     7Y4s0Lvod6A6bYhAmNXCI2KbbO3zK+WUzwIDAQAB";
const BRIDGE_SIGNATURE: &str = "\
     HkFte1B42Xie/8Tg9y54nwKmoTsMMMDsYqadAC9zCE4L1HrkTJeksd1mx+ACPx/PDc7lWbzoU23uDR+X87JjX3xl\
     14Sqc04Xich9gNyKm0v63PV7WaXJA3DeMfEIGUNTZjCHpxAWiihUu+G18kgpl4CJ186Ob5E+sk+ymem3/D+0PySX\
     Q6G17c/CnAkBv4WP2ZOGalfjKpuKAaQQg9n9MKKJVlu+LPkeiolpIutjAmiH6DIabnsEV8JJTytEiSbSWIYfsvmJ\
     3aYEWycBJIsFuAOmvThC+2/QCOy4jQz505Fxt/jqtzrJOZEOEvLZWldbG2Ri++/wCDVE2s6/l6wUHA==";
const BRIDGE_SINGLE: &str = "\
     mf1W4DY+3tMFrFx/7OnDFrstsTwhuR6W2dnn9FikbgZ4ytrRDtHAcPo7mFC6U5mjdD9cVZHGBmCfjds21GkmLwNQ\
     iN/nGzyEwCEqhQ1JRqLbj/94WU0fw8fDvzu3hixekVXcvnfTeVMyK3lV+bzkjK6By4QcaBKfayE5fE1L9I46OYJK\
     ZKy4CrnAxfC498EzAavKm6FRpJimeTVXus7ToYdcLr5YYsG8FDsFEKo89/gDENsKKSY5/XETmYvqce2M9DdLJA8F\
     OhiNZdjGZ+ndcfVgrLEmoj/ZHtJx9synC9y6faEw7HmAC36MbmDBPgoGStIaoAkHLVDh2Hq2alUMvA==";
const GCM_TEXT: &str = "1ced37c600acf598e1a40af9389f49a485268b1b98925ce1569477c4c7ca4a21074de081";
const GCM_TAG: &str = "65cca83c2e41a920a25c14bdca170544";
const PAYTM_SUM: &str = "\
     xeFxmnqug+hGd1OFzOAmrcShQMZST0bqeYhI30CuEyXwnnzkD/ewTWTOL/D5Lg1Xo/QzIw9G0T6h//U9oMni8+SJ\
     L4BXO/KZGhnz59d+/xQ=";
const TOKEN: &str = "\
     eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJUYW1hcmEiLCJleHAiOjE1MzMyMDgzMjB9._OJQ0D\
     kLofIKOhWr6ZQqwLQrKTY-9In5vYqp85z1CiM";
const TOKEN_OTHER_KEY: &str = "\
     eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJUYW1hcmEiLCJleHAiOjE1MzMyMDgzMjB9.Tw9QG8\
     MmE3uHcCD3Hrl2FTtZEz774IEUjM4_VEmRSp8";
const TOKEN_EXPIRED: &str = "\
     eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJUYW1hcmEiLCJleHAiOjE1MzMyMDQwMDB9.l7mEzv\
     MHI4H9oAR0udc7pHbSLvClEqCHXpsdt59cASg";
const TOKEN_OTHER_ISSUER: &str = "\
     eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJFdmlsIiwiZXhwIjoxNTMzMjA4MzIwfQ.Kzj7qEIq\
     iOPngO3rIGmTsOGnSGvCnPwOfYQ-7oCxZpw";
const TOKEN_HS512: &str = "\
     eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzUxMiJ9.eyJpc3MiOiJUYW1hcmEiLCJleHAiOjE1MzMyMDgzMjB9.md3-VU\
     mQBx6UVPc_wiyjjv-kGMsSypUoib2QVHBSN1Xeu5afVGtos6oGR5tT6bWj3AOfOdLn20GH_25HQl6bJA";
const ES512_KEY: &str = "\
     MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQA0W2dOWEDZr95wf7w9DfLO6VuWm5y4L4picdvdlefRFRyF9cN6v+E\
     mqjkHDyPuYQ60UKnoTcqPqPCRcqlupiVKNEAjLX9mdGh3M26jbOZTkYtNXAql6b0QJ/z9c6/Oi0gZjeTfjxZalZQ\
     XPzh7FKXL2tLx2cXZSo1JG/bpmPGsI9PX0E=";
const ES512_TOKEN: &str = "\
     eyJhbGciOiJFUzUxMiIsImtpZCI6ImsxIn0..AAXfMyVVjDPZgZqq-QIM6-_p7e3A34A-xqtnnGs535wiSQ8cjN0\
     YU6eewZVB6Ec55pQprn0bA-_EHWs5nLiuIA2UAB7Xs4Y9D3CfGDqFNW9crXSClbCtF_WQWg1fsyBSN84DZoA6IIE\
     pETFwZovv7oub6cI0vYlnQNhXzvyKRJGiTGoC";
const RAPYD_DIGEST: &str = "d6036e2a003e6eb77d55032b70c811b96deef3a51d0cf0e13f062c19d489d955";
const PAYU_SHA256: &str = "2bc9910b799e7680fde50e648af47f354747a8a40afadf1ef0db6f7b165b4d9a";
const HUBSPOT_V1: &str = "f6df46b1a02e159d9a102f227ae68910ad1c160a488a2ef1f61be75b9b6d5714";
const DOKU: &str = "OidOl6gbbHWEGhHs1o39C/NGUKZQpaCd0B+FSQ4CXPM=";
const HUBSPOT_EXTENDED: &str = "68d72db195acab35691968b09450c959151beb11eb63f2beed4e047e31bd1817";

fn text(text: &str) -> Piece {
    Piece::Bytes(text.as_bytes().to_vec())
}

fn secret() -> Piece {
    Piece::Secret(KeyEncoding::Text.into())
}

fn part(index: usize, start: usize, end: Option<usize>) -> Piece {
    Piece::Value(ValuePart { index, written: DigestText::Raw, start, end })
}

fn hash(hash: Hash, message: Vec<Piece>) -> Digest {
    Digest { hash, key: None, message }
}

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

fn judged(values: &[Value], proof: &Proof, texts: &[&str], body: &str) -> Result<(), Error> {
    let evidence = vec![Evidence::from(vec![proof.clone()])];
    let claims = Claims { values: values.to_vec(), evidence, ..Claims::default() };
    verify(&claims, &info(), secrets(texts).as_slice(), body.as_bytes(), None, NOW)
}

/// Rapyd: the secret is the key and stands in the message too.
fn rapyd(salt: &str, digest: &str) -> Proof {
    let head = format!("https://merchant.example/hooks/rapyd{salt}1768212930rak_TEST000000000001");
    let message = vec![text(&head), secret(), Piece::Body];
    hmac(Hash::Sha256, KeyEncoding::Text, message, vec![bytes(digest)])
}

#[test]
fn an_hmac_with_the_secret_in_its_message_holds_for_that_secret_alone() {
    let salt = "a1b2c3d4e5f6";
    let key = "rsk_test_secret_0001";
    let genuine = rapyd(salt, RAPYD_DIGEST);
    assert_eq!(judged(&[], &genuine, &["another", key], BODY), Ok(()));
    let without_secret = {
        let head = "https://merchant.example/hooks/rapyda1b2c3d4e5f61768212930rak_TEST000000000001";
        let message = vec![text(head), Piece::Body];
        hmac(Hash::Sha256, KeyEncoding::Text, message, vec![bytes(RAPYD_DIGEST)])
    };
    let as_hash = {
        let Proof::Mac { digest, digests } = genuine.clone() else { panic!("it is a mac") };
        Proof::Mac { digest: Digest { key: None, ..digest }, digests }
    };
    for (what, proof, keys, body) in [
        ("another key", genuine.clone(), vec!["rsk_test_secret_0002"], BODY),
        ("another body", genuine.clone(), vec![key], "{}"),
        ("another salt", rapyd("a1b2c3d4e5f7", RAPYD_DIGEST), vec![key], BODY),
        ("no salt", rapyd("", RAPYD_DIGEST), vec![key], BODY),
        ("the secret is missing", without_secret, vec![key], BODY),
        ("another kind", as_hash, vec![key], BODY),
        ("a digest of nothing", rapyd(salt, &"0".repeat(64)), vec![key], BODY),
    ] {
        assert_eq!(judged(&[], &proof, &keys, body), Err(Error::Mismatch), "{what}");
    }
    assert_eq!(judged(&[], &genuine, &[], BODY), Err(Error::NoUsableSecret));
}

/// PayU: a plain hash with the secret behind the body.
fn payu(algorithm: Hash, message: Vec<Piece>, digest: &str) -> Proof {
    Proof::Mac { digest: hash(algorithm, message), digests: vec![bytes(digest)] }
}

#[test]
fn a_plain_hash_holds_with_the_secret_in_it_and_not_without() {
    let key = "13a980d4f851f3d9a1cfc792fb1f5e50";
    let message = || vec![Piece::Body, secret()];
    let genuine = payu(Hash::Sha256, message(), PAYU_SHA256);
    assert_eq!(judged(&[], &genuine, &[key], BODY), Ok(()));
    assert_eq!(judged(&[], &genuine, &["another", key], BODY), Ok(()));
    let unkeyed = hex::encode(digest::plain(Hash::Sha256, [BODY.as_bytes()].into_iter()));
    for (what, proof, keys, body, expected) in [
        ("another key", genuine.clone(), vec!["another"], BODY, Error::Mismatch),
        ("another body", genuine.clone(), vec![key], "{}", Error::Mismatch),
        (
            "another algorithm",
            payu(Hash::Sha3, message(), PAYU_SHA256),
            vec![key],
            BODY,
            Error::Mismatch,
        ),
        (
            "a shorter digest",
            payu(Hash::Sha256, message(), &PAYU_SHA256[..32]),
            vec![key],
            BODY,
            Error::Mismatch,
        ),
        (
            "a hash that everybody can compute",
            payu(Hash::Sha256, vec![Piece::Body], &unkeyed),
            vec![key],
            BODY,
            Error::NoSecretHashed,
        ),
        (
            "a public key as the secret",
            genuine.clone(),
            vec!["whpk_AP8="],
            BODY,
            Error::NoUsableSecret,
        ),
        (
            "an empty message",
            payu(Hash::Sha256, Vec::new(), PAYU_SHA256),
            vec![key],
            BODY,
            Error::NoSecretHashed,
        ),
    ] {
        assert_eq!(judged(&[], &proof, &keys, body), Err(expected), "{what}");
    }
}

#[test]
fn a_plain_hash_behind_its_secret_can_not_be_extended() {
    let key = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy";
    let proof = |body: &[u8], digest: &str| {
        let message = vec![secret(), Piece::Bytes(body.to_vec())];
        Proof::Mac { digest: hash(Hash::Sha256, message), digests: vec![bytes(digest)] }
    };
    let genuine = proof(BODY.as_bytes(), HUBSPOT_V1);
    assert_eq!(judged(&[], &genuine, &[key], ""), Ok(()));
    // The hash of the genuine message is all that it takes to go on from there.
    let mut body = BODY.as_bytes().to_vec();
    body.push(0x80);
    body.resize(128 - key.len() - 8, 0);
    body.extend((8 * (key.len() + BODY.len()) as u64).to_be_bytes());
    body.extend(br#",{"eventId":2}"#);
    let whole = [key.as_bytes(), &body].concat();
    let computed = hex::encode(digest::plain(Hash::Sha256, [whole.as_slice()].into_iter()));
    assert_eq!(computed, HUBSPOT_EXTENDED, "the forged hash is right");
    let forged = proof(&body, HUBSPOT_EXTENDED);
    assert_eq!(judged(&[], &forged, &[key], ""), Err(Error::Mismatch));
}

/// Bridge: the signature is over the hash of the message, not over the message.
fn bridge(message: Vec<Piece>, signature: &str) -> Proof {
    Proof::Signature {
        algorithm: PublicKey::RsaSha256,
        key: KeySource::Configured(KeyEncoding::Spki.into()),
        message,
        signatures: vec![key::base64(signature).unwrap()],
    }
}

#[test]
fn a_signature_of_a_digest_holds_for_that_digest() {
    let hashed = |time: &str| {
        vec![Value::Digest(hash(Hash::Sha256, vec![text(time), text("."), Piece::Body]))]
    };
    let values = hashed("1705854411204");
    let raw = || vec![whole(0, DigestText::Raw)];
    let genuine = bridge(raw(), BRIDGE_SIGNATURE);
    assert_eq!(judged(&values, &genuine, &[BRIDGE_KEY], BODY), Ok(()));
    let md5 = vec![Value::Digest(hash(Hash::Md5, vec![text("1705854411204."), Piece::Body]))];
    let single = bridge(vec![text("1705854411204."), Piece::Body], BRIDGE_SINGLE);
    assert_eq!(judged(&[], &single, &[BRIDGE_KEY], BODY), Ok(()), "it is signed as it is");
    let mismatch = Error::Mismatch;
    for (what, values, proof, key, body, expected) in [
        ("another time", hashed("1705854411205"), genuine.clone(), BRIDGE_KEY, BODY, mismatch),
        ("another body", values.clone(), genuine.clone(), BRIDGE_KEY, "{}", mismatch),
        ("another hash", md5, genuine.clone(), BRIDGE_KEY, BODY, mismatch),
        ("hashed once", values.clone(), bridge(raw(), BRIDGE_SINGLE), BRIDGE_KEY, BODY, mismatch),
        (
            "the digest in hexadecimal",
            values.clone(),
            bridge(vec![whole(0, DigestText::Hex)], BRIDGE_SIGNATURE),
            BRIDGE_KEY,
            BODY,
            mismatch,
        ),
        (
            "another kind of key",
            values.clone(),
            genuine.clone(),
            ES512_KEY,
            BODY,
            Error::NoUsableSecret,
        ),
        ("no value", Vec::new(), genuine.clone(), BRIDGE_KEY, BODY, Error::EmptyMessage),
    ] {
        assert_eq!(judged(&values, &proof, &[key], body), Err(expected), "{what}");
    }
}

#[test]
fn an_hmac_over_a_digest_in_base64_holds() {
    let values = vec![Value::Digest(hash(Hash::Sha256, vec![Piece::Body]))];
    let doku = |head: &str, written| {
        let message = vec![text(head), whole(0, written)];
        hmac(Hash::Sha256, KeyEncoding::Text, message, vec![key::base64(DOKU).unwrap()])
    };
    let genuine = doku("Client-Id:C1\nDigest:", DigestText::Base64);
    assert_eq!(judged(&values, &genuine, &["SK-1"], BODY), Ok(()));
    for (what, proof, key, body) in [
        ("another key", genuine.clone(), "SK-2", BODY),
        ("another body", genuine.clone(), "SK-1", "{}"),
        ("another client", doku("Client-Id:C2\nDigest:", DigestText::Base64), "SK-1", BODY),
        ("another text", doku("Client-Id:C1\nDigest:", DigestText::Hex), "SK-1", BODY),
        ("no client", doku("", DigestText::Base64), "SK-1", BODY),
    ] {
        assert_eq!(judged(&values, &proof, &[key], body), Err(Error::Mismatch), "{what}");
    }
}

/// HyperPay: the body is encrypted.
fn gcm(text: &str, tag: &str, nonce: &str) -> Vec<Value> {
    vec![Value::Decrypted(Encrypted {
        cipher: Cipher::AesGcm,
        key: KeyEncoding::Hex.into(),
        nonce: bytes(nonce),
        ciphertext: vec![Piece::Bytes(bytes(text))],
        tag: bytes(tag),
        associated_data: Vec::new(),
    })]
}

const GCM_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const GCM_NONCE: &str = "aabbccddeeff001122334455";

fn opened(plain: Option<Vec<Piece>>) -> Proof {
    Proof::Decrypted(Decryption { index: 0, plain })
}

#[test]
fn what_the_secret_decrypts_is_proven_and_is_the_plain_body() {
    let values = gcm(GCM_TEXT, GCM_TAG, GCM_NONCE);
    let other = "00".repeat(32);
    assert_eq!(judged(&values, &opened(None), &[&other, GCM_KEY], "ignored"), Ok(()));
    let changed = GCM_TEXT.replacen("1c", "1d", 1);
    for (what, values, key, expected) in [
        ("another key", values.clone(), other.as_str(), Error::Mismatch),
        ("a key of another size", values.clone(), "00ff", Error::NoUsableSecret),
        ("another text", gcm(&changed, GCM_TAG, GCM_NONCE), GCM_KEY, Error::Mismatch),
        ("another tag", gcm(GCM_TEXT, &"00".repeat(16), GCM_NONCE), GCM_KEY, Error::Mismatch),
        ("a shorter tag", gcm(GCM_TEXT, &GCM_TAG[..24], GCM_NONCE), GCM_KEY, Error::NoUsableSecret),
        ("another nonce", gcm(GCM_TEXT, GCM_TAG, &"00".repeat(12)), GCM_KEY, Error::Mismatch),
        ("no value", Vec::new(), GCM_KEY, Error::LesserProof(ProofKind::Decrypted, Worth::Weak)),
    ] {
        let proofs = vec![ProofInfo { kind: ProofKind::Decrypted, worth: Worth::Bound }];
        let evidence = vec![Evidence::from(vec![opened(None)])];
        let claims = Claims { values, evidence, ..Claims::default() };
        let info = ProviderInfo { proofs, ..info() };
        let found = verify(&claims, &info, secrets(&[key]).as_slice(), b"", None, NOW);
        assert_eq!(found, Err(expected), "{what}");
    }

    let pieces = vec![
        text("{\"notice\":"),
        Piece::Body,
        text(",\"resource\":"),
        part(0, 0, None),
        text("}"),
    ];
    let claims = Claims { values, plain_body: Some(pieces), ..Claims::default() };
    let plain = |key: &str| plain_body(&claims, &secrets(&[key]), b"7");
    let expected = format!("{{\"notice\":7,\"resource\":{BODY}}}");
    assert_eq!(plain(GCM_KEY), Ok(Some(expected.into())));
    assert_eq!(plain(&other), Err(Error::Sealed));
    assert_eq!(plain_body(&Claims::default(), &[], b"7"), Ok(None));
}

/// Paytm: a hash of the fields and of a salt, encrypted together with the salt.
fn paytm(fields: &str, sum: &str) -> Vec<Value> {
    let sum = Value::Decrypted(Encrypted {
        cipher: Cipher::AesCbc,
        key: KeyEncoding::Text.into(),
        nonce: b"@@@@&&&&####$$$$".to_vec(),
        ciphertext: vec![Piece::Bytes(key::base64(sum).unwrap())],
        tag: Vec::new(),
        associated_data: Vec::new(),
    });
    let fields = vec![text(fields), text("|"), part(0, 64, None)];
    vec![sum, Value::Digest(hash(Hash::Sha256, fields))]
}

#[test]
fn an_encrypted_checksum_says_what_the_fields_hash_to() {
    let fields = "499.00|INR|MIDTEST0001|O-1";
    let key = "0123456789abcdef";
    assert_eq!(
        judged(&paytm(fields, PAYTM_SUM), &opened_checksum(), &["another", key], ""),
        Ok(())
    );
    let mut changed = key::base64(PAYTM_SUM).unwrap();
    changed[70] ^= 1;
    let changed = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(changed)
    };
    let cut = &PAYTM_SUM[..64];
    for (what, fields, sum, key, expected) in [
        ("another amount", "4.00|INR|MIDTEST0001|O-1", PAYTM_SUM, key, Error::Mismatch),
        ("no fields", "", PAYTM_SUM, key, Error::Mismatch),
        ("another key", fields, PAYTM_SUM, "fedcba9876543210", Error::Mismatch),
        ("a key of another size", fields, PAYTM_SUM, "short", Error::NoUsableSecret),
        ("another salt", fields, changed.as_str(), key, Error::Mismatch),
        ("a part of the checksum", fields, cut, key, Error::Mismatch),
        ("no checksum", fields, "", key, Error::NoUsableSecret),
    ] {
        let found = judged(&paytm(fields, sum), &opened_checksum(), &[key], "");
        assert_eq!(found, Err(expected), "{what}");
    }
    assert_eq!(worth(&claims(vec![vec![opened_checksum()]]), &info()), Worth::Weak);
}

fn opened_checksum() -> Proof {
    opened(Some(vec![whole(1, DigestText::Hex), part(0, 64, None)]))
}

/// Tamara: a token in a header, which covers nothing of the body.
fn tamara(token: &str) -> Proof {
    Proof::Jws(Jws {
        token: token.to_owned(),
        algorithm: JwsAlgorithm::Hmac(Hash::Sha256),
        key: KeySource::Configured(KeyEncoding::Text.into()),
        payload: None,
        rules: vec![
            JwsRule::Member { name: "iss".to_owned(), values: vec!["Tamara".to_owned()] },
            JwsRule::Expires,
        ],
    })
}

#[test]
fn a_token_with_a_shared_secret_holds_by_its_algorithm_and_until_it_expires() {
    let key = "tamara-notification-token";
    assert_eq!(judged(&[], &tamara(TOKEN), &["another", key], BODY), Ok(()));
    let unsigned = format!("{}.", TOKEN.rsplit_once('.').unwrap().0);
    let none = TOKEN.replacen("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJub25lIn0", 1);
    for (what, token, key, expected) in [
        ("another key", TOKEN_OTHER_KEY, key, Error::Mismatch),
        ("another secret", TOKEN, "another", Error::Mismatch),
        ("no signature", unsigned.as_str(), key, Error::Mismatch),
        ("no algorithm", none.as_str(), key, Error::OtherAlgorithm),
        ("another algorithm", TOKEN_HS512, key, Error::OtherAlgorithm),
        ("expired", TOKEN_EXPIRED, key, Error::Expired(720)),
        ("another issuer", TOKEN_OTHER_ISSUER, key, Error::JwsRule),
        ("a text", "token", key, Error::MalformedJws),
        ("a public key as the secret", TOKEN, "whpk_AP8=", Error::NoUsableSecret),
    ] {
        assert_eq!(judged(&[], &tamara(token), &[key], BODY), Err(expected), "{what}");
    }
    let genuine = key::base64_url(TOKEN.rsplit_once('.').unwrap().1).unwrap();
    let secret = Secret::new(key).unwrap();
    assert_eq!(sample(&tamara(&unsigned), &[], &secret, b""), Ok(genuine));
}

/// TrueLayer: a token whose payload is made of the request.
fn truelayer(head: &str, token: &str, algorithm: JwsAlgorithm) -> Proof {
    Proof::Jws(Jws {
        token: token.to_owned(),
        algorithm,
        key: KeySource::Configured(KeyEncoding::Spki.into()),
        payload: Some(vec![text(head), Piece::Body]),
        rules: Vec::new(),
    })
}

#[test]
fn a_detached_token_holds_for_the_request_that_it_was_made_for() {
    let es512 = JwsAlgorithm::PublicKey(PublicKey::EcdsaP521);
    let head = "POST /tl-webhook\nX-Tl-Webhook-Timestamp: 2018-08-02T10:12:00Z\n";
    let genuine = truelayer(head, ES512_TOKEN, es512);
    assert_eq!(judged(&[], &genuine, &[ES512_KEY], BODY), Ok(()));
    let attached = ES512_TOKEN.replacen("..", ".e30.", 1);
    let cut = &ES512_TOKEN[..ES512_TOKEN.len() - 4];
    let es256 = JwsAlgorithm::PublicKey(PublicKey::EcdsaP256);
    for (what, proof, key, body, expected) in [
        (
            "another path",
            truelayer(&head.replace("tl-", "tl_"), ES512_TOKEN, es512),
            ES512_KEY,
            BODY,
            Error::Mismatch,
        ),
        (
            "another time",
            truelayer(&head.replace("12:00", "12:01"), ES512_TOKEN, es512),
            ES512_KEY,
            BODY,
            Error::Mismatch,
        ),
        ("another body", genuine.clone(), ES512_KEY, "{}", Error::Mismatch),
        ("no payload", truelayer("", ES512_TOKEN, es512), ES512_KEY, "", Error::EmptyMessage),
        (
            "a payload of its own",
            truelayer(head, &attached, es512),
            ES512_KEY,
            BODY,
            Error::MalformedJws,
        ),
        ("a part of the signature", truelayer(head, cut, es512), ES512_KEY, BODY, Error::Mismatch),
        (
            "another algorithm",
            truelayer(head, ES512_TOKEN, es256),
            ES512_KEY,
            BODY,
            Error::OtherAlgorithm,
        ),
        ("another kind of key", genuine.clone(), BRIDGE_KEY, BODY, Error::NoUsableSecret),
    ] {
        assert_eq!(judged(&[], &proof, &[key], body), Err(expected), "{what}");
    }
}
