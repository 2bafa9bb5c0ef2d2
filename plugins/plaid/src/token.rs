//! The JSON Web Token in `Plaid-Verification`.
//!
//! It must have the hash of the body. Never checks its algorithm or its signature: the gateway
//! does.

use std::borrow::Cow;

use hookgate_sdk::{Refusal, Request, SignedToken, Timestamp, hash, hex, time};

pub(crate) const HEADER: &str = "plaid-verification";

/// Longest id of a key.
const KEY_ID_BYTES_MAX: usize = 128;

/// The header of tokens that this plugin writes.
const OUR_HEADER: &str = r#"{"alg":"ES256","kid":"hookgate","typ":"JWT"}"#;

pub(crate) struct Token<'a> {
    pub(crate) signed: SignedToken<'a>,
    pub(crate) key_id: String,
    pub(crate) issued_at: Timestamp,
}

impl<'a> Token<'a> {
    /// Reads the token of a request. It must have the hash of the request's body.
    pub(crate) fn of(request: &'a Request) -> Result<Self, Refusal> {
        let wrong = |what: &str| Refusal::new(format!("header `{HEADER}` {what}"));
        let signed = SignedToken::read(request.the_header(HEADER)?)?;
        let key_id = signed
            .header()?
            .text("/kid")
            .filter(|id| is_key_id(id))
            .map(Cow::into_owned)
            .ok_or_else(|| wrong("has no valid key id"))?;
        let claimed = signed.payload()?;
        let issued_at = claimed
            .number("/iat")
            .and_then(time::from_unix)
            .ok_or_else(|| wrong("has no valid time"))?;
        let body = hex::encode(&hash::sha256(&request.body));
        if claimed.text("/request_body_sha256").as_deref() != Some(&body) {
            return Err(wrong("has the hash of another body"));
        }
        Ok(Self { signed, key_id, issued_at })
    }
}

fn is_key_id(id: &str) -> bool {
    (1..=KEY_ID_BYTES_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Writes a token for this body, with the signature or with zeros.
pub(crate) fn write(body: &[u8], seconds: u64, signatures: &[Vec<u8>]) -> Result<String, String> {
    let hash = hex::encode(&hash::sha256(body));
    let payload = format!(r#"{{"iat":{seconds},"request_body_sha256":"{hash}"}}"#);
    SignedToken::write(OUR_HEADER, &payload, signatures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str, payload: &str) -> Result<Timestamp, Refusal> {
        let mut request = Request::post("/in/plaid", "{}");
        request.set_header(HEADER, SignedToken::write(head, payload, &[]).unwrap());
        Token::of(&request).map(|token| token.issued_at)
    }

    const HEAD: &str = r#"{"alg":"ES256","kid":"one","typ":"JWT"}"#;
    const PAYLOAD: &str = concat!(
        r#"{"iat":1760000000,"request_body_sha256":"#,
        r#""44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}"#,
    );

    #[test]
    fn what_is_written_reads_back() {
        let mut request = Request::post("/in/plaid", "{}");
        request.set_header(HEADER, write(b"{}", 1_760_000_000, &[vec![7; 64]]).unwrap());
        let token = Token::of(&request).unwrap();
        assert_eq!((token.key_id.as_str(), token.issued_at), ("hookgate", 1_760_000_000_000));
        assert!(write(b"{}", 0, &[vec![], vec![]]).is_err());
    }

    #[test]
    fn nothing_but_a_named_key_and_this_body_is_read() {
        assert_eq!(read(HEAD, PAYLOAD), Ok(1_760_000_000_000));
        for head in [
            r#"{"alg":"ES256"}"#,
            r#"{"alg":"ES256","kid":""}"#,
            r#"{"alg":"ES256","kid":"a b"}"#,
            r#"{"alg":"ES256","kid":7}"#,
            "{",
        ] {
            assert!(read(head, PAYLOAD).is_err(), "{head}");
        }
        for payload in ["{}", r#"{"iat":1760000000}"#, &PAYLOAD.replace("4413", "4414")] {
            assert!(read(HEAD, payload).is_err(), "{payload}");
        }
        assert!(read(HEAD, &PAYLOAD.replace("1760000000", "-1")).is_err());
    }
}
