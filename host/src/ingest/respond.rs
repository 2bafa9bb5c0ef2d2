//! How a request is answered that was accepted or not, and what is kept and said of one that was
//! not.
//!
//! A sender who is refused waits for that. Never says to a sender why evidence did not hold.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, sleep_until};
use tracing::{error, info};

use super::notes::{self, Note};
use super::pacing::Pacing;
use super::rejection::Rejection;
use super::source::Source;
use super::{Accepted, Ingest, redacted, reply, strays};
use crate::event::Request;
use crate::ids::Name;
use crate::listener::Connection;
use crate::metrics::Answered;
use crate::signature::Asker;
use crate::trace_context::{TraceContext, log_fields};

/// A request to a source that was rejected.
pub(super) struct Rejected<'r> {
    pub(super) name: &'r Name,
    pub(super) source: &'r Source,
    pub(super) connection: &'r Connection,
    /// Who it is from, if that is known.
    pub(super) sender: Option<IpAddr>,
    pub(super) started: Instant,
    /// Its span, if it has one.
    pub(super) trace: Option<TraceContext>,
}

/// The answer to what was not rejected.
pub(super) fn respond(connection: &Connection, accepted: Accepted) -> Response {
    match accepted {
        Accepted::Kept(reply, appended) => {
            connection.accepted();
            reply::of_stored(reply, appended)
        }
        Accepted::Asked(answer, Asker::Proven) => {
            connection.accepted();
            answer
        }
        Accepted::Asked(answer, _) => strays::probed(connection, answer),
    }
}

/// The answer to what was refused, in its time, and the last of a connection that brings nothing
/// else.
pub(super) async fn refuse(
    connection: &Connection,
    pacing: &Pacing,
    started: Instant,
    rejection: Rejection,
) -> Response {
    let held_back = connection.refused();
    let now = Instant::now();
    let due = pacing.refused(now, now.saturating_duration_since(started));
    if due > now {
        sleep_until(due).await;
    }
    drop(held_back);
    let mut response = rejection.into_response();
    if connection.was_refused_too_often() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Ingest {
    /// Counts, logs and keeps a request that was rejected, and answers it.
    pub(super) async fn reject(
        &self,
        of: Rejected<'_>,
        (method, uri, headers): (&Method, &Uri, &HeaderMap),
        whole: Option<Arc<Request>>,
        rejection: Rejection,
    ) -> Response {
        let Rejected { name, source, connection, sender, started, .. } = of;
        // Of those that can't be accepted now for the gateway being busy nothing is kept: their
        // senders come again.
        let kept = (rejection.answered() != Answered::Busy).then(|| {
            let redact = source.redact.as_deref();
            let why = (&rejection, &*source.secrets);
            redacted::refused(redact, (method, uri, headers), whole.as_deref(), why)
        });
        self.note(&of, &rejection, kept.as_ref().map(|kept| kept.reason.clone()));
        if let Some(kept) = kept {
            let peer = sender.unwrap_or_else(|| connection.client().ip());
            self.keep(name, peer, &rejection, (kept, whole.as_deref()));
        }
        // The body counts no longer among those that are held, and the answer may wait for a
        // second.
        drop(whole);
        if rejection.is_the_senders() {
            return refuse(connection, &source.refusals, started, rejection).await;
        }
        rejection.into_response()
    }

    /// Counts a request that was not accepted, and logs it unless too many were just now. One that
    /// a mark puts off is only counted: the gateway logs once that the mark is reached.
    /// `why` is the reason as it may be shown, if that was made before.
    fn note(&self, of: &Rejected<'_>, rejection: &Rejection, why: Option<String>) {
        let name = of.name;
        if let Rejection::PutOff(mark) = rejection {
            return self.metrics.put_off(name, *mark);
        }
        if let Some(reason) = rejection.refusal() {
            self.metrics.refusal(name, reason);
        }
        let failed = rejection.answered() == Answered::Failed;
        let note = if failed { Note::Failed } else { Note::Refused };
        let Some(not_logged) = self.notes.admit(name, note) else { return };
        let why = why.unwrap_or_else(|| notes::excerpt(rejection, &of.source.secrets));
        let peer = of.connection.client();
        let (trace_id, span_id) = log_fields(of.trace);
        if failed {
            error!(source.name = %name, %peer, not_logged, trace_id, span_id,
                "failed to accept a request: {why}");
        } else {
            info!(source.name = %name, %peer, not_logged, trace_id, span_id,
                "rejected a request: {why}");
        }
    }
}
