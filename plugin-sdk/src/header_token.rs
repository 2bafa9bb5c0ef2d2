//! The secret itself in a header: `Authorization: Bearer <token>`, `X-Callback-Token: <token>`, or
//! a user and a password as `Authorization: Basic <base64>`.
//!
//! It proves nothing about the request: whoever has seen one request can send any other. Use it
//! only for providers that offer nothing better.

use crate::base64;
use crate::claims::{Evidence, Refusal};
use crate::request::Request;

/// A header that carries the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderToken<'a> {
    name: &'a str,
    prefix: &'a str,
    is_encoded: bool,
}

impl<'a> HeaderToken<'a> {
    /// A token in the header of this name.
    pub const fn new(name: &'a str) -> Self {
        Self { name, prefix: "", is_encoded: false }
    }

    /// A user and a password in `Authorization`, as HTTP's own scheme writes them. The secret is
    /// `user:password`.
    pub const fn basic() -> Self {
        Self { name: "authorization", prefix: "Basic ", is_encoded: true }
    }

    /// With a text that must stand before the token: `Bearer `.
    #[must_use]
    pub const fn with_prefix(self, prefix: &'a str) -> Self {
        Self { prefix, ..self }
    }

    /// The evidence in the request. Refuses a header that is missing, repeated or empty, or lacks
    /// the prefix. The name of HTTP's own scheme may be in any case.
    pub fn evidence(&self, request: &Request) -> Result<Evidence, Refusal> {
        let name = self.name;
        let written = request.the_header(name)?;
        let token = if self.is_encoded { self.decoded(written) } else { self.plain(written) };
        let token = token
            .filter(|token| !token.is_empty())
            .ok_or_else(|| Refusal::new(format!("header `{name}` has no token")))?;
        Ok(Evidence::token(token))
    }

    fn plain(&self, written: &str) -> Option<String> {
        written.strip_prefix(self.prefix).map(ToOwned::to_owned)
    }

    /// A password may have any character, a colon too.
    fn decoded(&self, written: &str) -> Option<String> {
        let (scheme, rest) = written.split_at_checked(self.prefix.len())?;
        let encoded = scheme.eq_ignore_ascii_case(self.prefix).then_some(rest)?;
        let text = String::from_utf8(base64::decode(encoded)?).ok()?;
        text.contains(':').then_some(text)
    }

    /// The request with the token in its header. Without a token the header gets a text in its
    /// place, which [`evidence`](Self::evidence) can read.
    pub fn sign(&self, mut request: Request, digests: &[Vec<u8>]) -> Result<Request, String> {
        let token = match digests {
            [] if self.is_encoded => "user:password",
            [] => "token",
            [token] => {
                str::from_utf8(token).map_err(|error| format!("the token is not text: {error}"))?
            }
            _ => return Err(format!("header `{}` carries only one token", self.name)),
        };
        let encoded = self.is_encoded.then(|| base64::encode(token.as_bytes()));
        let written = encoded.as_deref().unwrap_or(token);
        request.set_header(self.name, format!("{}{written}", self.prefix));
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: HeaderToken = HeaderToken::new("authorization").with_prefix("Bearer ");

    #[test]
    fn a_token_is_found_behind_its_prefix() {
        let signed = TOKEN.sign(Request::post("/", ""), &[b"s3cret".to_vec()]).unwrap();
        assert_eq!(signed.header("Authorization"), Some("Bearer s3cret"));
        assert_eq!(TOKEN.evidence(&signed).unwrap(), Evidence::token("s3cret"));
        let blank = TOKEN.sign(Request::post("/", ""), &[]).unwrap();
        assert!(TOKEN.evidence(&blank).is_ok());
    }

    #[test]
    fn a_user_and_a_password_are_one_secret() {
        const BASIC: HeaderToken = HeaderToken::basic();
        let signed = BASIC.sign(Request::post("/", ""), &[b"user:pa:ss".to_vec()]).unwrap();
        assert_eq!(signed.header("authorization"), Some("Basic dXNlcjpwYTpzcw=="));
        assert_eq!(BASIC.evidence(&signed).unwrap(), Evidence::token("user:pa:ss"));
        assert!(BASIC.evidence(&BASIC.sign(Request::post("/", ""), &[]).unwrap()).is_ok());
        let mut request = signed;
        request.set_header("authorization", "bASIC dXNlcjpwYTpzcw==");
        assert!(BASIC.evidence(&request).is_ok());
        // The last two decode to `user`, which has no password, and to no text.
        for value in
            ["Basic ", "Basic %", "Basicd", "Bas", "Bearer dTpw", "Basic dXNlcg==", "Basic //8="]
        {
            request.set_header("authorization", value);
            assert!(BASIC.evidence(&request).is_err(), "{value}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let mut request = Request::post("/", "");
        assert!(TOKEN.evidence(&request).is_err());
        for value in ["", "Bearer ", "s3cret", "bearer s3cret"] {
            request.set_header("authorization", value);
            assert!(TOKEN.evidence(&request).is_err(), "{value}");
        }
        assert!(TOKEN.sign(request, &[vec![255]]).is_err());
    }
}
