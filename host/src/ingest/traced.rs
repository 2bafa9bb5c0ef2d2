//! What the spans of a request say: of all of it, and of its proof and its way into the store.
//!
//! Whoever does these steps says when they have ended. Never decides whether a span is exported.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use tokio::time::Instant;

use super::Ingest;
use super::rejection::Rejection;
use crate::ids::Name;
use crate::metrics::Answered;
use crate::provider::Claims;
use crate::store::Appended;
use crate::telemetry::{Description, Part, SpanKind, Step, Telemetry};
use crate::trace_context::TraceContext;

/// The path under which requests come in, whatever the source.
const ROUTE: &str = "/in/{source}";
/// The methods that a span names.
const METHODS: [&str; 9] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// A request whose proof is under way, and whose trace is sampled. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Verifying(Arc<Begun>);

#[derive(Debug)]
struct Begun {
    trace: TraceContext,
    began: Instant,
    is_told: AtomicBool,
}

impl Verifying {
    /// From now on, if that is ever told.
    pub(super) fn begin(trace: Option<TraceContext>) -> Option<Self> {
        let trace = trace.filter(|trace| trace.is_sampled)?;
        let (began, is_told) = (Instant::now(), AtomicBool::new(false));
        Some(Self(Arc::new(Begun { trace, began, is_told })))
    }

    /// The request that claims this is genuine, since the first time that this is said. A
    /// validation challenge needs no proof, and is in no trace that its sender names.
    pub(super) fn ended(&self, telemetry: &Telemetry, source: &Name, claims: &Claims) {
        let Begun { trace, began, is_told } = &*self.0;
        if claims.handshake.is_some() || is_told.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(step) = telemetry.part(Some(*trace), Part::Verify) {
            let describe = || Description::new(SpanKind::Internal, "verify").done_for(source);
            telemetry.ended(&step, false, began.elapsed(), describe);
        }
    }
}

impl Ingest {
    /// A request was answered after this time. It failed where the gateway could not accept it; one
    /// that was refused, or is its sender's mistake, has not.
    pub(super) fn received(
        &self,
        step: &Step,
        (source, method): (&Name, &Method),
        (answered, appended, status): (Answered, Option<Appended>, StatusCode),
        took: Duration,
    ) {
        let is_failed = status.is_server_error();
        self.telemetry.ended(step, is_failed, took, || {
            let (receipt, duplicate_of) = match appended {
                Some(Appended::Stored(id)) => (Some(id), None),
                Some(Appended::Duplicate(id)) => (None, Some(id)),
                None => (None, None),
            };
            let known = known(method);
            let name = format!("{} {ROUTE}", known.unwrap_or("HTTP"));
            let description = Description::new(SpanKind::Server, name)
                .with("http.request.method", known.unwrap_or("_OTHER"))
                .with("http.route", ROUTE)
                .with("url.path", format!("/in/{source}"))
                .with("http.response.status_code", status.as_u16())
                .with("hookgate.source", source.to_string())
                .with("hookgate.outcome", answered.label())
                .with_some("hookgate.receipt.id", receipt.map(|id| id.to_string()))
                .with_some("error.type", is_failed.then(|| status.as_str().to_owned()));
            // Those of strangers take no room from those of the source.
            let owner = appended.map(|_| source.clone());
            Description { owner, duplicate_of, ..description }
        });
    }

    /// A request was appended to the store, or could not be.
    pub(super) fn appended(
        &self,
        (source, trace): (&Name, Option<TraceContext>),
        began: Option<Instant>,
        appended: &Result<Appended, Rejection>,
    ) {
        let (Some(began), Some(step)) = (began, self.telemetry.part(trace, Part::Append)) else {
            return;
        };
        let receipt = match appended {
            Ok(Appended::Stored(id)) => Some(id.to_string()),
            Ok(Appended::Duplicate(_)) | Err(_) => None,
        };
        self.telemetry.ended(&step, appended.is_err(), began.elapsed(), || {
            Description::new(SpanKind::Internal, "append")
                .done_for(source)
                .with_some("hookgate.receipt.id", receipt)
        });
    }
}

/// The text of a method that there is: a sender can make up any other, as long as a header.
fn known(method: &Method) -> Option<&'static str> {
    METHODS.into_iter().find(|known| *known == method.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Let `known` give the text of any method, and a stranger chooses the names of spans.
    #[test]
    fn a_span_names_no_method_that_its_sender_made_up() {
        for (method, expected) in [("POST", Some("POST")), ("GET", Some("GET")), ("post", None)] {
            assert_eq!(known(&method.parse().unwrap()), expected);
        }
        let made_up = "X".repeat(8_000);
        assert_eq!(known(&made_up.parse().unwrap()), None);
    }
}
