//! What one request may make the gateway compute, however its claims ask for it.

use super::super::cost::{BODIES_MAX, DIGESTS_MAX, PROOFS_MAX, SIGNATURES_MAX};
use super::*;
use crate::headers::Headers;
use crate::provider::{Answer, Chain, Jws, JwsAlgorithm, Root};

/// A body of which no honest plugin names more than a few.
static LARGE: [u8; 1 << 20] = [b'x'; 1 << 20];

/// A message of so many bodies.
fn bodies(count: usize) -> Vec<Piece> {
    vec![Piece::Body; count]
}

fn of_bodies(count: usize) -> Digest {
    Digest { hash: Hash::Sha1, key: Some(KeyEncoding::Text.into()), message: bodies(count) }
}

fn judged(claims: &Claims, body: &[u8]) -> Error {
    verify(claims, &info(), secrets(&["key"]).as_slice(), body, None, NOW).unwrap_err()
}

fn proven(values: Vec<Value>, proofs: Vec<Proof>) -> Claims {
    Claims { values, ..claims(vec![proofs]) }
}

fn signed(algorithm: PublicKey, message: Vec<Piece>, count: usize) -> Proof {
    Proof::Signature {
        algorithm,
        key: KeySource::Configured(KeyEncoding::Spki.into()),
        message,
        signatures: vec![vec![0; 64]; count],
    }
}

#[test]
fn so_many_proofs_digests_and_signatures_are_verified_and_no_more() {
    let judged = |proofs| judged(&proven(Vec::new(), proofs), b"body");
    let bad = || text_mac("1", vec![vec![0; 32]]);
    assert_eq!(judged(vec![bad(); PROOFS_MAX]), Error::Mismatch);
    assert_eq!(judged(vec![bad(); PROOFS_MAX + 1]), Error::Excessive);
    let digests = |count| vec![text_mac("1", vec![vec![0; 32]; count])];
    assert_eq!(judged(digests(DIGESTS_MAX)), Error::Mismatch);
    assert_eq!(judged(digests(DIGESTS_MAX + 1)), Error::Excessive);
    let signed = |scheme, count| vec![signed(scheme, bodies(1), count)];
    assert_eq!(judged(signed(PublicKey::Ed25519, SIGNATURES_MAX)), Error::NoUsableSecret);
    assert_eq!(judged(signed(PublicKey::Ed25519, SIGNATURES_MAX + 1)), Error::Excessive);
    // They take four times as long.
    assert_eq!(judged(signed(PublicKey::EcdsaP521, SIGNATURES_MAX / 4)), Error::NoUsableSecret);
    assert_eq!(judged(signed(PublicKey::EcdsaP521Der, SIGNATURES_MAX / 4 + 1)), Error::Excessive);
}

#[test]
fn the_body_is_hashed_a_few_times_and_no_more_wherever_it_is_named() {
    let mac = |count| Proof::Mac { digest: of_bodies(count), digests: vec![vec![0; 20]] };
    let most = || proven(Vec::new(), vec![mac(BODIES_MAX)]);
    assert_eq!(judged(&most(), &LARGE), Error::Mismatch);

    let more = BODIES_MAX + 2;
    let value = || vec![Value::Digest(of_bodies(more))];
    let of_value = Digest { message: vec![whole(0, DigestText::Raw)], ..of_bodies(1) };
    let of_value = Proof::Mac { digest: of_value, digests: vec![vec![0; 20]] };
    let jws = Jws {
        token: String::new(),
        algorithm: JwsAlgorithm::Hmac(Hash::Sha256),
        key: KeySource::Configured(KeyEncoding::Text.into()),
        payload: Some(bodies(more)),
        rules: Vec::new(),
    };
    for (what, claims) in [
        ("in one message", proven(Vec::new(), vec![mac(more)])),
        ("in many messages", proven(Vec::new(), vec![mac(1); more])),
        ("in a value", proven(value(), vec![of_value])),
        ("in a token", proven(Vec::new(), vec![Proof::Jws(jws)])),
        // Each signature is verified over all of it.
        (
            "for many signatures",
            proven(Vec::new(), vec![signed(PublicKey::Ed25519, bodies(1), more)]),
        ),
    ] {
        assert_eq!(judged(&claims, &LARGE), Error::Excessive, "{what}");
    }
}

#[test]
fn a_secret_in_a_message_counts_by_its_length() {
    let secret = "k".repeat(60_000);
    let judged = |count| {
        let message = vec![Piece::Secret(KeyEncoding::Text.into()); count];
        let proof = hmac(Hash::Sha256, KeyEncoding::Text, message, vec![vec![0; 32]]);
        verify(&claims(vec![vec![proof]]), &info(), secrets(&[&secret]).as_slice(), b"", None, NOW)
    };
    assert_eq!(judged(1), Err(Error::Mismatch));
    assert_eq!(judged(256), Err(Error::Excessive));
}

#[test]
fn an_answer_and_a_plain_body_cost_no_more_than_evidence() {
    let secrets = secrets(&["key"]);
    let given = |values: Vec<Value>| {
        let last = values.len() - 1;
        let answer = Answer {
            status: 200,
            content_type: "text/plain".to_owned(),
            headers: Headers::default(),
            body: vec![whole(last, DigestText::Hex)],
        };
        let claims = Claims { values, ..Claims::default() };
        super::super::answer(&answer, &claims, &secrets, &LARGE, Asker::Proven).map(drop)
    };
    let of_value =
        || Value::Digest(Digest { message: vec![whole(0, DigestText::Raw)], ..of_bodies(1) });
    assert_eq!(given(vec![Value::Digest(of_bodies(1)), of_value()]), Ok(()));
    let many = Value::Digest(of_bodies(BODIES_MAX + 2));
    assert_eq!(given(vec![many, of_value()]), Err(Error::Excessive));

    let pieces = Some(bodies(BODIES_MAX + 2));
    let plain = plain_body(&Claims { plain_body: pieces, ..Claims::default() }, &secrets, &LARGE);
    assert_eq!(plain, Err(Error::Excessive));
}

#[test]
fn what_a_provider_sends_is_quick_and_what_a_forger_makes_of_it_takes_long() {
    let is_quick = |proof: &Proof, texts: &[&str], body: &[u8]| {
        let claims = proven(Vec::new(), vec![proof.clone()]);
        !takes_long(&claims, &secrets(texts), body)
    };
    let mac = |count| Proof::Mac { digest: of_bodies(count), digests: vec![vec![0; 20]] };
    assert!(is_quick(&mac(1), &["key"], &LARGE[..1_300]));
    assert!(is_quick(&mac(1), &["key"], &LARGE[..65_536]));
    assert!(!is_quick(&mac(1), &["key"], &LARGE[..65_537]));
    assert!(!is_quick(&mac(1), &["old", "key"], &LARGE[..65_536]), "it is hashed with each");
    assert!(!is_quick(&mac(BODIES_MAX), &["key"], &LARGE[..5_000]));

    let signature = |scheme, count| signed(scheme, bodies(1), count);
    assert!(is_quick(&signature(PublicKey::Ed25519, 4), &["key"], b"body"));
    assert!(!is_quick(&signature(PublicKey::Ed25519, 5), &["key"], b"body"));
    assert!(is_quick(&signature(PublicKey::EcdsaP521, 1), &["key"], b"body"));
    assert!(!is_quick(&signature(PublicKey::EcdsaP521, 2), &["key"], b"body"));
    let chain = Chain {
        certificates: Vec::new(),
        root: Root::Pinned,
        extensions: Vec::new(),
        valid_at: None,
    };
    let Proof::Signature { algorithm, message, signatures, .. } = signature(PublicKey::Ed25519, 1)
    else {
        panic!("it is a signature")
    };
    let key = KeySource::Chain(chain);
    let certified = Proof::Signature { algorithm, key, message, signatures };
    assert!(!is_quick(&certified, &["key"], b"body"), "its chain is verified too");
}
