//! Braintree's validation challenge: `GET ?bt_challenge=<hex>`.
//!
//! The answer is a digest with the same key that signs payloads, and the challenge itself is not
//! signed. So a challenge must have its alphabet and length, and no payload may look like one (see
//! [`is_one`]).

use hookgate_sdk::{AnswerPiece, Claims, Handshake, Hash, KeyEncoding, Refusal, Request, form};

/// The lengths that Braintree's own libraries accept.
const LENGTHS: std::ops::RangeInclusive<usize> = 20..=32;

/// Whether a text may be a challenge.
pub(crate) fn is_one(text: &str) -> bool {
    LENGTHS.contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Claims with the answer to the challenge.
pub(crate) fn answered(request: &Request, public_key: &str) -> Result<Claims, Refusal> {
    let (_, query) = request.url.split_once('?').unwrap_or_default();
    let query = form::parse(query.as_bytes());
    let challenge = form::value(&query, "bt_challenge")
        .filter(|text| is_one(text))
        .ok_or_else(|| Refusal::new("the GET has no valid `bt_challenge`"))?;
    let digest = AnswerPiece::hex_hmac(Hash::Sha1, KeyEncoding::Sha1, challenge);
    Ok(Claims::asking(Handshake::text([format!("{public_key}|").into(), digest])))
}
