//! What stands around each page: where one is, where one may go, who one is, what was just done.
//!
//! Only what the visitor may see is offered. Never asks the API.

use super::assets;
use super::notes::Note;
use super::session::Session;
use crate::token::Scope;

/// A part of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Sources,
    Events,
    Endpoints,
    Dead,
    Plugins,
    Audit,
    Settings,
}

impl Section {
    const ALL: [Self; 8] = [
        Self::Overview,
        Self::Sources,
        Self::Events,
        Self::Endpoints,
        Self::Dead,
        Self::Plugins,
        Self::Audit,
        Self::Settings,
    ];

    /// What it is called, and where it is.
    fn said(self) -> (&'static str, &'static str) {
        match self {
            Self::Overview => ("Overview", "/"),
            Self::Sources => ("Sources", "/sources"),
            Self::Events => ("Events", "/events"),
            Self::Endpoints => ("Endpoints", "/endpoints"),
            Self::Dead => ("Dead letters", "/dead"),
            Self::Plugins => ("Plugins", "/plugins"),
            Self::Audit => ("Audit", "/audit"),
            Self::Settings => ("Settings", "/settings"),
        }
    }

    /// What the API asks for there.
    pub(super) fn scope(self) -> Scope {
        if self == Self::Audit { Scope::Admin } else { Scope::Read }
    }

    /// Whether a token with a tenant finds something there.
    pub(super) fn is_for_tenants(self) -> bool {
        matches!(self, Self::Overview | Self::Events | Self::Endpoints | Self::Dead)
    }
}

/// A link to a section.
pub(super) struct NavItem {
    pub(super) label: &'static str,
    pub(super) href: &'static str,
    pub(super) is_current: bool,
}

/// What stands around a page: the field `frame` of each page's template.
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) nav: Vec<NavItem>,
    /// Such as `token ops`.
    pub(super) who: String,
    /// Whether there is a session to end.
    pub(super) is_signed_in: bool,
    /// What goes with each form, in a field called `form`.
    pub(super) form: String,
    pub(super) note: Option<Note>,
    pub(super) css: &'static str,
    pub(super) script: &'static str,
    pub(super) icon: &'static str,
}

impl Frame {
    /// That of a page.
    pub(super) fn new(
        section: Section,
        title: String,
        may_see: impl Fn(&Section) -> bool,
        (session, note): (&Session, Option<Note>),
    ) -> Self {
        let item = |at: Section| {
            let (label, href) = at.said();
            NavItem { label, href, is_current: at == section }
        };
        let who = match (&session.token, &session.tenant) {
            (Some(token), Some(tenant)) => format!("token {token}, tenant {tenant}"),
            (Some(token), None) => format!("token {token}"),
            (None, _) => "this machine, without a token".to_owned(),
        };
        Self {
            title,
            nav: Section::ALL.into_iter().filter(may_see).map(item).collect(),
            who,
            is_signed_in: session.token.is_some(),
            form: session.form.clone().unwrap_or_default(),
            note,
            css: assets::css(),
            script: assets::script(),
            icon: assets::icon(),
        }
    }
}
