//! What is kept of a request that was rejected, so that an operator can see what its sender sent.
//!
//! As far as it may be kept: what the source redacts was replaced before. Never keeps a request of
//! a source that there is not.

use std::net::IpAddr;

use bytes::Bytes;

use super::Ingest;
use super::redacted::Refused;
use super::rejection::Rejection;
use crate::event::Request;
use crate::ids::Name;
use crate::refused::{BODY_BYTES_MAX, RefusedRequest};

impl Ingest {
    /// Keeps a request that was rejected, as it may be kept; beside it all of it, once its body was
    /// read.
    pub(super) fn keep(
        &self,
        source: &Name,
        peer: IpAddr,
        rejection: &Rejection,
        (kept, whole): (Refused, Option<&Request>),
    ) {
        let Refused { request, reason } = kept;
        let begin = &request.body[..request.body.len().min(BODY_BYTES_MAX)];
        let request = RefusedRequest {
            at: whole.map_or_else(|| self.clock.now(), |request| request.received_at),
            peer,
            status: rejection.status(),
            reason,
            // A slice of it would keep all of it.
            body: Bytes::copy_from_slice(begin),
            body_bytes: whole.map(|request| request.body.len()),
            method: request.method,
            url: request.url,
            headers: request.headers,
        };
        self.refused.keep(source, request);
    }
}
