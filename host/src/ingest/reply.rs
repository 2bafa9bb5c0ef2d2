//! What the sender of an accepted request is answered: what the plugin says of this request, else
//! what it says of all, else the id of the receipt.
//!
//! A digest is made only for a request that was proven: for any other it would be one that anybody
//! can have. Made before the receipt is stored: where it can't be made, nothing is stored.

use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::rejection::Rejection;
use super::{Source, Verify, handshake};
use crate::event::Request;
use crate::provider::{Answer, Claims, ProviderInfo};
use crate::signature::{self, Asker};
use crate::store::Appended;

/// Tells a sender that its event is known already.
const DUPLICATE: &str = "hookgate-duplicate";

/// The plugin's answer to a request that is to be stored, if it has one, and its body.
pub(super) fn of(
    source: &Source,
    info: &ProviderInfo,
    claims: &Claims,
    request: &Request,
) -> Result<Option<(Answer, Bytes)>, Rejection> {
    let asker = match source.verify {
        Verify::Evidence => Asker::Proven,
        Verify::None => Asker::Posting,
    };
    let may_be_sent = |reply: &&Answer| asker == Asker::Proven || !reply.has_digest();
    let own = claims.reply.as_ref().filter(may_be_sent);
    let Some(reply) = own.or(info.reply.as_ref()) else { return Ok(None) };
    let body = signature::answer(reply, claims, &source.secrets, &request.body, asker)
        .map_err(|error| Rejection::Evidence(error, info.refusal_status))?;
    Ok(Some((reply.clone(), body)))
}

/// The answer once the request is stored.
pub(super) fn response(reply: Option<(Answer, Bytes)>, appended: Appended) -> Response {
    let (id, duplicate) = match appended {
        Appended::Stored(id) => (id, false),
        Appended::Duplicate(id) => (id, true),
    };
    let mut response = match reply {
        None => axum::Json(serde_json::json!({ "id": id })).into_response(),
        Some((reply, body)) => handshake::response(&reply, body),
    };
    if duplicate {
        let known = HeaderValue::from_static("true");
        response.headers_mut().insert(DUPLICATE, known);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::super::Shares;
    use super::*;
    use crate::event::Timestamp;
    use crate::headers::Headers;
    use crate::provider::{
        ClockRule, Digest, DigestText, Hash, KeyEncoding, Piece, Value, ValuePart,
    };
    use crate::secrets::Secret;

    fn answer(body: Vec<Piece>) -> Answer {
        let content_type = "text/plain".to_owned();
        Answer { status: 200, content_type, headers: Headers::default(), body }
    }

    fn text(text: &str) -> Piece {
        Piece::Bytes(text.as_bytes().to_vec())
    }

    /// Of a provider that answers all requests alike, unless its claims say something else.
    fn info() -> ProviderInfo {
        ProviderInfo {
            name: "any".into(),
            version: "1".into(),
            scheme: "any".into(),
            types: Vec::new(),
            proofs: Vec::new(),
            clock: ClockRule::Past,
            tolerance: None,
            reply: Some(answer(vec![text("of all")])),
            refusal_status: 401,
            methods: Vec::new(),
            handshakes: Vec::new(),
            key_places: Vec::new(),
            roots: Vec::new(),
            settings: Vec::new(),
        }
    }

    fn answered(verify: Verify, reply: Option<Answer>) -> Bytes {
        let shares = Shares { requests: 1, held_bytes: 1 };
        let secrets = vec![Secret::new("key").unwrap()];
        let plugin = "any".parse().unwrap();
        let source = Source::new(plugin, secrets, None, verify, "{}".into(), shares);
        let key = Some(KeyEncoding::Text.into());
        let digest = Digest { hash: Hash::Sha256, key, message: vec![Piece::Body] };
        let claims = Claims { values: vec![Value::Digest(digest)], reply, ..Claims::default() };
        let request = Request {
            method: "POST".to_owned(),
            url: "/in/any".to_owned(),
            headers: Headers::default(),
            body: "{}".into(),
            received_at: Timestamp::default(),
        };
        of(&source, &info(), &claims, &request).unwrap().unwrap().1
    }

    #[test]
    fn who_proved_nothing_gets_no_digest_and_is_accepted_all_the_same() {
        let part = ValuePart { index: 0, written: DigestText::Hex, start: 0, end: None };
        let digest = || Some(answer(vec![Piece::Value(part)]));
        assert_eq!(answered(Verify::Evidence, digest()).len(), 64);
        assert_eq!(answered(Verify::None, digest()), "of all");
        let own = || Some(answer(vec![text("its own")]));
        assert_eq!(answered(Verify::None, own()), "its own");
        assert_eq!(answered(Verify::None, None), "of all");
    }
}
