//! What people see of one try of a parse or a run, or of one attempt of a delivery: how it went,
//! how it ended and why, and what followed.
//!
//! Values with the field names of the JSON API. What an older Hookgate did not record is not there,
//! but every failure has a reason. Never looks at another try.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::effect::{Alert, LogLine};
use crate::event::Timestamp;
use crate::failure::{AttemptDetail, Phase, Reason};
use crate::ids::{Id, IdKind};
use crate::retry::{Outcome, Verdict, milliseconds};
use crate::store::facts::PluginStamp;
use crate::store::kind::WorkKind;
use crate::store::log::record::{AttemptRecord, DetailRecord, TryRecord};
use crate::store::reasons::Account;

/// A try of a parse or a run.
#[derive(Debug, Clone, Serialize)]
pub struct TryView {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub duration_us: u64,
    /// The plugin that ran.
    pub plugin: Option<PluginStamp>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: OutcomeView,
    /// What followed.
    #[serde(flatten)]
    pub verdict: VerdictView,
    /// What the plugin logged.
    pub log: Vec<LogLine>,
    /// What the operator should see.
    pub alerts: Vec<Alert>,
    /// The events that it added.
    pub events: Vec<Id>,
    /// The deliveries of the parcels that it sent.
    pub parcels: Vec<Id>,
    /// The keys of the state that it set or deleted. The values may be secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub state_keys: Vec<String>,
}

/// An attempt of a delivery.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptView {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub duration_us: u64,
    /// The status of the answer, if one came.
    pub status: Option<u16>,
    /// An excerpt of the answer.
    pub answer: String,
    /// What the answer is said to be.
    pub content_type: Option<String>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: OutcomeView,
    /// What followed.
    #[serde(flatten)]
    pub verdict: VerdictView,
    /// The phase that it ended in; none if nothing was done, or that is not known.
    pub phase: Option<Phase>,
    /// The address that it went to.
    pub peer: Option<SocketAddr>,
    /// What led to a failure, the outermost first.
    pub causes: Vec<String>,
    /// How long each phase took.
    pub times_us: TimesView,
    /// Whether it went over HTTP/2.
    pub http2: bool,
    /// Whether the connection was open already.
    pub reused: bool,
}

/// An [`Outcome`] as the API shows it: why it failed, to programs and in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum OutcomeView {
    /// It did its work.
    Success,
    /// Worth another try.
    Transient {
        /// Why, to programs.
        reason: Reason,
        /// Why, for the operator.
        detail: String,
        /// The delay that the other side asked for.
        #[serde(rename = "retry_after_ms", with = "milliseconds")]
        retry_after: Option<Duration>,
    },
    /// The same again would end the same.
    Permanent {
        /// Why, to programs.
        reason: Reason,
        /// Why, for the operator.
        detail: String,
    },
}

/// How long an attempt was in each phase, in microseconds; none for one that it did not come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TimesView {
    /// Until the host's addresses were known.
    pub resolve: Option<u32>,
    /// Until a connection was open.
    pub connect: Option<u32>,
    /// Until TLS was agreed on.
    pub tls: Option<u32>,
    /// Until the request had left.
    pub send: Option<u32>,
    /// Until the head of the answer was there.
    pub headers: Option<u32>,
    /// Until the body of the answer was read.
    pub body: Option<u32>,
}

/// A [`Verdict`] as the API shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum VerdictView {
    /// Nothing was left to do.
    Done,
    /// Another try.
    Retry {
        /// Not before this time.
        retry_at: Timestamp,
    },
    /// A dead letter.
    Dead,
}

impl From<Verdict> for VerdictView {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Done => Self::Done,
            Verdict::RetryAt(retry_at) => Self::Retry { retry_at },
            Verdict::Dead => Self::Dead,
        }
    }
}

impl OutcomeView {
    fn new(outcome: Outcome, reason: Reason) -> Self {
        match outcome {
            Outcome::Success => Self::Success,
            Outcome::Transient { reason: detail, retry_after } => {
                Self::Transient { reason, detail, retry_after }
            }
            Outcome::Permanent { reason: detail } => Self::Permanent { reason, detail },
        }
    }
}

impl From<[Option<u32>; 6]> for TimesView {
    fn from([resolve, connect, tls, send, headers, body]: [Option<u32>; 6]) -> Self {
        Self { resolve, connect, tls, send, headers, body }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl TryView {
    /// A try of a work of this kind.
    pub(in crate::store) fn new(record: TryRecord<'_>, kind: WorkKind, tag: u32) -> Self {
        let reason = Account::from(&record).reason(kind);
        let ids = |kind, positions: Vec<u64>| -> Vec<Id> {
            positions.into_iter().map(|position| Id { kind, position, tag }).collect()
        };
        Self {
            at: record.at,
            duration_us: micros(record.duration),
            plugin: record.plugin.map(Cow::into_owned),
            outcome: OutcomeView::new(record.outcome.into_owned(), reason),
            verdict: record.verdict.into(),
            log: record.log.into_owned(),
            alerts: record.alerts.into_owned(),
            events: ids(IdKind::Event, record.events),
            parcels: ids(IdKind::Delivery, record.parcels),
            state_keys: record.state.map(|state| state.into_keys()).unwrap_or_default(),
        }
    }
}

impl From<AttemptRecord<'_>> for AttemptView {
    fn from(record: AttemptRecord<'_>) -> Self {
        let reason = Account::from(&record).reason(WorkKind::Delivery);
        let detail = record.detail.map(|detail| match *detail {
            DetailRecord::V1(detail) => detail.into_owned(),
        });
        let detail = detail.unwrap_or_default();
        let AttemptDetail { phase, peer, causes, times_us, content_type, http2, reused, .. } =
            detail;
        Self {
            at: record.at,
            duration_us: micros(record.duration),
            status: record.status,
            answer: record.answer.into_owned(),
            content_type,
            outcome: OutcomeView::new(record.outcome.into_owned(), reason),
            verdict: record.verdict.into(),
            phase,
            peer,
            causes,
            times_us: times_us.into(),
            http2,
            reused,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::report::Attempt;

    fn json(outcome: Outcome) -> serde_json::Value {
        serde_json::to_value(OutcomeView::new(outcome, Reason::EndpointRefused)).unwrap()
    }

    #[test]
    fn a_failure_has_a_reason_for_programs_and_words_and_a_delay_in_milliseconds() {
        let retry_after = Some(Duration::from_micros(1_500_999));
        let busy = Outcome::Transient { reason: "busy".to_owned(), retry_after };
        let reason = "endpoint_refused";
        let transient = |retry_after_ms: Option<u64>| {
            json!({
                "outcome": "transient", "reason": reason, "detail": "busy",
                "retry_after_ms": retry_after_ms,
            })
        };
        assert_eq!(json(busy), transient(Some(1_500)));
        assert_eq!(json(Outcome::transient("busy")), transient(None));
        let gone = json!({ "outcome": "permanent", "reason": reason, "detail": "gone" });
        assert_eq!(json(Outcome::permanent("gone")), gone);
        assert_eq!(json(Outcome::Success), json!({ "outcome": "success" }));
    }

    #[test]
    fn an_attempt_shows_all_that_it_saw_and_each_time_by_its_phase() {
        let detail = AttemptDetail {
            reason: Some(Reason::EndpointTls),
            phase: Some(Phase::Tls),
            peer: "[2001:db8::1]:443".parse().ok(),
            causes: vec!["failed".to_owned(), "expired".to_owned()],
            times_us: [Some(1), Some(2), Some(3), Some(4), Some(5), None],
            content_type: Some("text/plain".to_owned()),
            http2: true,
            reused: true,
        };
        let attempt = Attempt {
            at: Timestamp(5),
            duration: Duration::from_millis(7),
            status: None,
            answer: String::new(),
            outcome: Outcome::transient("failed: expired"),
            verdict: Verdict::Dead,
            detail,
        };
        let shown = AttemptView::from(AttemptRecord::of(&attempt, 7, None));
        let shown = serde_json::to_value(shown).unwrap();
        assert_eq!(
            shown,
            json!({
                "at": Timestamp(5), "duration_us": 7_000, "status": null, "answer": "",
                "content_type": "text/plain", "outcome": "transient", "reason": "endpoint_tls",
                "detail": "failed: expired", "retry_after_ms": null, "verdict": "dead",
                "phase": "tls", "peer": "[2001:db8::1]:443", "causes": ["failed", "expired"],
                "times_us": {
                    "resolve": 1, "connect": 2, "tls": 3, "send": 4, "headers": 5, "body": null,
                },
                "http2": true, "reused": true,
            })
        );
    }

    #[test]
    fn an_attempt_of_an_older_hookgate_has_a_reason_and_nothing_that_it_did_not_record() {
        let attempt = Attempt {
            at: Timestamp(5),
            duration: Duration::ZERO,
            status: Some(500),
            answer: "oh".to_owned(),
            outcome: Outcome::transient("the endpoint answered 500"),
            verdict: Verdict::Dead,
            detail: AttemptDetail::default(),
        };
        let shown = AttemptView::from(AttemptRecord::of(&attempt, 7, None));
        let expected = OutcomeView::new(attempt.outcome, Reason::EndpointRefused);
        assert_eq!(shown.outcome, expected);
        assert_eq!((shown.phase, shown.peer, shown.causes.len()), (None, None, 0));
        assert_eq!(shown.times_us, TimesView::default());
    }
}
