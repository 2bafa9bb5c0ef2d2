//! The secret itself in a header: `Authorization: Bearer <token>`, `X-Callback-Token: <token>`.
//!
//! It proves nothing about the request: whoever has seen one request can send any other. Use it
//! only for providers that offer nothing better.

use crate::claims::{Evidence, Refusal};
use crate::request::Request;

/// A header that carries the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderToken<'a> {
    name: &'a str,
    prefix: &'a str,
}

impl<'a> HeaderToken<'a> {
    /// A token in the header of this name.
    pub const fn new(name: &'a str) -> Self {
        Self { name, prefix: "" }
    }

    /// With a text that must stand before the token: `Bearer `.
    #[must_use]
    pub const fn with_prefix(self, prefix: &'a str) -> Self {
        Self { prefix, ..self }
    }

    /// The evidence in the request. Refuses a header that is missing, repeated or empty, or lacks
    /// the prefix.
    pub fn evidence(&self, request: &Request) -> Result<Evidence, Refusal> {
        let name = self.name;
        let token = request
            .the_header(name)?
            .strip_prefix(self.prefix)
            .filter(|token| !token.is_empty())
            .ok_or_else(|| Refusal::new(format!("header `{name}` has no token")))?;
        Ok(Evidence::token(token))
    }

    /// The request with the token in its header. Without a token the header gets a text in its
    /// place, which [`evidence`](Self::evidence) can read.
    pub fn sign(&self, mut request: Request, digests: &[Vec<u8>]) -> Result<Request, String> {
        let token = match digests {
            [] => "token",
            [token] => {
                str::from_utf8(token).map_err(|error| format!("the token is not text: {error}"))?
            }
            _ => return Err(format!("header `{}` carries only one token", self.name)),
        };
        request.set_header(self.name, format!("{}{token}", self.prefix));
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
