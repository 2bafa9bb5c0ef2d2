//! What goes wrong at the operators' port, in the one form that every error has: RFC 9457.
//!
//! The only place that makes an answer of an error. `type` is the place in docs/api.md that says
//! what to do about it, and a program tells errors apart by it. Never holds a secret.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::store;

/// Where each kind of problem is described.
const DESCRIBED_AT: &str = "https://github.com/hookgate/hookgate/blob/main/docs/api.md#";

/// The content type of a problem.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// How long a client should wait before it asks again, in seconds.
const RETRY_AFTER_SECS: u16 = 5;

/// What kind of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The query string can't be read.
    MalformedQuery,
    /// The path has no such parameter.
    UnknownParameter,
    /// A parameter can't be what it is, or appears twice.
    InvalidParameter,
    /// A path can't be read, or an id in it is not one, or one of another kind.
    InvalidId,
    /// A cursor is of a list with other filters.
    ForeignCursor,
    /// The body is not JSON, or not whole.
    MalformedBody,
    /// It has no token, and needs one.
    NoToken,
    /// Nobody has such a token.
    UnknownToken,
    /// The token's time is over.
    ExpiredToken,
    /// The token does not have the scope.
    MissingScope,
    /// The token has a tenant, and this is the operator's.
    OperatorOnly,
    /// It comes from another machine, and there is no token that it could have.
    Remote,
    /// A page of another site sent it.
    ForeignPage,
    /// The store has nothing under this id.
    NotFound,
    /// The handler has no canary.
    NoSuchCanary,
    /// There is no such path.
    NoSuchPath,
    /// The path does not support the method.
    MethodNotAllowed,
    /// The body did not come in time.
    BodyTimeout,
    /// There is a token of this name.
    TokenExists,
    /// The token is one of the configuration.
    ConfiguredToken,
    /// The store keeps as many tokens as it may.
    TooManyTokens,
    /// There is an endpoint of this name and tenant.
    EndpointExists,
    /// The endpoint is one of the configuration.
    EndpointInConfiguration,
    /// The gateway keeps as many endpoints as it may.
    TooManyEndpoints,
    /// The endpoint has as many secrets as it may.
    TooManySecrets,
    /// There is no master key to seal a secret with.
    NoMasterKey,
    /// There is one rehearsal at a time, and one goes on.
    RehearsalRuns,
    /// Somebody has changed it meanwhile.
    Changed,
    /// A file in the plugins folder can't be moved.
    FolderReadOnly,
    /// The delivery is being attempted, or has ended.
    NotPending,
    /// The first request with this idempotency key is not answered yet.
    InProgress,
    /// Nobody knows whether the request with this idempotency key was done.
    OutcomeUnknown,
    /// The request with this idempotency key was answered, and the answer was too large to keep.
    AnswerNotKept,
    /// The endpoint was deleted.
    EndpointDeleted,
    /// The body is too large.
    BodyTooLarge,
    /// The body says that it is of another type than the path takes.
    UnsupportedMediaType,
    /// The port is not asked under its own name.
    ForeignHost,
    /// The body is JSON and not what it must be.
    InvalidBody,
    /// The guard allows no delivery to the URL.
    EgressRefused,
    /// The file is not a plugin that the gateway could run.
    InvalidPlugin,
    /// Nothing here can make a request as the source's provider would.
    NoSample,
    /// Another request has this idempotency key.
    KeyReused,
    /// Too many replays by filter go on.
    TooManyReplays,
    /// Too many erasures go on.
    TooManyErasures,
    /// The token asks too often.
    TooManyRequests,
    /// Too many idempotency keys are known.
    TooManyKeys,
    /// Too many requests with wrong tokens wait for their answers.
    TooManyWrongTokens,
    /// A record that was asked for is damaged.
    Damaged,
    /// The store has failed.
    StoreFailed,
    /// It was done, and is not in the audit log.
    Unrecorded,
    /// Something in the gateway has failed.
    Internal,
    /// The store can't be read or written for now.
    StoreUnavailable,
    /// Too much is being asked.
    Busy,
    /// The gateway stops.
    Stopping,
    /// What was waited for has not happened yet.
    NotYet,
    /// The gateway can't accept requests.
    NotReady,
}

impl Kind {
    /// All of them, for the document and for tests.
    pub(super) const ALL: [Self; 56] = [
        Self::MalformedQuery,
        Self::UnknownParameter,
        Self::InvalidParameter,
        Self::InvalidId,
        Self::ForeignCursor,
        Self::MalformedBody,
        Self::NoToken,
        Self::UnknownToken,
        Self::ExpiredToken,
        Self::MissingScope,
        Self::OperatorOnly,
        Self::Remote,
        Self::ForeignPage,
        Self::NotFound,
        Self::NoSuchCanary,
        Self::NoSuchPath,
        Self::MethodNotAllowed,
        Self::BodyTimeout,
        Self::TokenExists,
        Self::ConfiguredToken,
        Self::TooManyTokens,
        Self::EndpointExists,
        Self::EndpointInConfiguration,
        Self::TooManyEndpoints,
        Self::TooManySecrets,
        Self::NoMasterKey,
        Self::RehearsalRuns,
        Self::Changed,
        Self::FolderReadOnly,
        Self::NotPending,
        Self::InProgress,
        Self::OutcomeUnknown,
        Self::AnswerNotKept,
        Self::EndpointDeleted,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::ForeignHost,
        Self::InvalidBody,
        Self::EgressRefused,
        Self::InvalidPlugin,
        Self::NoSample,
        Self::KeyReused,
        Self::TooManyReplays,
        Self::TooManyErasures,
        Self::TooManyRequests,
        Self::TooManyKeys,
        Self::TooManyWrongTokens,
        Self::Damaged,
        Self::StoreFailed,
        Self::Unrecorded,
        Self::Internal,
        Self::StoreUnavailable,
        Self::Busy,
        Self::Stopping,
        Self::NotYet,
        Self::NotReady,
    ];

    /// Its name, its status, and its title.
    const fn said(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::MalformedQuery => ("malformed-query", 400, "Malformed query string"),
            Self::UnknownParameter => ("unknown-parameter", 400, "Unknown parameter"),
            Self::InvalidParameter => ("invalid-parameter", 400, "Invalid parameter"),
            Self::InvalidId => ("invalid-id", 400, "Invalid id"),
            Self::ForeignCursor => ("foreign-cursor", 400, "Cursor of another list"),
            Self::MalformedBody => ("malformed-body", 400, "Malformed body"),
            Self::NoToken => ("no-token", 401, "Token missing"),
            Self::UnknownToken => ("unknown-token", 401, "Unknown token"),
            Self::ExpiredToken => ("expired-token", 401, "Expired token"),
            Self::MissingScope => ("missing-scope", 403, "Scope missing"),
            Self::OperatorOnly => ("operator-only", 403, "For the operator only"),
            Self::Remote => ("remote", 403, "Request from another machine without a token"),
            Self::ForeignPage => ("foreign-page", 403, "Request from a page of another site"),
            Self::NotFound => ("not-found", 404, "Not found"),
            Self::NoSuchCanary => ("no-such-canary", 404, "No such canary"),
            Self::NoSuchPath => ("no-such-path", 404, "No such path"),
            Self::MethodNotAllowed => ("method-not-allowed", 405, "Method not allowed"),
            Self::BodyTimeout => ("body-timeout", 408, "Body not in time"),
            Self::TokenExists => ("token-exists", 409, "Token exists"),
            Self::ConfiguredToken => ("token-in-configuration", 409, "Token of the configuration"),
            Self::TooManyTokens => ("too-many-tokens", 409, "Too many tokens"),
            Self::EndpointExists => ("endpoint-exists", 409, "Endpoint exists"),
            Self::EndpointInConfiguration => {
                ("endpoint-in-configuration", 409, "Endpoint of the configuration")
            }
            Self::TooManyEndpoints => ("too-many-endpoints", 409, "Too many endpoints"),
            Self::TooManySecrets => ("too-many-secrets", 409, "Too many secrets"),
            Self::NoMasterKey => ("no-master-key", 409, "No master key"),
            Self::RehearsalRuns => ("rehearsal-runs", 409, "Another rehearsal goes on"),
            Self::Changed => ("changed", 409, "Changed meanwhile"),
            Self::FolderReadOnly => ("folder-read-only", 409, "File can't be moved"),
            Self::NotPending => ("not-pending", 409, "Delivery not pending"),
            Self::InProgress => ("in-progress", 409, "First request not answered yet"),
            Self::OutcomeUnknown => ("outcome-unknown", 409, "Outcome of first request unknown"),
            Self::AnswerNotKept => ("answer-not-kept", 409, "Answer of first request not kept"),
            Self::EndpointDeleted => ("endpoint-deleted", 410, "Endpoint deleted"),
            Self::BodyTooLarge => ("body-too-large", 413, "Body too large"),
            Self::UnsupportedMediaType => ("unsupported-media-type", 415, "Body of another type"),
            Self::ForeignHost => ("foreign-host", 421, "Unknown host name"),
            Self::InvalidBody => ("invalid-body", 422, "Invalid body"),
            Self::EgressRefused => ("egress-refused", 422, "URL refused by the egress guard"),
            Self::InvalidPlugin => ("invalid-plugin", 422, "Invalid plugin file"),
            Self::NoSample => ("no-sample", 422, "No sample"),
            Self::KeyReused => ("key-reused", 422, "Idempotency key of another request"),
            Self::TooManyRequests => ("too-many-requests", 429, "Too many requests of the token"),
            Self::TooManyKeys => ("too-many-keys", 429, "Too many idempotency keys"),
            Self::TooManyReplays => ("too-many-replays", 429, "Too many replays"),
            Self::TooManyErasures => ("too-many-erasures", 429, "Too many erasures"),
            Self::TooManyWrongTokens => ("too-many-wrong-tokens", 429, "Too many wrong tokens"),
            Self::Damaged => ("damaged", 500, "Damaged record"),
            Self::StoreFailed => ("store-failed", 500, "Store has failed"),
            Self::Unrecorded => ("unrecorded", 500, "Done and not in the audit log"),
            Self::Internal => ("internal", 500, "Internal error"),
            Self::StoreUnavailable => ("store-unavailable", 503, "Store unavailable"),
            Self::Busy => ("busy", 503, "Too many requests at a time"),
            Self::Stopping => ("stopping", 503, "Gateway is stopping"),
            Self::NotYet => ("not-yet", 503, "Not yet"),
            Self::NotReady => ("not-ready", 503, "Not ready"),
        }
    }

    /// Its name: the last part of its type.
    pub(super) const fn name(self) -> &'static str {
        self.said().0
    }

    /// Its type: where it is described.
    pub(super) fn place(self) -> String {
        format!("{DESCRIBED_AT}{}", self.name())
    }

    pub(super) const fn status(self) -> u16 {
        self.said().1
    }

    /// What it is in a few words, the same for all of its kind.
    pub(super) const fn title(self) -> &'static str {
        self.said().2
    }

    /// Whether the same request may be answered a little later.
    const fn may_pass(self) -> bool {
        matches!(self.status(), 429 | 503)
    }
}

/// An answer that says what went wrong.
#[derive(Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    /// What programs need of it, beside its kind.
    members: Map<String, Value>,
}

impl Problem {
    /// A problem of this kind, and what is wrong this time.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), members: Map::new() }
    }

    /// With a member of its own.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// What is wrong this time.
    #[cfg(test)]
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// What kind of problem it is.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// What is sent.
    pub(super) fn body(&self) -> Value {
        let mut body = json!({
            "type": self.kind.place(),
            "title": self.kind.title(),
            "status": self.kind.status(),
            "detail": self.detail,
        });
        for (name, value) in &self.members {
            body[name.as_str()] = value.clone();
        }
        body
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.kind.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = self.body().to_string();
        let mut response = (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response();
        if self.kind.may_pass() {
            let wait = HeaderValue::from(RETRY_AFTER_SECS);
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        let kind = match error {
            store::Error::Full | store::Error::Unavailable(_) => Kind::StoreUnavailable,
            store::Error::Closed => Kind::Stopping,
            store::Error::Unknown(_)
            | store::Error::NoSuchToken(_)
            | store::Error::NoSuchEndpoint(_) => Kind::NotFound,
            store::Error::TokenExists(_) => Kind::TokenExists,
            store::Error::TooManyTokens { .. } => Kind::TooManyTokens,
            store::Error::EndpointExists(_) => Kind::EndpointExists,
            store::Error::TooManyEndpoints { .. } => Kind::TooManyEndpoints,
            store::Error::EndpointChanged { .. } => Kind::Changed,
            store::Error::ForeignCursor => Kind::ForeignCursor,
            store::Error::TooManyKeys { .. } => Kind::TooManyKeys,
            store::Error::TooManyReplays { .. } => Kind::TooManyReplays,
            store::Error::TooManyErasures { .. } => Kind::TooManyErasures,
            store::Error::Damaged(_) => Kind::Damaged,
            store::Error::Panicked(_) => Kind::Internal,
            store::Error::Failed(_) => Kind::StoreFailed,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_name_and_a_place_in_the_documentation() {
        let described = include_str!("../../../docs/api.md");
        let mut names = BTreeSet::new();
        for kind in Kind::ALL {
            assert!(names.insert(kind.name()), "two kinds are called {}", kind.name());
            let place = format!("<a id=\"{}\"></a>", kind.name());
            assert!(described.contains(&place), "docs/api.md has no {place}");
            let row = described.lines().find(|line| line.contains(&place)).unwrap_or_default();
            assert!(row.contains(&kind.status().to_string()), "another status: {row}");
        }
        let places = described.matches("<a id=\"").count();
        assert_eq!(places, Kind::ALL.len(), "docs/api.md describes a kind that there is not");
    }

    #[test]
    fn a_problem_says_what_it_is_and_what_is_wrong_this_time() {
        let problem = Problem::new(Kind::UnknownParameter, "`colour` is not a parameter");
        let body = problem.with("parameter", "colour").body();
        let expected = json!({
            "type": format!("{DESCRIBED_AT}unknown-parameter"),
            "title": "Unknown parameter",
            "status": 400,
            "detail": "`colour` is not a parameter",
            "parameter": "colour",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn what_may_pass_says_when_to_ask_again_and_what_needs_a_token_how_to_send_it() {
        for kind in Kind::ALL {
            let response = Problem::new(kind, "").into_response();
            let waits = response.headers().contains_key(header::RETRY_AFTER);
            let status = response.status().as_u16();
            assert_eq!(waits, [429, 503].contains(&status), "{kind:?}");
            let challenges = response.headers().contains_key(header::WWW_AUTHENTICATE);
            assert_eq!(challenges, status == 401, "{kind:?}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], CONTENT_TYPE);
        }
    }
}
