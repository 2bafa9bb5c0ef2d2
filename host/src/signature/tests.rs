//! Every way to be refused, and the constants that providers publish.

use proptest::prelude::*;

use super::digest::mac;
use super::*;
use crate::provider::{
    Digest, DigestText, Hash, Jws, JwsAlgorithm, KeyEncoding, KeyLookup, Piece, ProofInfo,
    PublicKey, SecretForm, ValuePart,
};

mod costs;
mod digested;
mod schemes;

const NOW: Timestamp = Timestamp(1_533_204_720_500);

const STRIPE_SECRET: &str = "webhook_secret";
const STRIPE_BODY: &str = r#"{
  "id": "evt_123",
  "object": "event",
  "account": "acct_123",
  "api_version": "2017-05-25",
  "created": 1533204620,
  "data": {
    "object": {
      "id": "cus_123",
      "object": "customer",
      "created": 123456789,
      "email": "test@stripe.com",
      "livemode": false,
      "metadata": {}
    }
  },
  "livemode": false,
  "pending_webhooks": 1,
  "request": {
    "id": "req_123",
    "idempotency_key": "idempotency-key-123"
  },
  "type": "customer.created"
}
"#;
const STRIPE_DIGEST: &str = "2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7";

const SVIX_MESSAGE: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";

const SVIX_SIGNATURE: &str = "hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJa\
     A7AZdpXwVLPo3mNl8EM+m7TBAg==";

const WISE_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwpb91cEYuyJNQepZAVfP
ZIlPZfNUefH+n6w9SW3fykqKu938cR7WadQv87oF2VuT+fDt7kqeRziTmPSUhqPU
ys/V2Q1rlfJuXbE+Gga37t7zwd0egQ+KyOEHQOpcTwKmtZ81ieGHynAQzsn1We3j
wt760MsCPJ7GMT141ByQM+yW1Bx+4SG3IGjXWyqOWrcXsxAvIXkpUD/jK/L958Cg
nZEgz0BSEh0QxYLITnW1lLokSx/dTianWPFEhMC9BgijempgNXHNfcVirg1lPSyg
z7KqoKUN0oHqWLr2U1A+7kqrl6O2nx3CKs1bj1hToT1+p4kcMoHXA7kA+VBLUpEs
VwIDAQAB
-----END PUBLIC KEY-----
";
const WISE_BODY: &str = "\
     {\"data\":{\"resource\":{\"id\":49983981,\"profile_id\":16055450,\"account_id\":14124090\
     ,\"type\":\"transfer\"},\"current_state\":\"incoming_payment_waiting\",\"previous_state\
     \":null,\"occurred_at\":\"2021-08-23T10:12:50Z\"},\"subscription_id\":\"90aa8e14-4ef1-4a\
     56-861c-f3c9cde097ea\",\"event_type\":\"transfers#state-change\",\"schema_version\":\"2.\
     0.0\",\"sent_at\":\"2021-08-23T10:12:50Z\"}";
const WISE_SIGNATURE: &str = "\
     wKcKCYXAzxNgiu7xmoDm943NUni7Rz33QN8JkEA9dWSGebgndonabgSj18Y4C08OrwVmueGsED2s00M7DtJVcYKO\
     S1i3G4TMVx+mgM3aL9djMBkQtiYNBFUd6wrPI7ZUNHv/TrlKSjTMc+6JFvUvJ7owY3z85e3I4jLRLJowMFvO8kvC\
     J60+1pY9wDwZvtZ//WS93LrwGjk9Dvwzpmu0w+P4J75tETT5qC3Uv0y5G2yO8SEoO3yNP/tg/BOli02niHb53vEO\
     UWUb9bly6thnfMoXoiV/osoGxgF20R58RlvkAmezyyl1Sv542TfS2DpiwVnmjjjkCyXeSUcKookYLQ==";

/// A provider that may offer every proof, whatever it is worth.
pub(super) fn info() -> ProviderInfo {
    use ProofKind::{Decrypted, Hash, Jws, Mac, Signature, Token};

    let kinds = [Mac, Hash, Signature, Jws, Token, Decrypted].into_iter();
    let proofs =
        kinds.flat_map(|kind| [Worth::Weak, Worth::Bound].map(|worth| ProofInfo { kind, worth }));
    ProviderInfo {
        name: "any".into(),
        version: "1".into(),
        scheme: "any".into(),
        types: Vec::new(),
        proofs: proofs.collect(),
        clock: ClockRule::Past,
        tolerance: None,
        reply: None,
        refusal_status: 401,
        methods: Vec::new(),
        handshakes: Vec::new(),
        key_places: Vec::new(),
        roots: Vec::new(),
        settings: Vec::new(),
    }
}

/// All of a value.
pub(super) fn whole(index: usize, written: DigestText) -> Piece {
    Piece::Value(ValuePart { index, written, start: 0, end: None })
}

fn hmac(hash: Hash, key: KeyEncoding, message: Vec<Piece>, digests: Vec<Vec<u8>>) -> Proof {
    let digest = Digest { hash, key: Some(SecretForm::from(key)), message };
    Proof::Mac { digest, digests }
}

fn secrets(texts: &[&str]) -> Vec<Secret> {
    texts.iter().map(|text| Secret::new(text).unwrap()).collect()
}

fn claims(proofs: Vec<Vec<Proof>>) -> Claims {
    let evidence = proofs.into_iter().map(Evidence::from).collect();
    Claims { evidence, ..Claims::default() }
}

fn text_mac(message: &str, digests: Vec<Vec<u8>>) -> Proof {
    let message = vec![Piece::Bytes(message.into())];
    hmac(Hash::Sha256, KeyEncoding::Text, message, digests)
}

/// A proof that holds with the secret `key`.
fn good(message: &str) -> Proof {
    let code = mac(Hash::Sha256, b"key", [message.as_bytes()].into_iter());
    text_mac(message, vec![code])
}

#[track_caller]
fn check(proofs: Vec<Vec<Proof>>, texts: &[&str], expected: Result<(), Error>) {
    let found = verify(&claims(proofs), &info(), secrets(texts).as_slice(), b"body", None, NOW);
    assert_eq!(found, expected);
}

#[track_caller]
fn check_proof(proof: Proof, text: &str, body: &str) {
    let claims = claims(vec![vec![proof]]);
    let judged = |secret, body: &str| {
        verify(&claims, &info(), secrets(&[secret]).as_slice(), body.as_bytes(), None, NOW)
    };
    assert_eq!(judged(text, body), Ok(()));
}

fn stripe(digest: &str) -> Proof {
    hmac(
        Hash::Sha256,
        KeyEncoding::Text,
        vec![Piece::Bytes(b"1533204620.".into()), Piece::Body],
        vec![hex::decode(digest).unwrap()],
    )
}

#[test]
fn the_published_example_of_stripe_holds() {
    check_proof(stripe(STRIPE_DIGEST), STRIPE_SECRET, STRIPE_BODY);
}

#[test]
fn the_published_example_of_adyen_holds() {
    let proof = hmac(
        Hash::Sha256,
        KeyEncoding::Hex,
        vec![Piece::Body],
        vec![key::base64("YA9/UDjldIO4Gq68X4ATYYoEaPYH4f4k2uzBBzEF1PA=").unwrap()],
    );
    let secret = "9064450A8892A093D9E97EFCC9639DE31B74F3A7803135555A3C96F5A57915D6";
    check_proof(proof, secret, "TestPayload");
}

#[test]
fn the_published_examples_of_standard_webhooks_hold() {
    let message = vec![Piece::Bytes(SVIX_MESSAGE.into())];
    let v1 = hmac(
        Hash::Sha256,
        KeyEncoding::Whsec,
        message.clone(),
        vec![key::base64("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=").unwrap()],
    );
    check_proof(v1, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "");
    let v1a = Proof::Signature {
        algorithm: PublicKey::Ed25519,
        key: KeySource::Configured(KeyEncoding::Whpk.into()),
        message,
        signatures: vec![key::base64(SVIX_SIGNATURE).unwrap()],
    };
    check_proof(v1a, "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=", "");
}

#[test]
fn the_published_example_of_wise_holds_and_with_another_byte_does_not() {
    let proof = Proof::Signature {
        algorithm: PublicKey::RsaSha256,
        key: KeySource::Configured(KeyEncoding::Pem.into()),
        message: vec![Piece::Body],
        signatures: vec![key::base64(WISE_SIGNATURE).unwrap()],
    };
    let judged = |body: &str| {
        let claims = claims(vec![vec![proof.clone()]]);
        verify(&claims, &info(), secrets(&[WISE_KEY]).as_slice(), body.as_bytes(), None, NOW)
    };
    assert_eq!(judged(WISE_BODY), Ok(()));
    assert_eq!(judged(&format!("{WISE_BODY} ")), Err(Error::Mismatch));
}

#[test]
fn an_ecdsa_signature_holds_for_its_message_alone() {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

    let random = SystemRandom::new();
    let scheme = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(scheme, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(scheme, pkcs8.as_ref(), &random).unwrap();
    let signature = pair.sign(&random, b"body").unwrap().as_ref().to_vec();
    let proof = |message: Vec<Piece>| Proof::Signature {
        algorithm: PublicKey::EcdsaP256,
        key: KeySource::Configured(KeyEncoding::Hex.into()),
        message,
        signatures: vec![vec![0; 64], signature.clone()],
    };
    let key = hex::encode(pair.public_key());
    let judged = |info: &ProviderInfo, message: Vec<Piece>| {
        let claims = claims(vec![vec![proof(message)]]);
        verify(&claims, info, secrets(&[&key]).as_slice(), b"body", None, NOW)
    };

    let proofs = vec![ProofInfo { kind: ProofKind::Signature, worth: Worth::Bound }];
    let signing = ProviderInfo { proofs, ..info() };
    assert_eq!(judged(&signing, vec![Piece::Body]), Ok(()));
    assert_eq!(judged(&signing, vec![Piece::Body, Piece::Body]), Err(Error::Mismatch));
    // Anybody could sign with these bytes what the plugin could be made to take for an HMAC.
    assert_eq!(judged(&info(), vec![Piece::Body]), Err(Error::PublicKeyForm));
}

#[test]
fn any_secret_and_any_digest_will_do() {
    let Proof::Mac { digests, .. } = good("message") else { panic!("it is a mac") };
    let proof = text_mac("message", vec![vec![0; 32], digests[0].clone()]);
    check(vec![vec![proof]], &["old", "key"], Ok(()));
}

#[test]
fn any_proof_will_do_but_all_evidence_must() {
    let bad = || text_mac("message", vec![vec![0; 32]]);
    check(vec![vec![bad(), good("message")]], &["key"], Ok(()));
    check(vec![vec![good("1")], vec![good("2")]], &["key"], Ok(()));
    check(vec![vec![good("1")], vec![bad()]], &["key"], Err(Error::Mismatch));
    check(vec![vec![bad()], vec![good("1")]], &["key"], Err(Error::Mismatch));
}

#[test]
fn what_is_empty_is_refused() {
    check(vec![], &["key"], Err(Error::NoEvidence));
    check(vec![vec![good("1")], vec![]], &["key"], Err(Error::NoProof));
    check(vec![vec![text_mac("1", vec![])]], &["key"], Err(Error::NoDigest));
    check(vec![vec![good("")]], &["key"], Err(Error::EmptyMessage));
    // It would hold, were there not an empty one beside it.
    check(vec![vec![good("1"), good("")]], &["key"], Err(Error::EmptyMessage));
}

#[test]
fn a_message_of_an_empty_body_is_empty() {
    let code = mac(Hash::Sha256, b"key", std::iter::empty());
    let proof = hmac(
        Hash::Sha256,
        KeyEncoding::Text,
        vec![Piece::Body, Piece::Bytes(Vec::new())],
        vec![code],
    );
    let claims = claims(vec![vec![proof]]);
    let found = verify(&claims, &info(), secrets(&["key"]).as_slice(), b"", None, NOW);
    assert_eq!(found, Err(Error::EmptyMessage));
}

#[test]
fn the_secret_of_a_token_is_that_of_its_payload() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let judged = |key: &str| {
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode("one body"));
        let code = mac(Hash::Sha256, key.as_bytes(), [signed.as_bytes()].into_iter());
        let jws = Jws {
            token: format!("{head}..{}", URL_SAFE_NO_PAD.encode(code)),
            algorithm: JwsAlgorithm::Hmac(Hash::Sha256),
            key: KeySource::Configured(KeyEncoding::Text.into()),
            payload: Some(vec![
                Piece::Secret(KeyEncoding::Text.into()),
                Piece::Bytes(b" ".into()),
                Piece::Body,
            ]),
            rules: Vec::new(),
        };
        let claims = claims(vec![vec![Proof::Jws(jws)]]);
        verify(&claims, &info(), secrets(&["one", "two"]).as_slice(), b"body", None, NOW)
    };
    assert_eq!(judged("one"), Ok(()));
    assert_eq!(judged("two"), Err(Error::Mismatch));
}

#[test]
fn a_kind_that_was_not_declared_is_refused_even_where_it_holds() {
    let claims = claims(vec![vec![good("1"), Proof::Token("key".into())]]);
    let proofs = vec![ProofInfo { kind: ProofKind::Mac, worth: Worth::Bound }];
    let info = ProviderInfo { proofs, ..info() };
    let found = verify(&claims, &info, secrets(&["key"]).as_slice(), b"", None, NOW);
    assert_eq!(found, Err(Error::UndeclaredProof(ProofKind::Token)));
}

#[test]
fn a_fetched_key_counts_for_the_look_up_that_it_was_fetched_for() {
    let lookup = |path: &str| KeyLookup {
        url: format!("https://keys.example/{path}").parse().unwrap(),
        post: None,
        id: None,
    };
    let fetched = |path: &str| KeySource::Fetched(lookup(path));
    let proof = Proof::Signature {
        algorithm: PublicKey::RsaSha256,
        key: fetched("one"),
        message: vec![Piece::Body],
        signatures: vec![key::base64(WISE_SIGNATURE).unwrap()],
    };
    let claims = claims(vec![vec![proof]]);
    let wanted: Vec<_> = claims.keys_to_find().collect();
    assert_eq!(wanted, [(PublicKey::RsaSha256, &fetched("one"))]);
    let der = key::pem(WISE_KEY).unwrap();
    let secrets = secrets(&[WISE_KEY]);
    let key = key::public_key_of_info(PublicKey::RsaSha256.family(), &der).unwrap();
    let judged = |found: &[(PublicKey, &KeySource, Vec<u8>)]| {
        let keys = Keyring { secrets: &secrets, found };
        verify(&claims, &info(), keys, WISE_BODY.as_bytes(), None, NOW)
    };
    let found = |scheme, path: &str| judged(&[(scheme, &fetched(path), key.clone())]);
    assert_eq!(found(PublicKey::RsaSha256, "one"), Ok(()));
    assert_eq!(found(PublicKey::RsaSha256, "two"), Err(Error::NoUsableSecret));
    assert_eq!(found(PublicKey::RsaPssSha256, "one"), Err(Error::NoUsableSecret), "for another");
    assert_eq!(judged(&[]), Err(Error::NoUsableSecret), "a secret is no key that was fetched");
}

#[test]
fn what_is_wrong_anyway_is_refused_before_a_key_is_fetched() {
    let late = Claims { signed_at: Some(Timestamp(0)), ..claims(vec![vec![good("1")]]) };
    let judged = |claims: &Claims, tolerance| precheck(claims, &info(), &[], b"", tolerance, NOW);
    assert_eq!(judged(&late, None), Ok(()));
    let five_minutes = Some(Duration::from_secs(300));
    assert!(matches!(judged(&late, five_minutes), Err(Error::TooOld(_))));
    assert_eq!(judged(&claims(vec![]), None), Err(Error::NoEvidence));
}

#[test]
fn without_a_secret_that_fits_nothing_holds() {
    check(vec![vec![good("1")]], &[], Err(Error::NoUsableSecret));
    check(vec![vec![good("1")]], &["whpk_AP8="], Err(Error::NoUsableSecret));
    check(vec![vec![Proof::Token("whpk_AP8=".into())]], &["whpk_AP8="], Err(Error::NoUsableSecret));
}

#[test]
fn a_digest_of_another_length_never_matches() {
    let code = mac(Hash::Sha256, b"key", [b"1".as_slice()].into_iter());
    let long = [code.as_slice(), &[0]].concat();
    let digests = vec![Vec::new(), code[..31].to_vec(), code[..1].to_vec(), long];
    check(vec![vec![text_mac("1", digests)]], &["key"], Err(Error::Mismatch));
}

#[test]
fn a_token_is_the_secret_and_nothing_else() {
    let token = |text: &str| vec![vec![Proof::Token(text.into())]];
    check(token("key"), &["old", "key"], Ok(()));
    for text in ["", "ke", "keys", "KEY", " key"] {
        check(token(text), &["key"], Err(Error::Mismatch));
    }
}

#[track_caller]
fn check_clock(rule: ClockRule, signed_ms: u64, expected: Result<(), Error>) {
    let claims =
        Claims { signed_at: Some(Timestamp(signed_ms)), ..claims(vec![vec![good("message")]]) };
    let info = ProviderInfo { clock: rule, tolerance: Some(Duration::from_secs(300)), ..info() };
    assert_eq!(verify(&claims, &info, secrets(&["key"]).as_slice(), b"", None, NOW), expected);
}

#[test]
fn the_time_is_held_against_the_tolerance_in_whole_seconds() {
    for rule in [ClockRule::Past, ClockRule::Both] {
        check_clock(rule, 1_533_204_420_000, Ok(()));
        check_clock(rule, 1_533_204_419_999, Err(Error::TooOld(301)));
        check_clock(rule, 1_533_205_020_999, Ok(()));
    }
    check_clock(ClockRule::Past, u64::MAX, Ok(()));
    check_clock(ClockRule::Both, 1_533_205_021_000, Err(Error::TooNew(301)));
}

#[test]
fn the_operator_overrides_the_tolerance_or_switches_it_off() {
    let claims = Claims { signed_at: Some(Timestamp(0)), ..claims(vec![vec![good("message")]]) };
    let judged = |provider: Option<u64>, source: Option<u64>| {
        let info = ProviderInfo { tolerance: provider.map(Duration::from_secs), ..info() };
        let source = source.map(Duration::from_secs);
        verify(&claims, &info, secrets(&["key"]).as_slice(), b"", source, NOW)
    };
    assert_eq!(judged(None, None), Ok(()));
    assert_eq!(judged(Some(300), Some(0)), Ok(()));
    assert_eq!(judged(Some(300), Some(u64::MAX)), Ok(()));
    assert_eq!(judged(Some(300), None), Err(Error::TooOld(NOW.seconds())));
    assert_eq!(judged(None, Some(300)), Err(Error::TooOld(NOW.seconds())));
}

#[test]
fn a_scheme_without_a_time_has_none_to_check() {
    let info = ProviderInfo { tolerance: Some(Duration::from_secs(1)), ..info() };
    let claims = claims(vec![vec![good("message")]]);
    assert_eq!(verify(&claims, &info, secrets(&["key"]).as_slice(), b"", None, NOW), Ok(()));
}

#[test]
fn a_forgery_is_a_mismatch_whatever_its_time() {
    let claims = Claims { signed_at: Some(Timestamp(0)), ..claims(vec![vec![good("message")]]) };
    let tolerance = Some(Duration::from_secs(300));
    let found = verify(&claims, &info(), secrets(&["other"]).as_slice(), b"", tolerance, NOW);
    assert_eq!(found, Err(Error::Mismatch));
}

#[test]
fn a_digest_makes_its_proof_hold() {
    let secret = Secret::new("key").unwrap();
    let code = sample(&text_mac("message", vec![]), &[], &secret, b"body").unwrap();
    check(vec![vec![text_mac("message", vec![code])]], &["key"], Ok(()));
    let token = sample(&Proof::Token(String::new()), &[], &secret, b"");
    assert_eq!(token, Ok(b"key".to_vec()));

    let public = Secret::new("whpk_AP8=").unwrap();
    let unusable = sample(&text_mac("1", vec![]), &[], &public, b"");
    assert_eq!(unusable, Err(Error::NoUsableSecret));
    let signature = Proof::Signature {
        algorithm: PublicKey::Ed25519,
        key: KeySource::Configured(KeyEncoding::Whpk.into()),
        message: vec![Piece::Body],
        signatures: vec![],
    };
    assert_eq!(sample(&signature, &[], &public, b""), Err(Error::NeedsPrivateKey));
}

/// Flips one bit, chosen by `at`.
fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[at / 8 % bytes.len()] ^= 1 << (at % 8);
    flipped
}

proptest! {
    #[test]
    fn one_flipped_bit_is_refused(
        key in prop::collection::vec(any::<u8>(), 1..100),
        head in prop::collection::vec(any::<u8>(), 1..40),
        body in prop::collection::vec(any::<u8>(), 1..400),
        at in any::<usize>(),
        algorithm in prop::sample::select(vec![
            Hash::Md5, Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512, Hash::Sha3,
        ]),
    ) {
        let judged = |key: &[u8], head: &[u8], body: &[u8], code: &[u8]| {
            let message = vec![Piece::Bytes(head.into()), Piece::Body];
            let digests = vec![code.to_vec()];
            let proof = hmac(algorithm, KeyEncoding::Hex, message, digests);
            let secret = secrets(&[&hex::encode(key)]);
            verify(&claims(vec![vec![proof]]), &info(), secret.as_slice(), body, None, NOW)
        };
        let code = mac(algorithm, &key, [head.as_slice(), body.as_slice()].into_iter());

        prop_assert_eq!(judged(&key, &head, &body, &code), Ok(()));
        prop_assert_eq!(judged(&flip(&key, at), &head, &body, &code), Err(Error::Mismatch));
        prop_assert_eq!(judged(&key, &flip(&head, at), &body, &code), Err(Error::Mismatch));
        prop_assert_eq!(judged(&key, &head, &flip(&body, at), &code), Err(Error::Mismatch));
        prop_assert_eq!(judged(&key, &head, &body, &flip(&code, at)), Err(Error::Mismatch));
    }
}
