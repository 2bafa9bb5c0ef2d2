//! Why a request was not accepted, and what its sender is told.
//!
//! The only error of ingest that becomes an answer. All reasons for which evidence does not hold
//! have one body; the reason itself is logged and counted, never sent.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::gate::Outside;
use crate::ids::Name;
use crate::keys::KeyError;
use crate::metrics::{Answered, Mark};
use crate::plugin::CallError;
use crate::proof::Unproven;
use crate::pseudonym::Unreadable;
use crate::secrets::shown;
use crate::store;

/// How long a sender should wait where we are the ones who can't, in seconds.
const RETRY_AFTER_SECS: u16 = 5;
/// The answer then.
const LATER: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "try again later");

/// Why a request was not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Rejection {
    #[error("no source has this name")]
    UnknownSource,
    #[error("{0}")]
    Outside(Outside),
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body did not arrive in time")]
    SlowBody,
    #[error("the connection ended within the body")]
    BrokenBody,
    #[error("the body arrived too slowly while other requests needed its memory")]
    GaveWay,
    #[error("the gateway began to stop before the body was whole")]
    Stopping,
    #[error("too many requests are in progress")]
    Busy,
    #[error("too many requests of this source are in progress")]
    SourceBusy,
    /// With the time until there may be another.
    #[error("there were more genuine requests than `rate` allows")]
    TooOften(Duration),
    #[error("the gateway has reached a high-water mark")]
    PutOff(Mark),
    #[error("the provider plugin {} is not loaded", shown(.0.as_str()))]
    NoPlugin(Name),
    #[error("the source is stopped: {0}")]
    Stopped(Arc<str>),
    /// With the status by which its provider refuses.
    #[error("{0}")]
    Unproven(Unproven, u16),
    #[error("request by another method than POST without a validation challenge")]
    NothingAsked(u16),
    #[error("method not allowed (allowed: {0})")]
    Method(String),
    #[error("{0}")]
    Store(store::Error),
    #[error("{0}")]
    NotRedacted(Unreadable),
}

impl Rejection {
    /// What it is counted as.
    pub(super) fn answered(&self) -> Answered {
        match self {
            Self::TooLarge(_) => Answered::TooLarge,
            Self::UnknownSource | Self::SlowBody | Self::BrokenBody => Answered::Broken,
            Self::GaveWay
            | Self::Stopping
            | Self::Busy
            | Self::SourceBusy
            | Self::TooOften(_)
            | Self::PutOff(_)
            | Self::Unproven(
                Unproven::Plugin(CallError::Busy) | Unproven::Key(KeyError::Busy),
                _,
            )
            | Self::Store(store::Error::Full | store::Error::Unavailable(_)) => Answered::Busy,
            Self::Unproven(unproven, _) if unproven.is_passing() => Answered::Failed,
            Self::Outside(_) | Self::Unproven(..) | Self::NothingAsked(_) | Self::Method(_) => {
                Answered::Refused
            }
            Self::NoPlugin(_) | Self::Stopped(_) | Self::Store(_) | Self::NotRedacted(_) => {
                Answered::Failed
            }
        }
    }

    /// For what is not genuine or comes from outside: which way.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Unproven(unproven, _) => unproven.label(),
            Self::Outside(outside) => Some(outside.label()),
            Self::NothingAsked(_) => Some("nothing_asked"),
            Self::Method(_) => Some("method"),
            _ => None,
        }
    }

    /// Whether the request is what is wrong, and not that the gateway can't take it now.
    pub(super) fn is_the_senders(&self) -> bool {
        let by_form = [Answered::TooLarge, Answered::Broken].contains(&self.answered());
        by_form || self.refusal().is_some()
    }

    /// Whether the request was found genuine before.
    pub(super) fn is_behind_the_proof(&self) -> bool {
        let by_gate = matches!(self, Self::TooOften(_) | Self::PutOff(_) | Self::NothingAsked(_));
        by_gate || matches!(self, Self::Store(_) | Self::NotRedacted(_))
    }

    /// The status of the answer.
    pub(super) fn status(&self) -> u16 {
        self.answer().0.as_u16()
    }

    /// The status of the answer, and what the sender is told.
    fn answer(&self) -> (StatusCode, &'static str) {
        match self {
            Self::UnknownSource => (StatusCode::NOT_FOUND, "unknown source"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body too large"),
            Self::SlowBody => (StatusCode::REQUEST_TIMEOUT, "incomplete body"),
            Self::BrokenBody => (StatusCode::BAD_REQUEST, "incomplete body"),
            Self::Outside(_) => (StatusCode::FORBIDDEN, "not allowed"),
            Self::SourceBusy | Self::TooOften(_) | Self::PutOff(Mark::Source) => {
                (StatusCode::TOO_MANY_REQUESTS, "too many requests")
            }
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
            Self::Unproven(unproven, _) if unproven.is_passing() => LATER,
            Self::Unproven(_, status) | Self::NothingAsked(status) => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::UNAUTHORIZED);
                (status, "not verified")
            }
            Self::GaveWay
            | Self::Stopping
            | Self::Busy
            | Self::PutOff(Mark::Gateway | Mark::Disk)
            | Self::NoPlugin(_)
            | Self::Stopped(_)
            | Self::Store(_)
            | Self::NotRedacted(_) => LATER,
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let (status, text) = self.answer();
        let mut response = (status, Json(serde_json::json!({ "error": text }))).into_response();
        if let Self::Method(allowed) = &self
            && let Ok(allowed) = HeaderValue::from_str(allowed)
        {
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            let wait = match self {
                // Whole seconds, and so long that there may be another.
                Self::TooOften(wait) => HeaderValue::from(wait.as_secs() + 1),
                _ => HeaderValue::from(RETRY_AFTER_SECS),
            };
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::Violation;
    use crate::provider::Refusal;
    use crate::signature;

    fn unproven(why: Unproven) -> Rejection {
        Rejection::Unproven(why, 498)
    }

    #[test]
    fn a_request_that_is_wrong_is_the_senders_and_one_that_can_not_be_taken_now_is_not() {
        let refusal = Refusal { reason: "no signature".to_owned() };
        let violation = Violation { field: "mac.digests", reason: "has 17 items".to_owned() };
        let senders = [
            Rejection::UnknownSource,
            Rejection::TooLarge(1024),
            Rejection::SlowBody,
            Rejection::BrokenBody,
            unproven(Unproven::Plugin(CallError::Violation(violation))),
            unproven(Unproven::Claims(refusal)),
            unproven(Unproven::Evidence(signature::Error::Mismatch)),
            unproven(Unproven::Key(KeyError::Unknown)),
            Rejection::NothingAsked(401),
            Rejection::Method("POST".to_owned()),
            Rejection::Outside(Outside::Nobody),
        ];
        let gateways = [
            Rejection::GaveWay,
            Rejection::Stopping,
            Rejection::Busy,
            Rejection::SourceBusy,
            Rejection::TooOften(Duration::ZERO),
            Rejection::PutOff(Mark::Source),
            Rejection::PutOff(Mark::Gateway),
            Rejection::NoPlugin("stripe".parse().unwrap()),
            Rejection::Stopped("it has no settings".into()),
            unproven(Unproven::Plugin(CallError::Busy)),
            Rejection::Store(store::Error::Full),
            Rejection::NotRedacted(Unreadable::Kind),
        ];
        for rejection in &senders {
            assert!(rejection.is_the_senders(), "{rejection}");
        }
        for rejection in &gateways {
            assert!(!rejection.is_the_senders(), "{rejection}");
        }
    }

    /// Add another to `is_behind_the_proof`, and anybody writes into the trace that it names.
    #[test]
    fn what_is_rejected_before_its_proof_is_nobodys_that_is_known() {
        let genuine = [
            Rejection::TooOften(Duration::ZERO),
            Rejection::PutOff(Mark::Disk),
            Rejection::NothingAsked(401),
            Rejection::Store(store::Error::Full),
            Rejection::NotRedacted(Unreadable::Kind),
        ];
        let unknown = [
            Rejection::Busy,
            Rejection::SourceBusy,
            Rejection::Stopping,
            Rejection::TooLarge(1024),
            Rejection::Method("POST".to_owned()),
            Rejection::Outside(Outside::Nobody),
            Rejection::Stopped("it has no settings".into()),
            unproven(Unproven::Key(KeyError::Busy)),
            unproven(Unproven::Evidence(signature::Error::Mismatch)),
        ];
        for rejection in &genuine {
            assert!(rejection.is_behind_the_proof(), "{rejection}");
        }
        for rejection in &unknown {
            assert!(!rejection.is_behind_the_proof(), "{rejection}");
        }
    }

    #[test]
    fn a_source_at_its_own_mark_is_told_so_and_all_others_that_the_gateway_is_busy() {
        for (mark, expected) in [(Mark::Source, 429), (Mark::Gateway, 503), (Mark::Disk, 503)] {
            let rejection = Rejection::PutOff(mark);
            assert_eq!(rejection.answered(), Answered::Busy);
            let response = rejection.into_response();
            assert_eq!(response.status().as_u16(), expected, "{mark:?}");
            assert_eq!(response.headers()[header::RETRY_AFTER], "5", "{mark:?}");
        }
    }

    #[test]
    fn what_may_be_genuine_all_the_same_is_told_to_come_again() {
        let answered = |why: Unproven| {
            let rejection = unproven(why);
            (rejection.answer().0.as_u16(), rejection.answered())
        };
        let violation = Violation { field: "jws.token", reason: "has 262145 bytes".to_owned() };
        for (why, expected) in [
            (Unproven::Plugin(CallError::Violation(violation)), (498, Answered::Refused)),
            (Unproven::Evidence(signature::Error::Mismatch), (498, Answered::Refused)),
            (Unproven::Key(KeyError::Unknown), (498, Answered::Refused)),
            (Unproven::Key(KeyError::NoSecret), (503, Answered::Failed)),
            (Unproven::Key(KeyError::Busy), (503, Answered::Busy)),
            (Unproven::Plugin(CallError::Host("no thread".to_owned())), (503, Answered::Failed)),
            (Unproven::Plugin(CallError::Busy), (503, Answered::Busy)),
        ] {
            let text = why.to_string();
            assert_eq!(answered(why), expected, "{text}");
        }
    }
}
