//! What is kept of a request that was rejected, so that an operator can see what its sender sent.
//!
//! Of those that the gateway can't accept now for being busy nothing is kept: their senders come
//! again. Never keeps a request of a source that there is not.

use std::net::IpAddr;

use axum::http::{HeaderMap, Method, Uri};
use bytes::Bytes;

use super::rejection::Rejection;
use super::{Ingest, headers_of, notes, path_of};
use crate::event::Request;
use crate::ids::Name;
use crate::metrics::Answered;
use crate::refused::{BODY_BYTES_MAX, RefusedRequest};
use crate::secrets::Secret;

/// A request, as far as it was read.
pub(super) struct Seen<'r> {
    pub(super) method: &'r Method,
    pub(super) uri: &'r Uri,
    pub(super) headers: &'r HeaderMap,
    /// All of it, once its body was read.
    pub(super) whole: Option<&'r Request>,
}

impl Ingest {
    /// Keeps a request that was rejected, unless the gateway is busy.
    pub(super) fn keep(
        &self,
        (source, secrets): (&Name, &[Secret]),
        peer: IpAddr,
        rejection: &Rejection,
        seen: &Seen<'_>,
    ) {
        if rejection.answered() == Answered::Busy {
            return;
        }
        let Seen { method, uri, headers, whole } = *seen;
        let body = whole.map(|request| &request.body);
        let begin = body.map(|body| &body[..body.len().min(BODY_BYTES_MAX)]);
        let request = RefusedRequest {
            at: whole.map_or_else(|| self.clock.now(), |request| request.received_at),
            peer,
            status: rejection.status(),
            reason: notes::excerpt(rejection, secrets),
            method: method.as_str().to_owned(),
            url: path_of(uri).to_owned(),
            headers: headers_of(headers),
            // A slice of it would keep all of it.
            body: begin.map(Bytes::copy_from_slice).unwrap_or_default(),
            body_bytes: body.map(Bytes::len),
        };
        self.refused.keep(source, request);
    }
}
