//! A plugin that claims whatever it is told to, so that a request with every kind of proof can be
//! posted, and with every forgery.
//!
//! The setting `claims` has the claims of a source's requests, as serde reads the types of the
//! contract. In its texts, `{name}` is the value of a request's header, `base64:` begins bytes and
//! `number:` a number. A request may bring claims of its own in `x-claims`, as if it had talked a
//! plugin into them. What the plugin declares is written into its file (`DECLARED`). It stands on
//! the bare contract instead of the SDK, which would not claim all that. Never verifies anything.

use std::hint::black_box;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::bindings::exports::hookgate::plugin::provider::{
    self, Claims, ClockRule, KeyFormat, KeyPlace, ProofInfo, ProviderInfo, Refusal,
};
use self::bindings::hookgate::plugin::settings;
use self::bindings::hookgate::plugin::types::{
    Event, Failure, Header, Request, Setting, SettingKind,
};

#[cfg_attr(
    target_family = "wasm",
    expect(unsafe_code, reason = "the raw functions that the host calls are generated")
)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "provider-plugin",
        additional_derives: [serde::Deserialize],
    });
    #[cfg(target_family = "wasm")]
    export!(Prover with_types_in self);
    #[cfg(target_family = "wasm")]
    use super::Prover;
}

/// Only a component has exports: a native linker takes their names for versions. Natively it is
/// enough that the type fits.
#[cfg(not(target_family = "wasm"))]
const _: fn() -> ProviderInfo = <Prover as provider::Guest>::describe;

struct Prover;

/// The bytes of what stands before the declared proofs, by which a test finds them in the file.
const MARK_BYTES: usize = b"the prover declares: ".len();
/// Behind the mark the proofs, each with its kind and its worth, and blanks to the end. A test
/// writes others over these.
static DECLARED: [u8; 160] = padded(b"the prover declares: Token Weak");

/// A text and blanks behind it.
const fn padded<const BYTES: usize>(text: &[u8]) -> [u8; BYTES] {
    let mut bytes = [b' '; BYTES];
    bytes.split_at_mut(text.len()).0.copy_from_slice(text);
    bytes
}

/// The case of an enum that has this name.
fn case<T: DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(Value::from(name)).ok()
}

/// The proofs that the file declares.
fn declared() -> Vec<ProofInfo> {
    // Read when it runs, and not known to the compiler.
    let written = &black_box(&DECLARED)[MARK_BYTES..];
    let proof = |text: &str| {
        let (kind, worth) = text.trim().split_once(' ')?;
        Some(ProofInfo { kind: case(kind)?, worth: case(worth)? })
    };
    std::str::from_utf8(written).unwrap_or_default().split(',').filter_map(proof).collect()
}

/// Where keys may be looked up, one place for each format.
fn key_places() -> Vec<KeyPlace> {
    let formats = [
        ("certificate", KeyFormat::Certificate("keys.example".to_owned())),
        ("leaf-certificate", KeyFormat::LeafCertificate),
        ("pem", KeyFormat::Pem),
        ("jwk", KeyFormat::Jwk),
        ("jwks", KeyFormat::Jwks),
    ];
    let place = |(name, format): (&str, KeyFormat)| KeyPlace {
        url: format!("https://keys.example/{name}/"),
        format,
    };
    formats.into_iter().map(place).collect()
}

/// What the request claims, or what those of its source do.
fn claims(request: &Request) -> Option<Claims> {
    let settings: Value = serde_json::from_str(&settings::get()).ok()?;
    let brought = request.headers.iter().find(|header| header.name == "x-claims");
    let text = brought.map(|header| header.value.as_str()).or(settings["claims"].as_str())?;
    let mut claims = serde_json::from_str(text).ok()?;
    fill(&mut claims, &request.headers);
    serde_json::from_value(claims).ok()
}

/// Puts the headers into every text, and makes those bytes and numbers that are meant to be. What
/// can't be decoded is empty, so that the host has to judge it.
fn fill(value: &mut Value, headers: &[Header]) {
    match value {
        Value::String(text) => {
            let put = |text: String, header: &Header| {
                text.replace(&format!("{{{}}}", header.name), &header.value)
            };
            let filled = headers.iter().fold(std::mem::take(text), put);
            *value = if let Some(encoded) = filled.strip_prefix("base64:") {
                STANDARD.decode(encoded).unwrap_or_default().into()
            } else if let Some(digits) = filled.strip_prefix("number:") {
                digits.parse::<u64>().ok().into()
            } else {
                filled.into()
            };
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, headers)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, headers)),
        Value::Null | Value::Bool(_) | Value::Number(_) => (),
    }
}

impl provider::Guest for Prover {
    fn describe() -> ProviderInfo {
        ProviderInfo {
            name: "prover".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scheme: "any".to_owned(),
            types: vec!["prover.proven".to_owned()],
            proofs: declared(),
            clock: ClockRule::Both,
            tolerance_ms: Some(300_000),
            reply: None,
            refusal_status: 403,
            methods: Vec::new(),
            handshakes: Vec::new(),
            key_places: key_places(),
            roots: Vec::new(),
            settings: vec![Setting {
                name: "claims".to_owned(),
                kind: SettingKind::Any,
                required: true,
                default: None,
                example: "\"{}\"".to_owned(),
                help: "what the requests of the source claim".to_owned(),
            }],
        }
    }

    fn check() -> Result<(), String> {
        Ok(())
    }

    fn claim(request: Request) -> Result<Claims, Refusal> {
        claims(&request).ok_or_else(|| Refusal { reason: "the claims can't be read".to_owned() })
    }

    /// One event, with the name of the source as its id.
    fn parse(request: Request) -> Result<Vec<Event>, Failure> {
        Ok(vec![Event {
            id: request.url.rsplit('/').next().unwrap_or_default().to_owned(),
            type_: "prover.proven".to_owned(),
            subject: None,
            time: None,
            money: None,
            labels: Vec::new(),
            data: Value::from(String::from_utf8_lossy(&request.body)).to_string(),
        }])
    }

    fn sign(_: Request, _: u64, _: Vec<Vec<u8>>) -> Result<Request, String> {
        Err("the requests are recorded".to_owned())
    }
}
