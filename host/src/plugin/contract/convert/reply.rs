//! The answer to an accepted request as a plugin gives it, held against the contract.
//!
//! It may be of any content type: only who proved a request gets it, and the gateway forbids
//! browsers to guess. Nothing is corrected here.

use super::super::bindings::hookgate::plugin::types;
use super::super::violation::{self, Violation, violation};
use crate::provider::Reply;

/// Largest body of an answer, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;
/// The statuses that HTTP allows no body.
const WITHOUT_BODY: [u16; 2] = [204, 205];

/// The answer in this field, `provider-info.reply` or `claims.reply`.
pub(super) fn reply(field: &'static str, reply: types::Reply) -> Result<Reply, Violation> {
    let types::Reply { status, content_type, body } = reply;
    if !(200..=299).contains(&status) {
        return Err(violation(field, format!("must have a status of 200 to 299, not {status}")));
    }
    if WITHOUT_BODY.contains(&status) && !body.is_empty() {
        return Err(violation(
            field,
            format!("has a body, which the status {status} does not allow"),
        ));
    }
    if body.len() > BODY_BYTES_MAX {
        let reason = format!("has a body of {} bytes; the limit is {BODY_BYTES_MAX}", body.len());
        return Err(violation(field, reason));
    }
    let content_type = match content_type.as_str() {
        "" if body.is_empty() => content_type,
        _ => violation::content_type(field, content_type)?,
    };
    Ok(Reply { status, content_type, body: body.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str, bytes: usize) -> Result<Reply, String> {
        let content_type = content_type.to_owned();
        let given = types::Reply { status, content_type, body: vec![b'x'; bytes] };
        reply("claims.reply", given).map_err(|violation| violation.to_string())
    }

    #[test]
    fn an_answer_is_bounded() {
        assert!(answer(200, "text/xml", BODY_BYTES_MAX).is_ok());
        for (status, content_type, bytes, reason) in [
            (302, "text/xml", 1, "must have a status of 200 to 299, not 302"),
            (200, "text/xml", BODY_BYTES_MAX + 1, "has a body of 65537 bytes; the limit is 65536"),
            (200, "text/xml\r\nx: y", 1, "has characters that a header can't have"),
            (200, "", 1, "has 0 bytes, not 1 to 255"),
        ] {
            let refused = answer(status, content_type, bytes).unwrap_err();
            assert_eq!(refused, format!("`claims.reply` {reason}"));
        }
    }

    #[test]
    fn an_empty_answer_needs_no_content_type() {
        for status in [200, 204] {
            assert_eq!(answer(status, "", 0).unwrap().content_type, "");
        }
        let refused = answer(204, "text/plain", 1).unwrap_err();
        assert!(refused.ends_with("has a body, which the status 204 does not allow"), "{refused}");
    }
}
