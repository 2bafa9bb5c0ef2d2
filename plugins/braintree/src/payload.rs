//! The form that Braintree posts: `bt_payload`, base64 of XML, and `bt_signature`, `key|digest` for
//! every pair of keys, joined by `&`.
//!
//! Never decodes a payload before it has the form that Braintree's libraries accept.

use hookgate_sdk::{Request, base64, form, hex};

use crate::challenge;

/// Bytes of HMAC-SHA1.
const DIGEST_BYTES: usize = 20;
/// Characters in a line of base64, as Braintree breaks it.
const LINE: usize = 60;

pub(crate) struct Payload {
    /// The payload as it was signed.
    pub(crate) text: String,
    signature: String,
}

impl Payload {
    /// Reads both fields, and refuses a payload that Braintree's libraries would refuse.
    pub(crate) fn of(request: &Request) -> Result<Self, String> {
        let fields = form::fields(&request.body).map_err(|error| error.to_string())?;
        let field = |name: &str| {
            let mut values = fields.iter().filter(|(known, _)| known == name);
            match (values.next(), values.next()) {
                (Some((_, value)), None) => Ok(value.clone()),
                _ => Err(format!("the form must have the field `{name}` exactly once")),
            }
        };
        let text = field("bt_payload")?;
        let signature = field("bt_signature")?;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"+=/\n".contains(&byte);
        if text.is_empty() || !text.bytes().all(known) {
            return Err("`bt_payload` is not base64".to_owned());
        }
        if challenge::is_one(text.trim_end_matches('\n')) {
            return Err("`bt_payload` looks like a challenge, whose digest anybody can get".into());
        }
        Ok(Self { text, signature })
    }

    /// The digest for the pair of keys with this public key.
    pub(crate) fn digest(&self, public_key: &str) -> Result<Vec<u8>, String> {
        let mut pairs = self.signature.split('&').filter_map(|pair| pair.split_once('|'));
        let (_, digest) = pairs
            .find(|(key, _)| *key == public_key)
            .ok_or_else(|| "`bt_signature` has no entry for the set `public_key`".to_owned())?;
        let digest = hex::decode_lower(digest).filter(|digest| digest.len() == DIGEST_BYTES);
        digest.ok_or_else(|| "`bt_signature` has no valid digest".to_owned())
    }

    /// The XML in the payload.
    pub(crate) fn decoded(&self) -> Result<Vec<u8>, String> {
        let decoded = base64::decode(&self.text.replace('\n', ""));
        decoded.ok_or_else(|| "`bt_payload` is not base64".to_owned())
    }
}

/// The form with this digest, or with zeros. The payload is that of the form in the body, or else
/// the body itself, which is XML.
pub(crate) fn sign(
    mut request: Request,
    public_key: &str,
    digests: &[Vec<u8>],
) -> Result<Request, String> {
    let digest = match digests {
        [] => hex::encode(&[0; DIGEST_BYTES]),
        [digest] => hex::encode(digest),
        _ => return Err("`bt_signature` carries only one digest for a pair of keys".to_owned()),
    };
    let fields = form::parse(&request.body);
    let payload = match form::value(&fields, "bt_payload") {
        Some(payload) => payload.to_owned(),
        None => in_lines(&base64::encode(&request.body)),
    };
    let signature = format!("{public_key}|{digest}");
    let fields = [("bt_signature", &signature), ("bt_payload", &payload)];
    request.body =
        fields.map(|(name, value)| format!("{name}={}", escaped(value))).join("&").into();
    request.set_header("content-type", "application/x-www-form-urlencoded");
    Ok(request)
}

fn in_lines(text: &str) -> String {
    let lines = text.as_bytes().chunks(LINE);
    lines.flat_map(|line| line.iter().chain(b"\n")).map(|&byte| char::from(byte)).collect()
}

fn escaped(value: &str) -> String {
    let escape = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    value.bytes().map(escape).collect()
}
