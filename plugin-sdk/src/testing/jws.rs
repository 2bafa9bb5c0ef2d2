//! JSON Web Signatures: their form, their algorithm, what they say, and what was signed.
//!
//! For tests only: the gateway has code of its own. The algorithm is the provider's and never the
//! token's.

use serde_json::{Map, Value};

use super::key;
use super::times::Times;
use crate::base64;
use crate::claims::{Hash, Jws, JwsAlgorithm, JwsRule, PublicKey};

/// How far the clock of whoever made a token may be off, in seconds.
const LEEWAY_SECS: u64 = 60;

/// How a token is verified.
pub(super) enum Scheme {
    Hmac(Hash),
    PublicKey(PublicKey),
}

/// A token in its parts.
pub(super) struct Token<'a> {
    header: &'a str,
    encoded: &'a str,
    payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Reads a token whose header names the algorithm of the claims.
    pub(super) fn read(jws: &'a Jws) -> Option<Self> {
        let parts: Vec<&str> = jws.token.split('.').collect();
        let [header, encoded, signature] = parts[..] else { return None };
        let members = base64::decode_url(header)?;
        let members: Map<String, Value> = serde_json::from_slice(&members).ok()?;
        let named = members.get("alg").and_then(Value::as_str);
        let is_named = named.is_some_and(|name| is_named(jws.algorithm, name));
        let is_plain = !members.contains_key("crit") && members.get("b64") != Some(&false.into());
        let is_detached = encoded.is_empty();
        if !is_named || !is_plain || is_detached != jws.payload.is_some() {
            return None;
        }
        let (payload, signature) = (base64::decode_url(encoded)?, base64::decode_url(signature)?);
        Some(Self { header, encoded, payload, signature })
    }

    /// What was signed. `detached` is the payload that is not in the token.
    pub(super) fn signed(&self, detached: Option<&[u8]>) -> Vec<u8> {
        let payload = detached.map_or_else(|| self.encoded.to_owned(), base64::encode_url);
        format!("{}.{payload}", self.header).into_bytes()
    }

    /// Whether the payload says what the rules demand, at this time.
    pub(super) fn says(&self, rules: &[JwsRule], times: Times) -> bool {
        let Ok(payload) = serde_json::from_slice::<Map<String, Value>>(&self.payload) else {
            return rules.is_empty();
        };
        let seconds = |name: &str| match payload.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => {
                let whole = number.as_u64().or_else(|| number.as_f64().map(|it| it as u64));
                whole.map(Some).ok_or(())
            }
            Some(_) => Err(()),
        };
        let now = times.now / 1000;
        let (Ok(expires), Ok(begins), Ok(issued)) =
            (seconds("exp"), seconds("nbf"), seconds("iat"))
        else {
            return false;
        };
        let is_current = expires.is_none_or(|at| at.saturating_add(LEEWAY_SECS) >= now)
            && begins.is_none_or(|at| at <= now + LEEWAY_SECS);
        is_current
            && rules.iter().all(|rule| match rule {
                JwsRule::Member(member) => {
                    payload.get(&member.name).is_some_and(|value| is_one(value, &member.values))
                }
                JwsRule::Expires => expires.is_some(),
                JwsRule::Issued => issued.is_some_and(|at| times.holds(at.saturating_mul(1000))),
            })
    }
}

/// How tokens of an algorithm are verified.
pub(super) fn scheme(algorithm: JwsAlgorithm) -> Scheme {
    match algorithm {
        JwsAlgorithm::Hs256 => Scheme::Hmac(Hash::Sha256),
        JwsAlgorithm::Hs384 => Scheme::Hmac(Hash::Sha384),
        JwsAlgorithm::Hs512 => Scheme::Hmac(Hash::Sha512),
        JwsAlgorithm::Rs256 => Scheme::PublicKey(PublicKey::RsaSha256),
        JwsAlgorithm::Rs512 => Scheme::PublicKey(PublicKey::RsaSha512),
        JwsAlgorithm::Ps256 => Scheme::PublicKey(PublicKey::RsaPssSha256),
        JwsAlgorithm::Es256 => Scheme::PublicKey(PublicKey::EcdsaP256),
        JwsAlgorithm::Es384 => Scheme::PublicKey(PublicKey::EcdsaP384),
        JwsAlgorithm::Es512 => Scheme::PublicKey(PublicKey::EcdsaP521),
        JwsAlgorithm::Eddsa => Scheme::PublicKey(PublicKey::Ed25519),
    }
}

fn is_named(algorithm: JwsAlgorithm, name: &str) -> bool {
    match scheme(algorithm) {
        Scheme::Hmac(Hash::Sha256) => name == "HS256",
        Scheme::Hmac(Hash::Sha384) => name == "HS384",
        Scheme::Hmac(_) => name == "HS512",
        Scheme::PublicKey(algorithm) => key::names(algorithm).contains(&name),
    }
}

/// Whether a value is one of these, or a list that has one of these.
fn is_one(value: &Value, values: &[String]) -> bool {
    let is = |value: &Value| match value {
        Value::String(text) => values.contains(text),
        Value::Bool(_) | Value::Number(_) => values.contains(&value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    };
    match value {
        Value::Array(list) => list.iter().any(is),
        value => is(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{JwsMember, KeyEncoding, KeySource};
    use crate::provider::ClockRule;

    const NOW: u64 = 1_790_000_000;

    fn says(header: &str, payload: &str, rules: Vec<JwsRule>) -> Option<bool> {
        let encode = |text: &str| base64::encode_url(text.as_bytes());
        let jws = Jws {
            token: format!("{}.{}.{}", encode(header), encode(payload), encode("signature")),
            algorithm: JwsAlgorithm::Hs256,
            key: KeySource::Configured(KeyEncoding::Text.into()),
            payload: None,
            rules,
        };
        let times = Times { tolerance: Some(300), clock: ClockRule::Both, now: NOW * 1000 };
        Some(Token::read(&jws)?.says(&jws.rules, times))
    }

    #[test]
    fn the_algorithm_is_the_providers_and_not_the_tokens() {
        assert_eq!(says(r#"{"alg":"HS256"}"#, "{}", Vec::new()), Some(true));
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"RS256"}"#,
            r#"{"alg":"HS256","crit":["b64"]}"#,
            r#"{"alg":"HS256","b64":false}"#,
            "{}",
        ] {
            assert_eq!(says(header, "{}", Vec::new()), None, "{header}");
        }
    }

    #[test]
    fn a_token_says_what_the_rules_demand() {
        let member = |name: &str, value: &str| {
            JwsRule::Member(JwsMember { name: name.to_owned(), values: vec![value.to_owned()] })
        };
        let said = |payload: &str, rules| says(r#"{"alg":"HS256"}"#, payload, rules).unwrap();
        let payload = format!(r#"{{"aud":["a","b"],"live":true,"exp":{NOW},"iat":{NOW}}}"#);
        let rules = || vec![JwsRule::Expires, JwsRule::Issued];
        assert!(said(&payload, rules()));
        assert!(said(&payload, vec![member("aud", "b"), member("live", "true")]));
        assert!(!said(&payload, vec![member("aud", "c")]));
        assert!(!said(&payload, vec![member("iss", "a")]));
        assert!(!said("{}", vec![JwsRule::Expires]) && !said("{}", vec![JwsRule::Issued]));
        let at = |name: &str, at: u64| format!(r#"{{"{name}":{at}}}"#);
        assert!(said(&at("exp", NOW - 60), vec![]) && !said(&at("exp", NOW - 61), vec![]));
        assert!(said(&at("nbf", NOW + 60), vec![]) && !said(&at("nbf", NOW + 61), vec![]));
        assert!(!said(&at("iat", NOW - 301), vec![JwsRule::Issued]));
        assert!(!said(r#"{"exp":"soon"}"#, vec![]));
    }
}
