//! Something that happened to the gateway, as it becomes an event.
//!
//! Values. Its id follows from what happened, so that it is stored once, however often it is
//! raised. Never holds a secret.

use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::event::{Event, OWN_SOURCE, OWN_TYPES, Timestamp};
use crate::ids::Name;
use crate::tenant::Tenant;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fact {
    /// The type of its event, behind `hookgate.`.
    pub(super) kind: &'static str,
    /// What tells it from others of this kind.
    pub(super) key: String,
    /// When it happened.
    pub(super) at: Timestamp,
    /// Whose it is; `None` is the operator's.
    pub(super) tenant: Option<Tenant>,
    /// What it happened to.
    pub(super) subject: String,
    /// The endpoint that it does not go to: nothing would arrive there.
    pub(super) not_to: Option<Name>,
    /// What else there is to say.
    pub(super) data: Value,
}

impl Fact {
    /// Something that concerns the operator.
    pub(super) fn new(kind: &'static str, subject: &str, at: Timestamp, data: Value) -> Self {
        Self {
            kind,
            key: format!("{subject}/{}", at.0),
            at,
            tenant: None,
            subject: subject.to_owned(),
            not_to: None,
            data,
        }
    }

    /// Something that happened to an endpoint.
    pub(super) fn of_endpoint(
        kind: &'static str,
        endpoint: &Endpoint,
        at: Timestamp,
        mut data: Value,
    ) -> Self {
        let tenant = endpoint.settings.tenant.clone();
        let name = &endpoint.settings.name;
        data["endpoint"] = json!({ "id": endpoint.id, "name": name, "tenant": tenant });
        Self { tenant, ..Self::new(kind, &endpoint.id.to_string(), at, data) }
    }

    /// The event of it.
    pub(super) fn event(&self) -> Option<Event> {
        Some(Event {
            source: OWN_SOURCE.parse().ok()?,
            id: format!("{}/{}", self.kind, self.key),
            event_type: format!("{OWN_TYPES}{}", self.kind),
            subject: Some(self.subject.clone()),
            time: self.at,
            money: None,
            labels: Vec::new(),
            data: self.data.clone().into(),
        })
    }
}
