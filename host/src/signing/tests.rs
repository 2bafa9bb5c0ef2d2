//! The published examples of Standard Webhooks, and keys that are none.

use super::*;

const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SHARED: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SHARED_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn signed(keys: &[SigningKey]) -> Vec<(HeaderName, String)> {
    headers(ID.to_owned(), 1_614_265_330, BODY, keys)
}

fn key(text: &str) -> Result<SigningKey, InvalidKey> {
    SigningKey::parse(&Secret::new(text).unwrap())
}

#[test]
fn the_published_example_comes_out_as_published() {
    let headers = signed(&[key(SHARED).unwrap()]);
    let plain: Vec<_> = headers.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let expected = [
        ("webhook-id", ID),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", SHARED_SIGNATURE),
    ];
    assert_eq!(plain, expected);
}

#[test]
fn every_key_signs_during_a_rotation() {
    use ring::signature::{ED25519, UnparsedPublicKey};

    let seed = format!("whsk_{}", BASE64.encode([7; 32]));
    let keys = [key(SHARED).unwrap(), key(&seed).unwrap()];
    let headers = signed(&keys);

    let (shared, public) = headers[2].1.split_once(' ').unwrap();
    assert_eq!(shared, SHARED_SIGNATURE);
    let signature = BASE64.decode(public.strip_prefix("v1a,").unwrap()).unwrap();
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let message = [ID.as_bytes(), b".1614265330.", BODY].concat();
    UnparsedPublicKey::new(&ED25519, pair.public_key()).verify(&message, &signature).unwrap();
}

#[test]
fn without_a_key_nothing_is_signed() {
    assert_eq!(signed(&[]).len(), 2);
}

#[test]
fn a_key_pair_is_checked() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let mut both = [[7; 32].as_slice(), pair.public_key().as_ref()].concat();
    assert!(key(&format!("whsk_{}", BASE64.encode(&both))).is_ok());
    both[40] ^= 1;
    let mixed = key(&format!("whsk_{}", BASE64.encode(&both)));
    assert_eq!(mixed.unwrap_err(), InvalidKey::Ed25519);
}

/// The key pair and its public half are those of RFC 8037, appendix A.
#[test]
fn the_public_half_of_a_key_is_published_and_nothing_else() {
    let seed = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    let seed = URL_SAFE_NO_PAD.decode(seed).unwrap();
    let pair = key(&format!("whsk_{}", BASE64.encode(seed))).unwrap();
    let jwk = serde_json::to_value(pair.public_jwk("a".to_owned()).unwrap()).unwrap();
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let expected = serde_json::json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": x, "use": "sig",
    });
    assert_eq!(jwk, expected);
    let text = pair.public_text().unwrap();
    assert_eq!(text, "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");

    let shared = key(SHARED).unwrap();
    assert!(shared.public_jwk("a".to_owned()).is_none() && shared.public_text().is_none());
}

#[test]
fn what_is_no_signing_key_is_refused() {
    let refusal = |text: &str| key(text).unwrap_err();
    assert_eq!(refusal("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), InvalidKey::Prefix);
    assert_eq!(refusal("whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), InvalidKey::Prefix);
    assert_eq!(refusal("whsec_not base64"), InvalidKey::Base64);
    assert_eq!(refusal("whsec_c2hvcnQ="), InvalidKey::SharedLength(5));
    assert_eq!(refusal("whsk_c2hvcnQ="), InvalidKey::Ed25519);
}

#[test]
fn a_key_never_shows() {
    assert_eq!(format!("{:?}", key(SHARED).unwrap()), "SigningKey(v1, ..)");
}
