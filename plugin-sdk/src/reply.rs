//! Replies to accepted requests, and the limits of all answers.
//!
//! Most providers read the status alone. If a provider reads the body, its plugin sets it here. An
//! answer beyond the gateway's limits never leaves the plugin: the request is refused, because the
//! gateway would count the answer as a violation of the contract.

use crate::claims::{Claims, Handshake, Refusal};
use crate::limits;
use crate::request::Reply;

impl Reply {
    /// Answers 200 with a body of this content type.
    pub fn new(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, content_type: content_type.to_owned(), body: body.into() }
    }

    /// Answers 200 with JSON. Put texts into it with [`crate::json::quoted`].
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new("application/json", body)
    }

    /// Answers 200 with an empty body.
    pub fn empty() -> Self {
        Self::new("", "")
    }

    /// Answers 204 without a body.
    pub fn no_content() -> Self {
        Self { status: 204, ..Self::empty() }
    }
}

/// Refuses a request whose answer is beyond the gateway's limits: the sender may have chosen its
/// text.
pub(crate) fn answerable(claims: Claims) -> Result<Claims, Refusal> {
    let fits = |reply: &Reply| reply.body.len() <= limits::REPLY_BYTES_MAX;
    if claims.handshake.as_ref().is_none_or(Handshake::fits)
        && claims.reply.as_ref().is_none_or(fits)
    {
        Ok(claims)
    } else {
        Err(Refusal::new("the answer to it would be outside the gateway's limits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Evidence;

    #[test]
    fn an_answer_that_the_gateway_does_not_give_is_a_refusal() {
        let claims = || Claims::new(Evidence::token("t"), None::<String>);
        let asking = |bytes| Handshake::text(["a".repeat(bytes).into()]);
        for (bytes, fits) in [(4 << 10, true), ((4 << 10) + 1, false)] {
            let claims = Claims { handshake: Some(asking(bytes)), ..claims() };
            assert_eq!(answerable(claims).is_ok(), fits, "{bytes}");
        }
        for (bytes, fits) in [(64 << 10, true), ((64 << 10) + 1, false)] {
            let claims = claims().with_reply(Reply::json(vec![b' '; bytes]));
            assert_eq!(answerable(claims).is_ok(), fits, "{bytes}");
        }
    }
}
