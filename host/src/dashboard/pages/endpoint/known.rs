//! What the API says of an endpoint, as far as its page shows it.
//!
//! Members as the API names them. Never a secret.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dashboard::markup::Markup;
use crate::dashboard::pages::endpoints::{Breaker, standing};
use crate::event::Timestamp;

/// An endpoint.
#[derive(Deserialize)]
pub(super) struct Endpoint {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) tenant: Option<String>,
    pub(super) description: Option<String>,
    pub(super) url: String,
    /// `file` or `api`.
    origin: String,
    /// `enabled`, `paused` or `disabled`.
    pub(super) state: String,
    /// Why it is disabled: `operator`, `gone` or `failing`.
    pub(super) reason: Option<String>,
    /// Since when it stands so.
    pub(super) since: Timestamp,
    /// Whether a secret of it does not open.
    pub(super) locked: bool,
    pub(super) breaker: Breaker,
    pub(super) events: Vec<String>,
    pub(super) filter: Option<Box<RawValue>>,
    pub(super) headers: Option<BTreeMap<String, String>>,
    pub(super) metadata: Option<BTreeMap<String, String>>,
    pub(super) body: Option<String>,
    pub(super) order: Option<String>,
    pub(super) skip_after: Option<u64>,
    pub(super) retries: Option<Vec<String>>,
    pub(super) timeout: Option<String>,
    pub(super) connect_timeout: Option<String>,
    pub(super) concurrency: Option<u64>,
    pub(super) rate: Option<String>,
    pub(super) burst: Option<u64>,
    pub(super) held: Option<u64>,
    pub(super) use_breaker: Option<bool>,
    pub(super) disable_after: Option<String>,
    pub(super) ca: Option<String>,
    pub(super) client_certificate: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

impl Endpoint {
    /// Whether it is changed by the API, and not in the configuration.
    pub(super) fn is_of_api(&self) -> bool {
        self.origin == "api"
    }

    /// How it stands, in a word.
    pub(super) fn standing(&self) -> Markup {
        standing(&self.state, &self.breaker, self.locked)
    }
}
