//! Braintree: an HMAC-SHA1 over a form field with XML; the key is the SHA-1 of the private key.
//!
//! A request carries a signature for every pair of keys; the one for the public key in the settings
//! counts. Braintree gives no event ids, so an id is derived from the payload, which a retry
//! repeats. Braintree first sends a validation challenge by GET, and the answer is a digest of the
//! challenge. Anybody may send one and choose its text, so a text that looks like a challenge is
//! never accepted as a payload.

mod canonical;
mod challenge;
mod notification;
mod payload;
mod xml;

use hookgate_sdk::{
    Claims, Event, Evidence, Failure, Hash, KeyEncoding, Piece, Proof, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Setting, Timestamp, id,
};
use serde::Deserialize;

use crate::payload::Payload;
use crate::xml::Element;

/// The plugin.
#[derive(Debug)]
pub struct Braintree;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The public key of the pair; the private key is the source's secret.
    public_key: String,
}

/// Longest public key.
const KEY_BYTES_MAX: usize = 64;
/// Longest payload, in base64, that `claim` decodes; notifications have a few KiB.
const READ_BYTES_MAX: usize = 128 << 10;

impl Provider for Braintree {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("braintree", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme(
                "HMAC-SHA1 of `bt_payload` in `bt_signature`; the key is the SHA-1 of the private \
                 key",
            )
            .asking_by("GET")
            .with_settings([Setting::text(
                "public_key",
                "3z6z5xqk2fkxk9m4",
                "the public key of the pair whose private key is the secret",
            )
            .required()])
    }

    fn check(Settings { public_key }: &Settings) -> Result<(), String> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=KEY_BYTES_MAX).contains(&public_key.len()) && public_key.bytes().all(known) {
            Ok(())
        } else {
            Err("`public_key` is not a public key from Braintree's control panel".to_owned())
        }
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let public_key = &Self::settings().public_key;
        if request.method == "GET" {
            return challenge::answered(request, public_key);
        }
        let payload = Payload::of(request).map_err(Refusal::new)?;
        let digest = payload.digest(public_key).map_err(Refusal::new)?;
        let mac = |text: String| {
            let message = vec![Piece::from(text)];
            Proof::hmac(Hash::Sha1, KeyEncoding::Sha1, message, vec![digest.clone()])
        };
        // Braintree's libraries also accept a signature of the payload with a line end behind it.
        let proofs = vec![mac(payload.text.clone()), mac(format!("{}\n", payload.text))];
        // `parse` reports what can't be read. A long payload is not read before it is verified.
        let is_short = payload.text.len() <= READ_BYTES_MAX;
        let is_news = |document: Element| !notification::is_check(&document);
        let news = is_short && document(&payload).is_ok_and(is_news);
        Ok(Claims::new(Evidence::any(proofs), news.then(|| event_id(&payload))))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let payload = Payload::of(request).map_err(Failure::permanent)?;
        let document = document(&payload).map_err(Failure::permanent)?;
        notification::events(&document, &event_id(&payload))
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        payload::sign(request, &Self::settings().public_key, digests)
    }
}

fn document(payload: &Payload) -> Result<Element, String> {
    xml::parse(&payload.decoded()?)
}

/// Derived from the payload without its line ends.
fn event_id(payload: &Payload) -> String {
    id::derived(&[payload.text.replace('\n', "").as_bytes()])
}

hookgate_sdk::export!(provider: Braintree);
