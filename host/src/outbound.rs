//! What a delivery looks like on the wire: its body, and the headers of Standard Webhooks.
//!
//! Pure: made from the event (or the receipt), the delivery's id and the keys. The event's data
//! goes out as the very text that came in, so that no number loses a digit. Nothing here sends.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use ring::signature::Ed25519KeyPair;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::claims::Hmac;
use crate::event::{Event, Request, Timestamp};
use crate::secrets::Secret;
use crate::signature;

/// What an endpoint receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `{"type", "timestamp", "data"}`, as Standard Webhooks advises.
    #[default]
    Standard,
    /// A CloudEvents 1.0 event in JSON, with `amount` and `currency` beside the attributes.
    CloudEvents,
    /// The provider's own bytes; the data alone for an event that no receipt stands behind.
    Raw,
}

/// A body and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Fit for a header.
    pub content_type: String,
    /// The bytes.
    pub body: Bytes,
}

const JSON: &str = "application/json";

/// The content of a delivery. `receipt` is the request that the event came in by, if there is one.
pub fn content(format: Format, event: &Event, receipt: Option<&Request>) -> Content {
    let (content_type, body) = match (format, receipt) {
        (Format::Standard, _) => (JSON.to_owned(), Standard::new(event).to_json()),
        (Format::CloudEvents, _) => {
            let content_type = "application/cloudevents+json".to_owned();
            (content_type, CloudEvent::new(event).to_json())
        }
        (Format::Raw, Some(receipt)) => (content_type_of(receipt), receipt.body.clone()),
        (Format::Raw, None) => (JSON.to_owned(), event.data.as_str().to_owned().into()),
    };
    Content { content_type, body }
}

/// What the sender called it, unless that can't be sent on.
fn content_type_of(receipt: &Request) -> String {
    let sendable = |text: &&str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let known = receipt.header("content-type").filter(sendable);
    known.unwrap_or("application/octet-stream").to_owned()
}

#[derive(Serialize)]
struct Standard<'a> {
    r#type: &'a str,
    timestamp: Timestamp,
    data: &'a RawValue,
}

impl<'a> Standard<'a> {
    fn new(event: &'a Event) -> Self {
        Self { r#type: &event.event_type, timestamp: event.time, data: event.data.as_raw() }
    }

    fn to_json(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and JSON always serialise").into()
    }
}

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: Timestamp,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    data: &'a RawValue,
}

impl<'a> CloudEvent<'a> {
    fn new(event: &'a Event) -> Self {
        Self {
            specversion: "1.0",
            id: &event.id,
            source: event.source.as_str(),
            r#type: &event.event_type,
            // CloudEvents knows no empty subject.
            subject: event.subject.as_deref().filter(|subject| !subject.is_empty()),
            time: event.time,
            datacontenttype: JSON,
            amount: event.money.as_ref().map(|money| money.amount.as_str()),
            currency: event.money.as_ref().map(|money| money.currency.as_str()),
            data: event.data.as_raw(),
        }
    }

    fn to_json(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and JSON always serialise").into()
    }
}

/// A key that signs deliveries.
#[derive(Clone)]
pub enum SigningKey {
    /// HMAC-SHA256, `v1`: both sides know the key.
    Shared(Arc<[u8]>),
    /// Ed25519, `v1a`: the endpoint knows the public half.
    Ed25519(Arc<Ed25519KeyPair>),
}

/// A secret that can't sign. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Another prefix, or none.
    #[error("a signing key begins with whsec_ (HMAC-SHA256) or whsk_ (Ed25519)")]
    Prefix,
    /// Not standard base64.
    #[error("signing key is not base64 after its prefix")]
    Base64,
    /// Too little to be safe, or more than the standard allows.
    #[error("a whsec_ key has 24 to 64 bytes, not {0}")]
    SharedLength(usize),
    /// Neither a seed nor a key pair, or halves that do not belong together.
    #[error("a whsk_ key is an Ed25519 seed of 32 bytes, or 64 bytes of seed and public key")]
    Ed25519,
}

impl SigningKey {
    /// Reads a key as Standard Webhooks writes them.
    pub fn parse(secret: &Secret) -> Result<Self, InvalidKey> {
        let text = secret.expose();
        let decode = |text| signature::key::base64(text).ok_or(InvalidKey::Base64);
        if let Some(text) = text.strip_prefix("whsec_") {
            let key = decode(text)?;
            let fits = (24..=64).contains(&key.len());
            return if fits {
                Ok(Self::Shared(key.into()))
            } else {
                Err(InvalidKey::SharedLength(key.len()))
            };
        }
        let key = decode(text.strip_prefix("whsk_").ok_or(InvalidKey::Prefix)?)?;
        let pair = match key.split_at_checked(32) {
            Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
            Some((seed, public)) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
            None => return Err(InvalidKey::Ed25519),
        };
        pair.map(|pair| Self::Ed25519(pair.into())).map_err(|_| InvalidKey::Ed25519)
    }

    /// One signature as it stands in the header: `v1,K5oZ...`.
    fn sign(&self, message: &[&[u8]]) -> String {
        match self {
            Self::Shared(key) => {
                let code = signature::mac(Hmac::Sha256, key, message.iter().copied());
                format!("v1,{}", BASE64.encode(code))
            }
            Self::Ed25519(pair) => format!("v1a,{}", BASE64.encode(pair.sign(&message.concat()))),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared(_) => "SigningKey(v1, ..)",
            Self::Ed25519(_) => "SigningKey(v1a, ..)",
        })
    }
}

/// The headers of one attempt: names in lower case, and values. `id` stays the same over all
/// attempts of a delivery, `timestamp_secs` is the attempt's own. Every key signs, so that an
/// endpoint in the middle of a rotation knows one of them; without keys there is no signature.
pub fn headers(
    id: &str,
    timestamp_secs: u64,
    body: &[u8],
    keys: &[SigningKey],
) -> Vec<(&'static str, String)> {
    let timestamp = timestamp_secs.to_string();
    let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let signatures: Vec<_> = keys.iter().map(|key| key.sign(&message)).collect();
    let mut headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp)];
    if !signatures.is_empty() {
        headers.push(("webhook-signature", signatures.join(" ")));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Money;
    use crate::json_text::JsonText;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SHARED: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SHARED_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn key(text: &str) -> Result<SigningKey, InvalidKey> {
        SigningKey::parse(&Secret::new(text).unwrap())
    }

    fn event() -> Event {
        Event {
            source: "stripe".parse().unwrap(),
            id: "evt_1".into(),
            event_type: "payment.failed".into(),
            subject: Some("pi_1".into()),
            time: Timestamp(1_700_000_000_123),
            money: Some(Money::new("10.990".into(), "USD".into()).unwrap()),
            labels: Vec::new(),
            data: JsonText::new(r#"{"n": 1.00000000000000000001, "n": 2}"#).unwrap(),
        }
    }

    fn receipt(content_type: &str) -> Request {
        Request {
            method: "POST".into(),
            url: "/in/stripe".into(),
            headers: [("content-type", content_type)].into_iter().collect(),
            body: Bytes::from_static(b"\x00raw\xff"),
            received_at: Timestamp(1),
        }
    }

    fn text(format: Format) -> String {
        let content = content(format, &event(), None);
        String::from_utf8(content.body.to_vec()).unwrap()
    }

    #[test]
    fn the_published_example_comes_out_as_published() {
        let headers = headers(ID, 1_614_265_330, BODY, &[key(SHARED).unwrap()]);
        let expected = [
            ("webhook-id", ID.to_owned()),
            ("webhook-timestamp", "1614265330".to_owned()),
            ("webhook-signature", SHARED_SIGNATURE.to_owned()),
        ];
        assert_eq!(headers, expected);
    }

    #[test]
    fn every_key_signs_during_a_rotation() {
        use ring::signature::{ED25519, KeyPair, UnparsedPublicKey};

        let seed = format!("whsk_{}", BASE64.encode([7; 32]));
        let keys = [key(SHARED).unwrap(), key(&seed).unwrap()];
        let headers = headers(ID, 1_614_265_330, BODY, &keys);

        let (shared, public) = headers[2].1.split_once(' ').unwrap();
        assert_eq!(shared, SHARED_SIGNATURE);
        let signature = BASE64.decode(public.strip_prefix("v1a,").unwrap()).unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let message = [ID.as_bytes(), b".1614265330.", BODY].concat();
        UnparsedPublicKey::new(&ED25519, pair.public_key()).verify(&message, &signature).unwrap();
    }

    #[test]
    fn without_a_key_nothing_is_signed() {
        assert_eq!(headers(ID, 1, BODY, &[]).len(), 2);
    }

    #[test]
    fn a_key_pair_is_checked() {
        use ring::signature::KeyPair;

        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let mut both = [[7; 32].as_slice(), pair.public_key().as_ref()].concat();
        assert!(key(&format!("whsk_{}", BASE64.encode(&both))).is_ok());
        both[40] ^= 1;
        let mixed = key(&format!("whsk_{}", BASE64.encode(&both)));
        assert_eq!(mixed.unwrap_err(), InvalidKey::Ed25519);
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

    #[test]
    fn the_standard_body_keeps_every_digit() {
        let expected = concat!(
            r#"{"type":"payment.failed","timestamp":"2023-11-14T22:13:20.123Z","#,
            r#""data":{"n": 1.00000000000000000001, "n": 2}}"#
        );
        assert_eq!(text(Format::Standard), expected);
    }

    #[test]
    fn a_cloud_event_has_its_attributes() {
        let expected = concat!(
            r#"{"specversion":"1.0","id":"evt_1","source":"stripe","type":"payment.failed","#,
            r#""subject":"pi_1","time":"2023-11-14T22:13:20.123Z","#,
            r#""datacontenttype":"application/json","amount":"10.990","currency":"USD","#,
            r#""data":{"n": 1.00000000000000000001, "n": 2}}"#
        );
        assert_eq!(text(Format::CloudEvents), expected);
    }

    #[test]
    fn a_raw_body_is_the_provider_s_own() {
        let raw = |receipt: Option<&Request>| content(Format::Raw, &event(), receipt);

        let own = raw(Some(&receipt("text/xml; charset=utf-8")));
        assert_eq!(own.content_type, "text/xml; charset=utf-8");
        assert_eq!(own.body, receipt("").body);
        assert_eq!(raw(Some(&receipt("a\nb"))).content_type, "application/octet-stream");

        let emitted = raw(None);
        assert_eq!(emitted.content_type, "application/json");
        assert_eq!(emitted.body, event().data.as_str());
    }
}
