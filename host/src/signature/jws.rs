//! JSON Web Signatures (RFC 7515): what was signed, by which algorithm, and what it says.
//!
//! The algorithm is the provider's and never the token's: a header that names another is refused.
//! What a token says is held against the rules only together with its signature, so nothing here
//! passes a token by itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::values::Materials;
use super::{Error, Times, digest, key};
use crate::event::Timestamp;
use crate::provider::{Jws, JwsAlgorithm, JwsRule, KeySource};

/// How far the clock of who made a token may be off, in seconds.
const LEEWAY_SECS: u64 = 60;

/// A token, taken apart.
#[derive(Debug)]
pub(super) struct Token<'j> {
    header: &'j str,
    payload_text: &'j str,
    /// What it says; empty if it is detached.
    payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// Of a header what counts. A member twice is an error.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
    b64: Option<bool>,
}

/// That there is such a member, whatever it is.
fn is_there<'de, D: Deserializer<'de>>(member: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(member).map(|_| true)
}

impl<'j> Token<'j> {
    /// Takes a token apart whose header names the algorithm that it must.
    pub(super) fn read(jws: &'j Jws) -> Result<Self, Error> {
        let mut parts = jws.token.split('.');
        let (Some(header), Some(payload_text), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::MalformedJws);
        };
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::MalformedJws);
        let members = decode(header)?;
        // A list of members would be read in their order.
        if !members.trim_ascii_start().starts_with(b"{") {
            return Err(Error::MalformedJws);
        }
        let read = serde_json::from_slice::<Header>(&members);
        let Header { alg, crit, b64 } = read.map_err(|_| Error::MalformedJws)?;
        if !jws.algorithm.names().contains(&alg.as_str()) {
            return Err(Error::OtherAlgorithm);
        }
        let is_plain = !crit && b64 != Some(false);
        // A detached one has its payload elsewhere, and only there.
        if !is_plain || payload_text.is_empty() != jws.payload.is_some() {
            return Err(Error::MalformedJws);
        }
        let payload = decode(payload_text)?;
        let signature = decode(signature)?;
        Ok(Self { header, payload_text, payload, signature })
    }

    /// What was signed. `detached` is the payload that is not in the token.
    pub(super) fn signed(&self, detached: Option<&[u8]>) -> Vec<u8> {
        let payload = match detached {
            Some(payload) => &URL_SAFE_NO_PAD.encode(payload),
            None => self.payload_text,
        };
        format!("{}.{payload}", self.header).into_bytes()
    }
}

/// What is wrong with a token whoever signed it: its form, its algorithm, its time, what it says.
pub(super) fn check(jws: &Jws, times: Times) -> Result<(), Error> {
    let token = Token::read(jws)?;
    if jws.payload.is_some() {
        return if jws.rules.is_empty() { Ok(()) } else { Err(Error::JwsRule) };
    }
    let said = match serde_json::from_slice::<Map<String, Value>>(&token.payload) {
        Ok(said) => said,
        Err(_) if jws.rules.is_empty() => return Ok(()),
        Err(_) => return Err(Error::JwsRule),
    };
    let now = times.now.seconds();
    if let Some(expires) = seconds(&said, "exp")?.filter(|at| *at + LEEWAY_SECS < now) {
        return Err(Error::Expired(now - expires));
    }
    if let Some(begins) = seconds(&said, "nbf")?.filter(|at| *at > now + LEEWAY_SECS) {
        return Err(Error::TooNew(begins - now));
    }
    jws.rules.iter().try_for_each(|rule| match rule {
        JwsRule::Member { name, values } => {
            let is_one = said.get(name).is_some_and(|value| says(value, values));
            if is_one { Ok(()) } else { Err(Error::JwsRule) }
        }
        JwsRule::Expires => seconds(&said, "exp")?.map(drop).ok_or(Error::JwsRule),
        JwsRule::Issued => {
            let issued = seconds(&said, "iat")?.ok_or(Error::JwsRule)?;
            times.check(Timestamp(issued.saturating_mul(1000)))
        }
    })
}

/// The signature of a token that is signed with a shared secret.
pub(super) fn sample(jws: &Jws, materials: Materials<'_>) -> Result<Vec<u8>, Error> {
    let (JwsAlgorithm::Hmac(hash), KeySource::Configured(form)) = (jws.algorithm, &jws.key) else {
        return Err(Error::NeedsPrivateKey);
    };
    let token = Token::read(jws)?;
    let payload = match &jws.payload {
        Some(pieces) => Some(materials.message(pieces).ok_or(Error::NoUsableSecret)?.whole()),
        None => None,
    };
    let secret = materials.secret.ok_or(Error::NoUsableSecret)?;
    let key = key::shared(form, secret).ok_or(Error::NoUsableSecret)?;
    let signed = token.signed(payload.as_deref());
    Ok(digest::mac(hash, &key, [signed.as_slice()].into_iter()))
}

/// A time in whole seconds, if the member is there.
fn seconds(said: &Map<String, Value>, name: &str) -> Result<Option<u64>, Error> {
    let Some(value) = said.get(name) else { return Ok(None) };
    let number = value.as_u64().or_else(|| {
        let number = value.as_f64().filter(|number| (0.0..1e12).contains(number))?;
        Some(number as u64)
    });
    // Far enough from the end of the numbers to add to.
    number.filter(|number| *number < 1 << 40).map(Some).ok_or(Error::JwsRule)
}

/// Whether a value is one of these, or a list that has one of these.
fn says(value: &Value, values: &[String]) -> bool {
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
mod tests;
