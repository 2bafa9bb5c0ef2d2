//! The JSON Web Token in `Plaid-Verification`.
//!
//! It must have three parts, the algorithm ES256 and the hash of the body. The signed text is the
//! first two parts as they are written, never written again.

use hookgate_sdk::{Json, Refusal, Request, Timestamp, base64, hash, hex, time};

pub(crate) const HEADER: &str = "plaid-verification";

/// r and s of P-256.
const SIGNATURE_BYTES: usize = 64;
/// Longest id of a key.
const KEY_ID_BYTES_MAX: usize = 128;
/// The key id in tokens that this plugin writes.
const OUR_KEY_ID: &str = "hookgate";

pub(crate) struct Token {
    /// The first two parts, which the signature covers.
    pub(crate) signed: String,
    pub(crate) signature: Vec<u8>,
    pub(crate) key_id: String,
    pub(crate) issued_at: Timestamp,
}

impl Token {
    /// Reads the token of a request. It must have the hash of the request's body.
    pub(crate) fn of(request: &Request) -> Result<Self, Refusal> {
        let text = request.the_header(HEADER)?;
        let wrong = |what: &str| Refusal::new(format!("header `{HEADER}` {what}"));
        let mut parts = text.split('.');
        let (Some(head), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("is not a token of three parts"));
        };
        let not_base64 = || wrong("is not base64");
        let head_bytes = base64::decode_url(head).ok_or_else(not_base64)?;
        let payload_bytes = base64::decode_url(payload).ok_or_else(not_base64)?;
        let no_json = |_| wrong("does not hold JSON");
        let said = Json::parse(&head_bytes).map_err(no_json)?;
        let claimed = Json::parse(&payload_bytes).map_err(no_json)?;
        if said.text("/alg").as_deref() != Some("ES256") {
            return Err(wrong("has another algorithm than ES256"));
        }
        let key_id = said
            .text("/kid")
            .filter(|id| is_key_id(id))
            .ok_or_else(|| wrong("has no valid key id"))?
            .into_owned();
        let issued_at = claimed
            .number("/iat")
            .and_then(time::from_unix)
            .ok_or_else(|| wrong("has no valid time"))?;
        let body = hex::encode(&hash::sha256(&request.body));
        if claimed.text("/request_body_sha256").as_deref() != Some(&body) {
            return Err(wrong("has the hash of another body"));
        }
        let signature = base64::decode_url(signature)
            .filter(|bytes| bytes.len() == SIGNATURE_BYTES)
            .ok_or_else(|| wrong("has no signature of 64 bytes"))?;
        Ok(Self { signed: format!("{head}.{payload}"), signature, key_id, issued_at })
    }
}

fn is_key_id(id: &str) -> bool {
    (1..=KEY_ID_BYTES_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Writes a token for this body, with the signature or with zeros.
pub(crate) fn write(body: &[u8], seconds: u64, signatures: &[Vec<u8>]) -> Result<String, String> {
    let signature = match signatures {
        [] => vec![0; SIGNATURE_BYTES],
        [signature] => signature.clone(),
        _ => return Err(format!("header `{HEADER}` carries only one signature")),
    };
    let head = format!(r#"{{"alg":"ES256","kid":"{OUR_KEY_ID}","typ":"JWT"}}"#);
    let hash = hex::encode(&hash::sha256(body));
    let payload = format!(r#"{{"iat":{seconds},"request_body_sha256":"{hash}"}}"#);
    let parts = [head.into_bytes(), payload.into_bytes(), signature];
    Ok(parts.map(|part| base64::encode_url(&part)).join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(head: &str, payload: &str) -> Request {
        let mut request = Request::post("/in/plaid", "{}");
        let parts = [head.as_bytes(), payload.as_bytes(), &[7; 64]].map(base64::encode_url);
        request.set_header(HEADER, parts.join("."));
        request
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
        assert_eq!(token.signature, [7; 64]);
        assert!(write(b"{}", 0, &[vec![], vec![]]).is_err());
    }

    #[test]
    fn nothing_but_es256_over_this_body_is_read() {
        assert!(Token::of(&request(HEAD, PAYLOAD)).is_ok());
        for head in [
            r#"{"alg":"none","kid":"one"}"#,
            r#"{"alg":"HS256","kid":"one"}"#,
            r#"{"alg":"es256","kid":"one"}"#,
            r#"{"kid":"one"}"#,
            r#"{"alg":"ES256"}"#,
            r#"{"alg":"ES256","kid":""}"#,
            r#"{"alg":"ES256","kid":"a b"}"#,
            r#"{"alg":"ES256","kid":7}"#,
            "{",
        ] {
            assert!(Token::of(&request(head, PAYLOAD)).is_err(), "{head}");
        }
        for payload in ["{}", r#"{"iat":1760000000}"#, &PAYLOAD.replace("4413", "4414")] {
            assert!(Token::of(&request(HEAD, payload)).is_err(), "{payload}");
        }
        assert!(Token::of(&request(HEAD, &PAYLOAD.replace("1760000000", "-1"))).is_err());
    }

    #[test]
    fn a_token_has_three_parts() {
        for text in ["", ".", "..", "a.b.c.d", "e30.e30.", "e30.e30.AA=="] {
            let mut request = Request::post("/in/plaid", "{}");
            request.set_header(HEADER, text);
            assert!(Token::of(&request).is_err(), "{text}");
        }
    }
}
