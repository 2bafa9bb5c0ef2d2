//! The requests that a source has refused last, with what may be wrong with them.
//!
//! Credentials are hidden by their names, and of a body the beginning is shown. Never says what a
//! source is proven by.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::path::{SOURCE_NAME, Segment};
use super::problem::Kind;
use super::redact;
use super::schema::{Described, Schemas};
use super::{Admin, Problem};
use crate::event::Timestamp;
use crate::headers::Headers;
use crate::ids::Name;
use crate::refused::{RefusedRequest, SHOWN_BYTES_MAX};
use crate::secrets::Redaction;
use crate::token::Scope;

pub(super) static OPERATIONS: [Operation; 1] = [Operation {
    verb: Verb::Get,
    path: "/v1/sources/{name}/refused",
    id: "listRefused",
    summary: "Lists the requests that a source has refused last, newest first: at most 100, since \
              the gateway started.",
    need: Need::Scope(Scope::Read),
    tenants: Tenants::Operator,
    turn: Turn::Shared,
    parameters: &[SOURCE_NAME],
    body: None,
    answers: &[Answer::ok("The refused requests.", Schemas::of::<RefusedList>)],
    problems: &[Kind::InvalidId, Kind::NotFound],
    handler: || get(refused),
}];

/// Says whether there is a source of this name.
#[derive(Clone)]
pub(crate) struct KnownSources(pub(crate) Arc<dyn Fn(&Name) -> bool + Send + Sync>);

impl std::fmt::Debug for KnownSources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KnownSources(..)")
    }
}

/// The requests that a source has refused last.
#[derive(Serialize)]
struct RefusedList {
    items: Vec<RefusedRow>,
}

object! {
    /// The requests that a source has refused last.
    RefusedList {
        /// Newest first.
        items: Vec<RefusedRow>,
    }
}

/// A request that was refused.
#[derive(Serialize)]
struct RefusedRow {
    at: Timestamp,
    peer: IpAddr,
    status: u16,
    reason: String,
    method: String,
    url: String,
    headers: Headers,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    body_bytes: Option<usize>,
}

object! {
    /// A request that a source refused.
    RefusedRow {
        /// When it came.
        at: Timestamp,
        /// The address that it came from.
        peer: IpAddr,
        /// The status that it was answered with.
        status: u16,
        /// Why it was refused.
        reason: String,
        method: String,
        /// Path and query, without credentials.
        url: String,
        /// In the order of arrival, without credentials.
        headers: Headers,
        /// The first 4 KiB of the body, if they are UTF-8.
        [maybe] body: Option<String>,
        /// The first 4 KiB of the body in base64, if they are not.
        [maybe] body_base64: Option<String>,
        /// The size of the whole body; null if the gateway did not read it to its end.
        body_bytes: Option<usize>,
    }
}

impl Described for IpAddr {
    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "description": "An IP address." })
    }
}

async fn refused(
    State(admin): State<Arc<Admin>>,
    segment: Segment,
) -> Result<Json<RefusedList>, Problem> {
    let name = segment.name()?;
    if !(admin.sources.0)(&name) {
        let detail = format!("the configuration has no source `{name}`");
        return Err(Problem::new(Kind::NotFound, detail));
    }
    let (requests, redaction) = (admin.refused.of(&name), admin.redaction.clone());
    // A secret that is cut off is known to nobody: first those are hidden.
    let shown = move || -> Vec<RefusedRow> {
        requests.iter().map(|request| row(request, &redaction)).collect()
    };
    let items = tokio::task::spawn_blocking(shown).await;
    let failed = |_| Problem::new(Kind::Internal, "the gateway failed to prepare the answer");
    Ok(Json(RefusedList { items: items.map_err(failed)? }))
}

/// A request as it is shown.
fn row(request: &RefusedRequest, redaction: &Redaction) -> RefusedRow {
    let (body, body_base64) = match text_of(&request.body) {
        Some("") => (None, None),
        Some(text) => {
            let shown = redaction.of_text(text);
            (Some(begin(shown.as_deref().unwrap_or(text)).to_owned()), None)
        }
        None => {
            let text = STANDARD.encode(&request.body);
            let shown = redaction.of_text(&text).unwrap_or(text);
            let begin = match STANDARD.decode(&shown) {
                Ok(body) => STANDARD.encode(&body[..body.len().min(SHOWN_BYTES_MAX)]),
                // Nothing of it may be shown.
                Err(_) => shown,
            };
            (None, Some(begin))
        }
    };
    RefusedRow {
        at: request.at,
        peer: request.peer,
        status: request.status,
        reason: request.reason.clone(),
        method: request.method.clone(),
        url: redact::url(&request.url),
        headers: redact::headers(&request.headers),
        body,
        body_base64,
        body_bytes: request.body_bytes,
    }
}

/// What is kept of a body, if it is text: its end may have cut a character.
fn text_of(body: &[u8]) -> Option<&str> {
    match std::str::from_utf8(body) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&body[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// What is shown of a text.
fn begin(text: &str) -> &str {
    &text[..text.floor_char_boundary(SHOWN_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::refused::BODY_BYTES_MAX;
    use crate::secrets::{HIDDEN, Secret};

    fn request(body: &[u8]) -> RefusedRequest {
        RefusedRequest {
            at: Timestamp(0),
            peer: IpAddr::from([192, 0, 2, 1]),
            status: 401,
            reason: "no secret matches".to_owned(),
            method: "POST".to_owned(),
            url: "/in/acme?token=abc&page=1".to_owned(),
            headers: [("authorization", "Basic abc"), ("x-signature", "v1=0")]
                .into_iter()
                .collect(),
            body: Bytes::copy_from_slice(body),
            body_bytes: Some(body.len()),
        }
    }

    #[test]
    fn what_is_a_credential_or_a_secret_is_hidden_also_where_the_body_is_cut() {
        let redaction = Redaction::default();
        let secret = "a secret of this source that is long";
        redaction.learn([&Secret::new(secret).unwrap()]);
        let mut body = "x".repeat(SHOWN_BYTES_MAX - 10) + secret;
        body += &"y".repeat(BODY_BYTES_MAX - body.len());

        let shown = row(&request(body.as_bytes()), &redaction);

        assert_eq!(shown.url, format!("/in/acme?token={HIDDEN}&page=1"));
        let headers: Vec<_> = shown.headers.iter().collect();
        assert_eq!(headers, [("authorization", HIDDEN), ("x-signature", "v1=0")]);
        let text = shown.body.unwrap();
        assert_eq!(text.len(), SHOWN_BYTES_MAX);
        assert!(text.ends_with(&format!("x{HIDDEN}yy")), "{}", &text[SHOWN_BYTES_MAX - 20..]);
    }

    /// A sender may have put an operator's token into its configuration.
    #[test]
    fn a_token_is_hidden_though_the_gateway_does_not_know_it_also_in_a_body_that_is_no_text() {
        let (redaction, token) = (Redaction::default(), format!("hgt_{}", "k".repeat(43)));
        let text = row(&request(format!("a {token}").as_bytes()), &redaction);
        assert_eq!(text.body, Some(format!("a {HIDDEN}")));

        let cut = [&[0xff][..], &b"x".repeat(SHOWN_BYTES_MAX - 21), token.as_bytes()].concat();
        let shown = row(&request(&cut), &redaction).body_base64.unwrap();
        let shown = STANDARD.decode(shown).unwrap();
        assert_eq!(shown.len(), SHOWN_BYTES_MAX);
        assert!(shown.ends_with(&[&b"x"[..], &b"*".repeat(20)].concat()));
    }

    #[test]
    fn a_body_is_text_also_where_its_end_cuts_a_character_and_else_base64() {
        let redaction = Redaction::default();
        let cut = row(&request(&"é".as_bytes()[..1]), &redaction);
        assert_eq!((cut.body, cut.body_base64), (None, None));
        let text = row(&request("aé".as_bytes()), &redaction);
        assert_eq!((text.body.as_deref(), text.body_base64), (Some("aé"), None));
        let binary = row(&request(&[0xff, 0]), &redaction);
        assert_eq!((binary.body, binary.body_base64.as_deref()), (None, Some("/wA=")));
    }
}
