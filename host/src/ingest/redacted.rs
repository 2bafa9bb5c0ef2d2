//! What a source keeps of a request that it redacts, behind the proof: the request with pseudonyms,
//! and the ids of its events as such a request has them.
//!
//! The signature was verified over the bytes as they came. The plugin claims the ids of the
//! redacted body once more, so that an id that is made of the body tells nothing of what was in it,
//! and is the one that the parse gives. Fails closed: what can't be redacted is not stored.

use std::sync::Arc;

use axum::http::{HeaderMap, Method, Uri};
use bytes::Bytes;

use super::early::{self, Found};
use super::rejection::Rejection;
use super::source::Verify;
use super::{At, Ingest, headers_of, notes, path_of};
use crate::event::{Request, Timestamp};
use crate::plugin::{CallError, Kept};
use crate::proof::Unproven;
use crate::provider::Claims;
use crate::pseudonym::{Pseudonyms, Replaced, Unreadable};
use crate::secrets::Secret;

/// Longest body of a refused request that is redacted, in bytes: anybody can send one.
const REFUSED_BYTES_MAX: usize = 64 << 10;
/// Most values that are replaced in it: a digest of each takes a thousand times as long as to read
/// a byte.
const REFUSED_VALUES_MAX: usize = 1_000;
/// What is said of a refusal whose reason may quote what can't be redacted.
const REASON_HIDDEN: &str = "the gateway does not show the reason, because it can't redact it";

/// A request as it is stored.
pub(super) struct Redacted {
    pub(super) request: Arc<Request>,
    pub(super) event_ids: Vec<String>,
    /// What was found out of it, if that was quick.
    pub(super) found: Option<Found>,
}

/// A refused request as it is kept and logged.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) request: Request,
    pub(super) reason: String,
}

impl Ingest {
    /// Redacts a request that is proven and claims this.
    pub(super) async fn redact(
        self: &Arc<Self>,
        at: &At<'_>,
        pseudonyms: &Arc<Pseudonyms>,
        request: &Arc<Request>,
        claims: Claims,
    ) -> Result<Redacted, Rejection> {
        if claims.plain_body.is_some() && pseudonyms.reach_bodies() {
            return Err(Rejection::NotRedacted(Unreadable::Encrypted));
        }
        let replace = {
            let (pseudonyms, request) = (Arc::clone(pseudonyms), Arc::clone(request));
            move || pseudonyms.of(&request)
        };
        let replaced = self.host.in_turn(at.name, replace).await;
        let replaced = replaced.map_err(|error| at.refused(Unproven::Plugin(error)))?;
        let replaced = replaced.map_err(Rejection::NotRedacted)?;
        let stored = Arc::new(replaced.request.clone());
        let replaced = Arc::new(replaced);
        // A plugin may need the headers as they came to claim anything.
        let (url, headers) = (request.url.clone(), request.headers.clone());
        let claimed = Arc::new(Request { url, headers, ..Request::clone(&stored) });
        let again = {
            let (ingest, source, plugin) =
                (Arc::clone(self), at.name.clone(), Arc::clone(&at.plugin));
            let (stored, replaced, first) =
                (Arc::clone(&stored), Arc::clone(&replaced), claims.clone());
            let (may_parse, trace) = (at.source.verify == Verify::Evidence, at.trace);
            move |own: Claims, _: Option<Kept<'_>>| {
                let own = own.event_ids.into_iter();
                let event_ids = own.map(|id| replaced.in_text_of_kept_body(id)).collect();
                let claims = Claims { event_ids, ..first };
                let parse = || {
                    let early = &ingest.early;
                    let parsed = early.parse(&source, &plugin, &stored, &claims, None, trace);
                    parsed.map(|parsed| Found::Parsed(Box::new(parsed)))
                };
                let found = match may_parse {
                    true => early::found(&ingest.store, &source, &claims, parse),
                    false => None,
                };
                (claims.event_ids, found)
            }
        };
        let settings = &at.source.settings;
        let own = self.host.claims_and(&at.plugin, settings, at.name, &claimed, again).await;
        let (event_ids, found) = match own {
            Ok(Ok(own)) => own,
            // The same request ends so each time, and so the ids stay those of a duplicate.
            Ok(Err(_)) | Err(CallError::Violation(_) | CallError::Trap { .. }) => {
                (ids(&replaced, claims.event_ids), None)
            }
            Err(error) => return Err(at.refused(Unproven::Plugin(error))),
        };
        Ok(Redacted { request: stored, event_ids, found })
    }
}

/// The ids of a request as it came, without what was replaced in it.
fn ids(replaced: &Replaced, ids: Vec<String>) -> Vec<String> {
    ids.into_iter().map(|id| replaced.in_text(id)).collect()
}

/// What may be kept of a request that was refused, as far as it was read. Where its body is too
/// large or can't be redacted, none of it is.
pub(super) fn refused(
    pseudonyms: Option<&Pseudonyms>,
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
    whole: Option<&Request>,
    (rejection, secrets): (&Rejection, &[Secret]),
) -> Refused {
    let bare = || Request {
        method: method.as_str().to_owned(),
        url: path_of(uri).to_owned(),
        headers: headers_of(headers),
        body: Bytes::new(),
        received_at: Timestamp::default(),
    };
    let request = whole.cloned().unwrap_or_else(bare);
    let Some(pseudonyms) = pseudonyms else {
        return Refused { request, reason: notes::excerpt(rejection, secrets) };
    };
    let is_short = request.body.len() <= REFUSED_BYTES_MAX;
    let few = || pseudonyms.of_few(&request, REFUSED_VALUES_MAX);
    let replaced = is_short.then(few).flatten();
    let is_known = replaced.is_some();
    let replaced = replaced.unwrap_or_else(|| pseudonyms.of_bodyless(&request));
    // Only a plugin's words can quote the request.
    let quotes = match rejection {
        Rejection::Unproven(why, _) => matches!(why, Unproven::Claims(_) | Unproven::Plugin(_)),
        _ => false,
    };
    let reason = match is_known || !quotes {
        true => notes::excerpt(&replaced.in_text(rejection.to_string()), secrets),
        false => REASON_HIDDEN.to_owned(),
    };
    Refused { request: replaced.request, reason }
}
