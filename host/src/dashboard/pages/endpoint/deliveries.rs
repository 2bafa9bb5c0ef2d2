//! The newest deliveries to an endpoint, how the last failure of one came about, and how many wait.
//!
//! Reads `/v1/deliveries`, a page at a time, and one delivery whole only if something is wrong.
//! Never its event.

use serde::Deserialize;

use super::known::Endpoint;
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::{Failed, Visitor, figure, link};
use crate::event::Timestamp;

/// Most that the page shows.
const SHOWN: &str = "20";
/// Most that are counted: a list has no number of all its items.
const COUNTED: &str = "100";
/// What a field of the page shows at most, in bytes.
const TEXT_BYTES_MAX: usize = 128;
/// What a cause shows at most, in bytes.
const CAUSE_BYTES_MAX: usize = 512;

#[derive(Deserialize)]
pub(super) struct Deliveries {
    items: Vec<Delivery>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Delivery {
    id: String,
    event_id: String,
    #[serde(rename = "type")]
    event_type: Option<String>,
    subject: Option<String>,
    state: String,
    tries_made: u64,
    recorded_at: Timestamp,
    last_attempt: Option<LastAttempt>,
}

#[derive(Deserialize)]
struct LastAttempt {
    status: Option<u64>,
    phase: Option<String>,
    reason: Option<String>,
}

/// A delivery with its attempts.
#[derive(Deserialize)]
struct Whole {
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
struct Attempt {
    at: Timestamp,
    outcome: String,
    status: Option<u64>,
    detail: Option<String>,
    causes: Vec<String>,
    peer: Option<String>,
}

/// How many deliveries wait, as far as they are counted.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    counted: u64,
    is_all: bool,
}

impl Waiting {
    pub(super) fn is_none(self) -> bool {
        self.counted == 0 && self.is_all
    }

    pub(super) fn is_one(self) -> bool {
        self.counted == 1 && self.is_all
    }

    /// `3`, or `over 100`.
    pub(super) fn shown(self) -> String {
        let counted = figure::number(self.counted);
        if self.is_all { counted } else { format!("over {counted}") }
    }

    /// `3 deliveries`.
    pub(super) fn said(self) -> String {
        format!("{} {}", self.shown(), if self.is_one() { "delivery" } else { "deliveries" })
    }
}

pub(super) struct Row {
    pub(super) event: Markup,
    pub(super) subject: Markup,
    pub(super) state: Markup,
    pub(super) attempts: String,
    pub(super) last: Markup,
    pub(super) at: Markup,
}

/// How the last failure came about.
pub(super) struct Failure {
    pub(super) said: Markup,
    pub(super) at: Markup,
    pub(super) event: Markup,
}

/// Those of the list.
pub(super) async fn newest(visitor: &Visitor, id: &str) -> Result<Deliveries, Failed> {
    let filters = visitor.asked.pick(&["state", "cursor"]);
    let of = [("endpoint", id), ("limit", SHOWN)];
    visitor.get(&link::with_query("/v1/deliveries", of.into_iter().chain(filters))).await
}

/// How many wait.
pub(super) async fn waiting(visitor: &Visitor, id: &str) -> Result<Waiting, Failed> {
    let of = [("endpoint", id), ("state", "pending"), ("limit", COUNTED)];
    let list: Deliveries = visitor.get(&link::with_query("/v1/deliveries", of)).await?;
    Ok(Waiting { counted: list.items.len() as u64, is_all: list.next.is_none() })
}

impl Deliveries {
    pub(super) fn rows(&self, now: Timestamp) -> Vec<Row> {
        let row = |delivery: &Delivery| {
            let event_type = delivery.event_type.as_deref().unwrap_or(&delivery.event_id);
            Row {
                event: markup::code_link(&link::below("/events", &delivery.event_id), event_type),
                subject: markup::long(
                    delivery.subject.as_deref().unwrap_or_default(),
                    TEXT_BYTES_MAX,
                ),
                state: markup::state(&delivery.state),
                attempts: figure::number(delivery.tries_made),
                last: markup::long(&last(delivery.last_attempt.as_ref()), TEXT_BYTES_MAX),
                at: markup::when(now, delivery.recorded_at),
            }
        };
        self.items.iter().map(row).collect()
    }

    /// The page of those that are older, if there are any.
    pub(super) fn older(&self, endpoint: &Endpoint, state: &str) -> Option<String> {
        let next = self.next.as_deref()?;
        let pairs = [("state", state), ("cursor", next)];
        Some(link::with_query(&link::below("/endpoints", &endpoint.id), pairs))
    }

    /// The newest of them that did not succeed the last time, with its causes.
    pub(super) async fn failure(&self, visitor: &Visitor) -> Option<Failure> {
        let failed =
            |it: &&Delivery| it.last_attempt.as_ref().is_some_and(|it| it.reason.is_some());
        let delivery = self.items.iter().find(failed)?;
        // It may be gone meanwhile; the page goes without it then.
        let path = link::below("/v1/deliveries", &delivery.id);
        let whole: Result<Whole, Failed> = visitor.get(&path).await;
        let Whole { attempts } = whole.ok()?;
        let attempt = attempts.iter().rev().find(|attempt| attempt.outcome != "success")?;
        let event_type = delivery.event_type.as_deref().unwrap_or(&delivery.event_id);
        Some(Failure {
            said: markup::sentence(&cause(attempt), CAUSE_BYTES_MAX),
            at: markup::when(visitor.now(), attempt.at),
            event: markup::code_link(&link::below("/events", &delivery.event_id), event_type),
        })
    }
}

/// Why an attempt failed, in the words of who made it, the outermost cause first.
fn cause(attempt: &Attempt) -> String {
    let mut parts: Vec<String> = attempt.peer.iter().cloned().collect();
    parts.extend(attempt.status.map(|status| format!("answered {status}")));
    match &*attempt.causes {
        [] => parts.extend(attempt.detail.clone()),
        causes => parts.extend(causes.iter().cloned()),
    }
    parts.join(": ")
}

/// How an attempt ended, in a few words.
fn last(attempt: Option<&LastAttempt>) -> String {
    let Some(LastAttempt { status, phase, reason }) = attempt else { return String::new() };
    if let Some(status) = status {
        return format!("answered {status}");
    }
    let said = match reason.as_deref() {
        Some("endpoint_unreachable") => "not reached",
        Some("endpoint_timeout") => "no answer in time",
        Some("endpoint_tls") => "TLS failed",
        Some("endpoint_gone") => "the endpoint is gone",
        Some("blocked_by_guard") => "address not allowed",
        Some("discarded") => "discarded",
        Some(other) => other,
        None => "",
    };
    match phase.as_deref() {
        Some(phase) if !said.is_empty() => format!("{said} ({phase})"),
        _ => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_which_there_may_be_more_says_so() {
        let waiting = |counted, is_all| Waiting { counted, is_all };
        assert_eq!(waiting(1, true).said(), "1 delivery");
        assert_eq!(waiting(100, false).said(), "over 100 deliveries");
        assert!(waiting(0, true).is_none() && !waiting(0, false).is_none());
    }

    #[test]
    fn the_last_attempt_is_said_in_a_few_words() {
        let attempt = |status, phase: Option<&str>, reason: &str| LastAttempt {
            status,
            phase: phase.map(str::to_owned),
            reason: Some(reason.to_owned()),
        };
        let said = |attempt| last(Some(&attempt));
        assert_eq!(said(attempt(Some(500), Some("body"), "endpoint_refused")), "answered 500");
        let late = attempt(None, Some("headers"), "endpoint_timeout");
        assert_eq!(said(late), "no answer in time (headers)");
        assert_eq!(said(attempt(None, None, "discarded")), "discarded");
        assert_eq!(last(None), "");
    }

    #[test]
    fn a_cause_goes_from_the_outside_to_the_inside() {
        let attempt = Attempt {
            at: Timestamp(0),
            outcome: "transient".to_owned(),
            status: None,
            detail: Some("not shown".to_owned()),
            causes: vec!["can't connect".to_owned(), "connection refused".to_owned()],
            peer: Some("10.2.0.17:8443".to_owned()),
        };
        assert_eq!(cause(&attempt), "10.2.0.17:8443: can't connect: connection refused");
    }
}
