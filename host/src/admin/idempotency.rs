//! Writes that are done once, however often a client sends them: with an `Idempotency-Key`.
//!
//! The key and the request are in the store before the write begins, and the answer before the
//! client has it: so a client that lost an answer, also to a kill, gets the same again. Where
//! nobody knows whether a write was done, it is not done again. Never keeps a secret: what makes
//! one has no such key.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tracing::error;

use super::Admin;
use super::access::Caller;
use super::operation::{Operation, Parameter, Place};
use super::problem::{self, Kind, Problem};
use super::schema::Schemas;
use crate::causes;
use crate::lock::lock;
use crate::store::{KeptAnswer, Once, OnceKey};

const HEADER: &str = "idempotency-key";
/// In an answer that was given before.
const REPLAYED: &str = "idempotency-replayed";
/// Longest key, in characters.
const KEY_CHARS_MAX: usize = 255;
/// The largest answer that is kept, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// The parameter of an operation that takes a key.
pub(super) const KEY: Parameter = Parameter::header(
    "Idempotency-Key",
    "A text of the client's own, such as a UUID. The same request with the same key is done once \
     within 24 hours, and gets the same answer again.",
    key_schema,
);

fn key_schema(_: &mut Schemas) -> Value {
    json!({ "type": "string", "pattern": "^[!-~]+$", "minLength": 1, "maxLength": KEY_CHARS_MAX })
}

/// The keys of the writes that are under way.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Mutex<BTreeSet<OnceKey>>);

/// The key of a request, if it has one.
pub(super) fn key(
    operation: &Operation,
    caller: Option<&Caller>,
    headers: &HeaderMap,
) -> Result<Option<OnceKey>, Problem> {
    let mut sent = headers.get_all(HEADER).iter();
    let Some(value) = sent.next() else { return Ok(None) };
    let wrong = |detail: &str| {
        Problem::new(Kind::InvalidParameter, detail).with("parameter", "Idempotency-Key")
    };
    let is_taken = |it: &Parameter| it.place == Place::Header && it.name == KEY.name;
    if !operation.parameters.iter().any(is_taken) {
        let why = "this path takes no `Idempotency-Key`: the gateway keeps no secret and no file";
        return Err(wrong(why));
    }
    let key = value.to_str().unwrap_or_default();
    let is_good =
        (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_good || sent.next().is_some() {
        return Err(wrong("`Idempotency-Key` must be one text of 1 to 255 visible characters"));
    }
    let owner = caller.map(|caller| caller.owner.as_slice()).unwrap_or_default();
    Ok(Some(OnceKey::of(owner, key)))
}

/// What becomes of a request that is to change something.
pub(super) enum Begun {
    /// It is done now, and what it came to has to be kept if there is a turn.
    Now(Box<Request>, Option<Turn>),
    /// It is answered already.
    Answered(Response),
}

/// A write that is done once, on its way. Dropped without an answer, nobody knows what became of
/// it.
pub(super) struct Turn {
    admin: Arc<Admin>,
    key: OnceKey,
    request: [u8; 32],
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.admin.under_way.0).remove(&self.key);
    }
}

/// Begins a write, if it was not begun under this key before.
pub(super) async fn begin(admin: &Arc<Admin>, key: Option<OnceKey>, request: Request) -> Begun {
    let Some(key) = key else { return Begun::Now(Box::new(request), None) };
    match begin_once(admin, key, request).await {
        Ok(begun) => begun,
        Err(problem) => Begun::Answered(problem.into_response()),
    }
}

async fn begin_once(admin: &Arc<Admin>, key: OnceKey, request: Request) -> Result<Begun, Problem> {
    let (head, body) = request.into_parts();
    let body = admin.turns.read(body).await?;
    let url = head.uri.path_and_query().map_or("/", |url| url.as_str());
    let hash = hash(&[head.method.as_str().as_bytes(), url.as_bytes(), &body]);
    if !lock(&admin.under_way.0).insert(key) {
        let detail = "the first request with this `Idempotency-Key` is not answered yet";
        return Err(Problem::new(Kind::InProgress, detail));
    }
    let turn = Turn { admin: Arc::clone(admin), key, request: hash };
    match admin.store.begin_once(key, hash).await? {
        Once::First => {
            let request = Request::from_parts(head, Body::from(body));
            Ok(Begun::Now(Box::new(request), Some(turn)))
        }
        Once::Answered(answer) => Ok(Begun::Answered(again(answer))),
        Once::Other => {
            let detail = "another request has this `Idempotency-Key`: give each request its own";
            Err(Problem::new(Kind::KeyReused, detail))
        }
        Once::Unfinished => {
            let detail = "the gateway began the request with this `Idempotency-Key`, and does not \
                          know whether it was done: find out, and use another key";
            Err(Problem::new(Kind::OutcomeUnknown, detail))
        }
    }
}

/// Tells a request from others.
fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// An answer that was given before.
fn again(answer: KeptAnswer) -> Response {
    let KeptAnswer { status, content_type, body } = answer;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, Body::from(body)).into_response();
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(&content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// What a status says of the write that it answers.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It is answered so for good.
    Known,
    /// It was not done, and may be later.
    NotDone,
    /// Something failed on the way.
    Unknown,
}

fn outcome(status: StatusCode) -> Outcome {
    match status.as_u16() {
        408 | 413 | 415 | 429 | 503 => Outcome::NotDone,
        500.. => Outcome::Unknown,
        _ => Outcome::Known,
    }
}

impl Turn {
    /// Keeps the answer to the write, and gives it.
    pub(super) async fn end(self, answer: Response) -> Response {
        let kept = match outcome(answer.status()) {
            Outcome::Unknown => return answer,
            Outcome::NotDone => None,
            Outcome::Known => Some(answer.status()),
        };
        let (head, body) = answer.into_parts();
        let Ok(body) = to_bytes(body, usize::MAX).await else {
            let detail = "the gateway failed to prepare the answer";
            return Problem::new(Kind::Internal, detail).into_response();
        };
        let kept = kept.map(|status| kept_answer(status, &head.headers, &body));
        if let Err(error) = self.admin.store.end_once(self.key, self.request, kept).await {
            let why = causes::chain(&error);
            error!("failed to keep the answer to a request with an idempotency key: {why}");
        }
        Response::from_parts(head, Body::from(body))
    }
}

/// What is given again: one that is too large is no reason to do the write a second time.
fn kept_answer(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> KeptAnswer {
    if body.len() > ANSWER_BYTES_MAX {
        let status = status.as_u16();
        let detail = format!(
            "the gateway has answered the request with this `Idempotency-Key`, with status \
             {status}, and kept no answer of more than 256 KiB: it does not do it again"
        );
        let problem = Problem::new(Kind::AnswerNotKept, detail).with("answered", status);
        return KeptAnswer {
            status: Kind::AnswerNotKept.status(),
            content_type: problem::CONTENT_TYPE.to_owned(),
            body: problem.body().to_string().into(),
        };
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    KeptAnswer {
        status: status.as_u16(),
        content_type: content_type.unwrap_or_default().to_owned(),
        body: body.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_done_is_done_again() {
        let of = |status: u16| outcome(StatusCode::from_u16(status).unwrap());
        for known in [200, 202, 400, 404, 409, 422] {
            assert_eq!(of(known), Outcome::Known, "{known}");
        }
        for not_done in [408, 413, 415, 429, 503] {
            assert_eq!(of(not_done), Outcome::NotDone, "{not_done}");
        }
        assert_eq!(of(500), Outcome::Unknown);
    }

    #[test]
    fn what_has_an_answer_that_is_too_large_to_keep_is_done_all_the_same() {
        let kept = |bytes: usize| {
            let body = Bytes::from(vec![b'x'; bytes]);
            kept_answer(StatusCode::ACCEPTED, &HeaderMap::new(), &body)
        };
        let whole = kept(ANSWER_BYTES_MAX);
        assert_eq!((whole.status, whole.body.len()), (202, ANSWER_BYTES_MAX));
        let short = kept(ANSWER_BYTES_MAX + 1);
        assert_eq!((short.status, &*short.content_type), (409, problem::CONTENT_TYPE));
        let said: Value = serde_json::from_slice(&short.body).unwrap();
        assert_eq!(said["type"], Kind::AnswerNotKept.place());
        assert_eq!(said["answered"], 202);
        assert!(short.body.len() < 1024, "{said}");
    }

    #[test]
    fn a_request_is_told_from_one_whose_parts_end_elsewhere() {
        assert_eq!(hash(&[b"POST", b"/a"]), hash(&[b"POST", b"/a"]));
        assert_ne!(hash(&[b"POST", b"/a"]), hash(&[b"POST/", b"a"]));
    }
}
