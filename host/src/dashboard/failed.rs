//! What went wrong, as a page says it: a problem of the API, or one of the page's own.
//!
//! The words are the API's, which quotes no secret. Never hides that something went wrong.

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tracing::error;

use super::{assets, page};

/// Most bytes that are shown of an answer that is not a problem.
const DETAIL_BYTES_MAX: usize = 1 << 10;

/// Why there is no page, or nothing was done.
#[derive(Debug, Clone)]
pub(super) struct Failed {
    pub(super) status: StatusCode,
    /// The name of the kind of problem, such as `not-found`.
    pub(super) kind: String,
    /// What it is in a few words.
    pub(super) title: String,
    /// What is wrong this time.
    pub(super) detail: String,
    /// The setting that is wrong, if it is one.
    pub(super) field: Option<String>,
}

/// A problem as the API says it.
#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    detail: String,
    field: Option<String>,
}

impl Failed {
    /// What the API answered.
    pub(super) fn read(status: StatusCode, body: &[u8]) -> Self {
        let problem: Problem = match serde_json::from_slice(body) {
            Ok(problem) => problem,
            Err(_) => {
                let detail = String::from_utf8_lossy(&body[..body.len().min(DETAIL_BYTES_MAX)]);
                return Self::new(status, "internal", "Internal error", detail);
            }
        };
        let Problem { kind, title, detail, field } = problem;
        let kind = kind.rsplit('#').next().unwrap_or_default().to_owned();
        Self { status, kind, title, detail, field }
    }

    fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        let (kind, title) = (kind.to_owned(), title.to_owned());
        Self { status, kind, title, detail: detail.into(), field: None }
    }

    /// There is no such page.
    pub(super) fn no_such_page() -> Self {
        let detail = "The dashboard has no page at this address.";
        Self::new(StatusCode::NOT_FOUND, "no-such-path", "No such page", detail)
    }

    /// Nothing at this address takes such a request.
    pub(super) fn no_such_act(method: &Method) -> Self {
        let detail = format!("Nothing at this address takes a {method}. Go back, and try again.");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "No such action", detail)
    }

    /// The address of a page, or what came with it, can't be read.
    pub(super) fn unreadable(status: StatusCode) -> Self {
        let detail = "The dashboard can't read the address of this page.";
        Self::new(status, "invalid-id", "Page unreadable", detail)
    }

    /// What somebody sent can't be what it should be.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, "invalid-body", "Invalid form", detail)
    }

    /// A form that is not of the session that sends it.
    pub(super) fn foreign_form() -> Self {
        let detail = "The form is from another session or from another site. Open the page again, \
                      and send it from there.";
        Self::new(StatusCode::FORBIDDEN, "foreign-page", "Form refused", detail)
    }

    /// Something in the gateway has failed.
    pub(super) fn internal(detail: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }

    /// An answer of the API is not what the page expects.
    pub(super) fn unread(path: &str, error: &serde_json::Error) -> Self {
        error!(path, "the dashboard can't read an answer of the API: {error}");
        Self::internal("The dashboard can't read an answer of the API; the log says more.")
    }

    /// Whether signing in may help.
    pub(super) fn is_unknown(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }
}

/// The page that says it.
#[derive(Template)]
#[template(path = "failed.html")]
struct FailedPage<'f> {
    css: &'static str,
    icon: &'static str,
    failed: &'f Failed,
    status: u16,
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let shown = FailedPage {
            css: assets::css(),
            icon: assets::icon(),
            failed: &self,
            status: self.status.as_u16(),
        };
        page::page_with(self.status, &shown)
    }
}
