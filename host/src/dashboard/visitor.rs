//! Who looks at a page: signed in with a token, or on this machine where the port asks for none.
//!
//! Every page and every form begins here. Whoever is unknown signs in first; whoever follows a link
//! from another site comes again by themselves, because a browser sends no session with that. Never
//! decides what somebody may do: that is the API's, and a page leaves out what it would refuse.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::frame::{Frame, Section};
use super::notes::Note;
use super::sender::Sender;
use super::session::Session;
use super::{Dashboard, Failed, elsewhere, link, page};
use crate::event::Timestamp;
use crate::token::Scope;

/// Where the API says who asks.
const SESSION: &str = "/v1/session";
/// In the query of a page: where the note is that is said on it.
const NOTE: &str = "note";

/// The query of a page, as it was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Vec<(String, String)>);

impl Asked {
    /// What can't be read counts as nothing.
    pub(super) fn of(uri: &Uri) -> Self {
        Query::try_from_uri(uri).map(|Query(pairs)| Self(pairs)).unwrap_or_default()
    }

    /// The value of a parameter; empty if there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// Those of these parameters that have a value, for the API or for a link.
    pub(super) fn pick<'a>(&'a self, names: &[&'a str]) -> Vec<(&'a str, &'a str)> {
        let all = names.iter().map(|name| (*name, self.text(name)));
        all.filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// Who looks at a page.
#[derive(Debug)]
pub(super) struct Visitor {
    dashboard: Arc<Dashboard>,
    sender: Sender,
    session: Session,
    /// What is said on this page.
    note: Option<Note>,
    /// The query of the page.
    pub(super) asked: Asked,
}

impl FromRequestParts<Arc<Dashboard>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        dashboard: &Arc<Dashboard>,
    ) -> Result<Self, Response> {
        if let Some(again) = elsewhere::again(parts) {
            return Err(again);
        }
        let sender = Sender::of(parts);
        let session = dashboard.api.call(&sender, (Method::GET, SESSION), None).await;
        let session: Session = match session {
            Ok(session) => session,
            Err(failed) if failed.is_unknown() && parts.method.is_safe() => {
                let here = parts.uri.path_and_query().and_then(|here| link::own(here.as_str()));
                let next = [("next", here.unwrap_or_default())];
                return Err(page::see_other(&link::with_query("/sign-in", next)));
            }
            Err(failed) => return Err(failed.into_response()),
        };
        let asked = Asked::of(&parts.uri);
        let form = session.form.as_deref().unwrap_or_default();
        // Whoever asks for the head of a page alone is shown nothing.
        let place = if parts.method == Method::GET { asked.text(NOTE) } else { "" };
        let note = dashboard.notes.take(form, place, Instant::now());
        Ok(Self { dashboard: Arc::clone(dashboard), sender, session, note, asked })
    }
}

impl Visitor {
    /// Asks the API for something.
    ///
    /// # Errors
    ///
    /// What the API answers instead, such as that there is nothing of this id.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failed> {
        self.dashboard.api.call(&self.sender, (Method::GET, path), None).await
    }

    /// Has the API do something.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        (method, path): (Method, &str),
        body: Option<&Value>,
    ) -> Result<T, Failed> {
        let sender = self.sender.clone().with_form(self.form());
        self.dashboard.api.call(&sender, (method, path), body).await
    }

    /// What goes with each form.
    pub(super) fn form(&self) -> &str {
        self.session.form.as_deref().unwrap_or_default()
    }

    /// Who asks, with what a change needs.
    pub(super) fn confirmed(&self) -> Sender {
        self.sender.clone().with_form(self.form())
    }

    /// Whether the API lets the visitor do what asks for this scope.
    pub(super) fn can(&self, scope: Scope) -> bool {
        self.session.scopes.iter().any(|own| *own == scope || *own == Scope::Admin)
    }

    /// Whether the visitor may see what is the operator's.
    pub(super) fn is_operator(&self) -> bool {
        self.session.tenant.is_none()
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.dashboard.clock.now()
    }

    /// What stands around a page of this section.
    pub(super) fn frame(&self, section: Section, title: impl Into<String>) -> Frame {
        let may_see = |section: &Section| {
            self.can(section.scope()) && (self.is_operator() || section.is_for_tenants())
        };
        Frame::new(section, title.into(), may_see, (&self.session, self.note.clone()))
    }

    /// Leads to a page on which something is said.
    pub(super) fn say(&self, path: &str, note: Note) -> Response {
        let place = self.dashboard.notes.keep(self.form(), note, Instant::now());
        let place = place.unwrap_or_default();
        // The path may have a query already.
        let joint = if path.contains('?') { '&' } else { '?' };
        page::see_other(&format!("{path}{joint}{NOTE}={place}"))
    }

    /// Leads to a page that says what was done.
    pub(super) fn done(&self, path: &str, said: impl Into<String>) -> Response {
        self.say(path, Note { said: said.into(), is_bad: false, secret: None })
    }

    /// Leads to a page that says why nothing was done.
    pub(super) fn failed(&self, path: &str, failed: &Failed) -> Response {
        let said = format!("{}: {}", failed.title, failed.detail);
        self.say(path, Note { said, is_bad: true, secret: None })
    }
}
