//! Tokens that hold, and every way to be refused.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::provider::{ClockRule, Hash, KeyEncoding, Piece, PublicKey};

const NOW: u64 = 1_790_000_000;

fn times(tolerance: Option<u64>) -> Times {
    let tolerance = tolerance.map(Duration::from_secs);
    Times { tolerance, clock: ClockRule::Both, now: Timestamp(NOW * 1000) }
}

fn token(header: &Value, payload: &str) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", encode(&header.to_string()), encode(payload), encode("signature"))
}

fn jws(token: String, rules: Vec<JwsRule>) -> Jws {
    let algorithm = JwsAlgorithm::Hmac(Hash::Sha256);
    let key = KeySource::Configured(KeyEncoding::Text.into());
    Jws { token, algorithm, key, payload: None, rules }
}

fn said(payload: &Value, rules: Vec<JwsRule>) -> Result<(), Error> {
    let token = token(&json!({ "alg": "HS256", "typ": "JWT" }), &payload.to_string());
    check(&jws(token, rules), times(None))
}

fn member(name: &str, values: &[&str]) -> JwsRule {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    JwsRule::Member { name: name.to_owned(), values }
}

#[test]
fn the_algorithm_is_the_providers_and_not_the_tokens() {
    for alg in ["none", "None", "hs256", "HS512", "RS256", ""] {
        let read = jws(token(&json!({ "alg": alg }), "{}"), Vec::new());
        assert_eq!(Token::read(&read).unwrap_err(), Error::OtherAlgorithm, "{alg}");
    }
    let eddsa = |alg: &str| {
        let algorithm = JwsAlgorithm::PublicKey(PublicKey::Ed25519);
        Token::read(&Jws { algorithm, ..jws(token(&json!({ "alg": alg }), "{}"), Vec::new()) })
            .is_ok()
    };
    assert!(eddsa("EdDSA") && eddsa("Ed25519") && !eddsa("ES256"));
}

#[test]
fn what_is_no_plain_token_is_refused() {
    let good = token(&json!({ "alg": "HS256" }), "{}");
    let (head, _) = good.split_once('.').unwrap();
    for (token, what) in [
        (String::new(), "nothing"),
        ("a.b".to_owned(), "two parts"),
        (format!("{good}.x"), "four parts"),
        (format!("{head}..x"), "no payload"),
        (format!("{head}.e30=.x"), "padding"),
        (format!("{head}.e30.+/"), "the other alphabet"),
        (good.replacen('e', "!", 1), "another character"),
        (token(&json!({}), "{}"), "no algorithm"),
        (token(&json!({ "alg": "HS256", "crit": ["exp"] }), "{}"), "something critical"),
        (token(&json!({ "alg": "HS256", "crit": null }), "{}"), "something critical, or not"),
        (token(&json!({ "alg": "HS256", "b64": false }), "{}"), "a bare payload"),
        (token(&json!("HS256"), "{}"), "no header"),
        (token(&json!(["HS256", false, null]), "{}"), "a list as its header"),
    ] {
        assert_eq!(
            Token::read(&jws(token, Vec::new())).unwrap_err(),
            Error::MalformedJws,
            "{what}"
        );
    }
    let twice = format!("{}.e30.x", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","alg":"none"}"#));
    assert_eq!(Token::read(&jws(twice, Vec::new())).unwrap_err(), Error::MalformedJws);
}

#[test]
fn a_detached_payload_is_put_between_the_dots() {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    let detached =
        |token: String| Jws { payload: Some(vec![Piece::Body]), ..jws(token, Vec::new()) };
    let read = detached(format!("{head}..c2ln"));
    let token = Token::read(&read).unwrap();
    assert_eq!(token.signed(Some(b"{}")), format!("{head}.e30").into_bytes());
    assert_eq!(token.signature, b"sig");
    assert_eq!(check(&read, times(None)), Ok(()));
    let attached = detached(format!("{head}.e30.c2ln"));
    assert_eq!(Token::read(&attached).unwrap_err(), Error::MalformedJws);
    let ruled = Jws { rules: vec![JwsRule::Expires], ..read.clone() };
    assert_eq!(check(&ruled, times(None)), Err(Error::JwsRule));
}

#[test]
fn a_token_counts_between_its_times() {
    assert_eq!(said(&json!({}), Vec::new()), Ok(()));
    assert_eq!(said(&json!({ "exp": NOW - 60, "nbf": NOW + 60 }), Vec::new()), Ok(()));
    assert_eq!(said(&json!({ "exp": NOW - 61 }), Vec::new()), Err(Error::Expired(61)));
    assert_eq!(said(&json!({ "nbf": NOW + 61 }), Vec::new()), Err(Error::TooNew(61)));
    assert_eq!(said(&json!({ "exp": 1_790_000_000.5 }), Vec::new()), Ok(()));
    for odd in [json!("1790000000"), json!(null), json!(-1), json!(1e300), json!(u64::MAX)] {
        assert_eq!(said(&json!({ "exp": odd }), Vec::new()), Err(Error::JwsRule), "{odd}");
    }
    assert_eq!(said(&json!({}), vec![JwsRule::Expires]), Err(Error::JwsRule));
    assert_eq!(said(&json!({ "exp": NOW }), vec![JwsRule::Expires]), Ok(()));
}

#[test]
fn a_token_says_what_it_must() {
    let aud = || vec![member("aud", &["https://a.example", "https://b.example"])];
    assert_eq!(said(&json!({ "aud": "https://b.example" }), aud()), Ok(()));
    assert_eq!(said(&json!({ "aud": ["x", "https://a.example"] }), aud()), Ok(()));
    for other in [json!("https://c.example"), json!([]), json!(["x"]), json!({}), json!(1)] {
        assert_eq!(said(&json!({ "aud": other }), aud()), Err(Error::JwsRule), "{other}");
    }
    assert_eq!(said(&json!({}), aud()), Err(Error::JwsRule));
    let verified = || vec![member("email_verified", &["true"])];
    assert_eq!(said(&json!({ "email_verified": true }), verified()), Ok(()));
    assert_eq!(said(&json!({ "email_verified": false }), verified()), Err(Error::JwsRule));
    let text = jws(token(&json!({ "alg": "HS256" }), "a text"), Vec::new());
    assert_eq!(check(&text, times(None)), Ok(()));
    let ruled = Jws { rules: aud(), ..text };
    assert_eq!(check(&ruled, times(None)), Err(Error::JwsRule));
}

#[test]
fn the_time_of_a_token_is_held_against_the_tolerance() {
    let issued = |iat: u64, tolerance| {
        let token = token(&json!({ "alg": "HS256" }), &json!({ "iat": iat }).to_string());
        check(&jws(token, vec![JwsRule::Issued]), times(tolerance))
    };
    assert_eq!(issued(NOW - 300, Some(300)), Ok(()));
    assert_eq!(issued(NOW - 301, Some(300)), Err(Error::TooOld(301)));
    assert_eq!(issued(NOW + 301, Some(300)), Err(Error::TooNew(301)));
    assert_eq!(issued(0, None), Ok(()));
    assert_eq!(said(&json!({}), vec![JwsRule::Issued]), Err(Error::JwsRule));
}
