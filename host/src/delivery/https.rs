//! Deliveries over HTTP: signed, posted through the guard, and what the answer says.
//!
//! Everything leaves through `egress`. Never judges an endpoint by more than one answer.

use std::time::Duration;

use http::HeaderName;
use http::header::CONTENT_TYPE;

use super::pace::Ended;
use super::transport::{Seen, Sending, Transport};
use crate::egress::{
    Answer, Attempted, EXCERPT_BYTES_MAX, Egress, EgressError, Patience, Terms, Trace,
};
use crate::failure::{AttemptDetail, Reason};
use crate::retry::Outcome;
use crate::signing;
use crate::telemetry::TRACEPARENT;

/// An endpoint that has been silent for this time may have fallen silent for good.
const LATE: Duration = Duration::from_secs(1);

/// The way over HTTP, with TLS or without.
#[derive(Debug)]
pub(super) struct Https {
    egress: Egress,
}

impl Https {
    pub(super) fn new(egress: Egress) -> Self {
        Self { egress }
    }

    pub(super) fn egress(&self) -> &Egress {
        &self.egress
    }
}

impl Transport for Https {
    const SCHEMES: &'static [&'static str] = &["https", "http"];

    async fn send(&self, sending: Sending<'_>, late: impl FnOnce() + Send) -> Seen {
        let headers = headers(&sending);
        let Sending { content, endpoint, .. } = sending;
        let (timeout, connect_timeout) = endpoint.timeouts;
        let patience = Patience::of(timeout).or_late(LATE, late);
        let (identity, body_excerpt) = (&endpoint.identity, EXCERPT_BYTES_MAX);
        let terms = Terms { identity, connect_timeout, body_excerpt };
        let posted = self.egress.post(&endpoint.target, terms, headers, content.body, patience);
        let Attempted { ended, trace } = posted.await;
        let seen = match ended {
            Ok(answer) => answered(answer),
            Err(error) => unanswered(&error),
        };
        Seen { detail: traced(trace, seen.detail), ..seen }
    }
}

/// The headers of an attempt, but for those that every request has.
pub(super) fn headers(sending: &Sending<'_>) -> Vec<(HeaderName, String)> {
    let Sending { id, at, content, endpoint, trace } = sending;
    let mut headers = signing::headers(id.to_string(), at.seconds(), &content.body, &endpoint.keys);
    headers.push((CONTENT_TYPE, content.content_type.clone()));
    // What the endpoint's owner says counts.
    let is_said = |(name, _): &(HeaderName, String)| *name == TRACEPARENT;
    if let Some(trace) = trace.filter(|_| !endpoint.headers.iter().any(is_said)) {
        headers.push((TRACEPARENT, trace.traceparent()));
    }
    headers.extend_from_slice(&endpoint.headers);
    headers
}

/// What an attempt saw, with how its request went.
fn traced(trace: Trace, detail: AttemptDetail) -> AttemptDetail {
    let Trace { peer, phase, times_us, reused, http2, .. } = trace;
    AttemptDetail { peer, phase, times_us, reused, http2, ..detail }
}

/// How an answer is judged: 2xx is success, 410 says never again, all else may pass.
fn answered(answer: Answer) -> Seen {
    let outcome = match answer.status {
        200..=299 => Outcome::Success,
        410 => Outcome::permanent("the endpoint answered 410 Gone"),
        status => Outcome::Transient {
            reason: format!("the endpoint answered {status}"),
            retry_after: answer.retry_after,
        },
    };
    let ended = match answer.status {
        429 | 503 => Ended::Overloaded { asked: answer.retry_after },
        _ => Ended::Answered,
    };
    let reason = match answer.status {
        200..=299 => None,
        410 => Some(Reason::EndpointGone),
        _ => Some(Reason::EndpointRefused),
    };
    let status = Some(answer.status);
    let content_type = answer.content_type;
    let detail = AttemptDetail { reason, content_type, ..AttemptDetail::default() };
    Seen { status, answer: answer.excerpt, outcome, ended, case: "answered", detail }
}

/// No answer came. Also what the guard refuses may pass: a name may stand for another address soon,
/// and the operator may allow this one.
fn unanswered(error: &EgressError) -> Seen {
    let outcome = Outcome::transient(error.to_string());
    let ended = match error {
        EgressError::InvalidHeader(_) | EgressError::InvalidPath(_) => Ended::Unsent,
        _ => Ended::Unanswered,
    };
    let (reason, causes) = (Some(error.reason()), error.causes());
    let detail = AttemptDetail { reason, causes, ..AttemptDetail::default() };
    Seen { status: None, answer: String::new(), outcome, ended, case: error.label(), detail }
}
