//! What is refused before a key is fetched, how many keys are, and what needs none.

use super::*;
use crate::event::Timestamp;
use crate::headers::Headers;
use crate::provider::{
    Answer, ClockRule, Evidence, KeyFormat, KeyLookup, KeyPlace, Piece, Proof, ProofInfo,
    ProofKind, PublicKey, Worth,
};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
/// One of P-256, which is found whatever is looked up.
const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
     MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeGTxpBfncsOeG+RAuYKKiRw3J7vj\n\
     iw0xCdVGQy1bfOMWtNgOB87p3jRlNc5yEzLozOLdy3xkACU3TJYicPARpQ==\n\
     -----END PUBLIC KEY-----\n";

/// Of a provider whose keys all lie in one place.
fn info() -> ProviderInfo {
    let url = "https://keys.example/".parse().unwrap();
    ProviderInfo {
        name: "any".into(),
        version: "1".into(),
        scheme: "any".into(),
        types: Vec::new(),
        proofs: vec![ProofInfo { kind: ProofKind::Signature, worth: Worth::Bound }],
        clock: ClockRule::Past,
        tolerance: Some(Duration::from_secs(300)),
        reply: None,
        refusal_status: 401,
        methods: Vec::new(),
        handshakes: Vec::new(),
        key_places: vec![KeyPlace { url, format: KeyFormat::Jwk }],
        roots: Vec::new(),
        settings: Vec::new(),
    }
}

/// A signature, made now, for each of these keys.
fn signed_with(keys: &[&str]) -> Claims {
    let signature = |key: &&str| {
        let url = format!("https://keys.example/{key}").parse().unwrap();
        Proof::Signature {
            algorithm: PublicKey::EcdsaP256,
            key: KeySource::Fetched(KeyLookup { url, post: None, id: None }),
            message: vec![Piece::Body],
            signatures: vec![vec![0; 64]],
        }
    };
    let evidence = keys.iter().map(|key| Evidence::from(vec![signature(key)])).collect();
    Claims { evidence, signed_at: Some(NOW), ..Claims::default() }
}

/// Finds the keys that a request needs with these claims.
async fn fetch(keys: &Keys, claims: &Claims) -> Result<usize, Unproven> {
    let name: Name = "shop".parse().unwrap();
    let (settings, secrets): (Arc<str>, Arc<[Secret]>) = ("{}".into(), Arc::default());
    let receiver = Receiver {
        name: &name,
        settings: &settings,
        secrets: &secrets,
        tolerance: None,
        keys_from: &["keys.example".to_owned()],
    };
    let trial = trial(keys, &secrets);
    trial.begin(&info(), claims)?;
    Ok(trial.fetch(&info(), receiver, claims).await?.len())
}

fn trial(keys: &Keys, secrets: &Arc<[Secret]>) -> Trial {
    let request = Request {
        method: "POST".to_owned(),
        url: "/in/shop".to_owned(),
        headers: Headers::default(),
        body: "{}".into(),
        received_at: NOW,
    };
    let (keys, secrets) = (keys.clone(), Arc::clone(secrets));
    Trial { keys, secrets, tolerance: None, request: Arc::new(request) }
}

#[tokio::test]
async fn a_forged_request_is_rejected_before_a_key_is_fetched_for_it() {
    // Whoever looks for a key finds none.
    let keys = Keys::recorded(Vec::new());
    let and = |proofs: Vec<Proof>| {
        let mut claims = signed_with(&["one"]);
        claims.evidence.push(Evidence::from(proofs));
        claims
    };
    let old = Some(Timestamp(NOW.0 - 301_000));
    let forged = [
        (Claims { signed_at: old, ..signed_with(&["one"]) }, "too_old"),
        (and(Vec::new()), "no_proof"),
        (and(vec![Proof::Token("guessed".to_owned())]), "undeclared_proof"),
    ];

    for (claims, why) in forged {
        match fetch(&keys, &claims).await {
            Err(Unproven::Evidence(error)) => assert_eq!(error.label(), why),
            fetched => panic!("{why}: {fetched:?}"),
        }
    }
    let looked = fetch(&keys, &signed_with(&["one"])).await;
    assert!(matches!(looked, Err(Unproven::Key(KeyError::Unknown))), "{looked:?}");
}

#[tokio::test]
async fn two_keys_at_most_are_fetched_for_one_request() {
    let keys = Keys::recorded(vec![KEY.to_owned()]);
    let wanted = ["one", "two", "three", "four"];
    for count in 1..=wanted.len() {
        let fetched = fetch(&keys, &signed_with(&wanted[..count])).await;
        assert_eq!(fetched.unwrap(), count.min(2));
    }
    let repeated = fetch(&keys, &signed_with(&["one", "one", "one"])).await;
    assert_eq!(repeated.unwrap(), 1, "one key is fetched once, however many proofs name it");
}

#[test]
fn what_waits_for_no_key_is_judged_to_the_end_at_once() {
    let proofs = vec![ProofInfo { kind: ProofKind::Token, worth: Worth::Weak }];
    let info = ProviderInfo { proofs, ..info() };
    let secrets: Arc<[Secret]> = [Secret::new("sesame").unwrap()].into();
    let judged = |evidence: Vec<Evidence>, handshake: Option<Answer>| {
        let claims = Claims { evidence, handshake, ..Claims::default() };
        assert!(!waits_for_key(&claims));
        trial(&Keys::recorded(Vec::new()), &secrets).begin(&info, &claims)
    };
    let token = |token: &str| vec![Evidence::from(vec![Proof::Token(token.to_owned())])];
    assert!(judged(token("sesame"), None).is_ok());
    let forged = judged(token("guessed"), None);
    assert!(matches!(forged, Err(Unproven::Evidence(signature::Error::Mismatch))), "{forged:?}");
    let unsigned = judged(Vec::new(), None);
    assert!(matches!(unsigned, Err(Unproven::Evidence(signature::Error::NoEvidence))));
    let content_type = "text/plain".to_owned();
    let asked = Answer { status: 200, content_type, headers: Headers::default(), body: vec![] };
    assert!(judged(Vec::new(), Some(asked.clone())).is_ok(), "a challenge is not stored");
    assert!(judged(token("guessed"), Some(asked)).is_err(), "but what it claims must hold");
}
