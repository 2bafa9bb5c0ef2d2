//! An endpoint as it is known everywhere: what its owner set, where it stands, whose it is.
//!
//! Pure values, whether it stands in the configuration or in the store. Nothing here sends, keeps
//! or reads the clock, and no secret of an endpoint is in here but a sealed one.

mod credential;
mod decimal;
mod form;
mod limits;
mod rotation;
mod rule;
mod secret;
mod settings;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use http::HeaderName;
use serde::{Deserialize, Serialize};
use url::Url;

pub use self::credential::{Credential, RawCredential};
pub use self::form::{RawRule, RawSettings};
pub(crate) use self::limits::{CONCURRENCY, RETRIES_MAX, RETRY, TIMEOUT};
pub use self::limits::{DisableAfter, InvalidDisableAfter, InvalidRate, Limits, Rate};
pub use self::rotation::{
    OVERLAP, OVERLAP_MAX, SIGNING_MAX, next_number, rotated, with_credential,
};
pub use self::rule::{Facts, Field, Operator, Rule};
pub use self::secret::{Sealed, SealedSecret, SecretKind, SecretPlace};
pub use self::settings::{Invalid, check};
use crate::event::Timestamp;
use crate::ids::{Id, Name};
use crate::retry::RetryPolicy;
use crate::route::Pattern;
use crate::tenant::Tenant;

/// An endpoint, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// No other endpoint has it.
    pub id: Id,
    /// What deliveries know it by: its name in the configuration, or [`Id::key`].
    pub key: Name,
    /// Where it stands.
    pub origin: Origin,
    /// What its owner set.
    pub settings: Arc<Settings>,
    /// Whether deliveries go out.
    pub standing: Standing,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Rises with each change: whoever keeps what was made of the settings goes by it.
    pub revision: u64,
}

/// Where an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// In the configuration: the API shows it and changes none of its settings.
    File,
    /// In the store: the API made it.
    Api,
}

/// What the owner of an endpoint sets: checked by [`check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// No other endpoint of its tenant has it.
    pub name: Name,
    /// Whose events it receives; `None` is the operator's, and receives those of all.
    pub tenant: Option<Tenant>,
    /// For people.
    pub description: String,
    /// Where deliveries go.
    pub url: Url,
    /// The types of event that it receives; without any, only what handlers send to it.
    pub events: Vec<Pattern>,
    /// What must hold of such an event besides, each of them.
    pub filter: Vec<Rule>,
    /// What goes with each delivery; never credentials.
    pub headers: Vec<(HeaderName, String)>,
    /// What the body of a delivery is.
    pub body: Format,
    /// How much goes there at once, and how long it may take.
    pub limits: Limits,
    /// When a failed delivery is tried again.
    pub retries: RetryPolicy,
    /// Whether deliveries wait for each other.
    pub order: Order,
    /// The owner's own notes, by their names.
    pub metadata: BTreeMap<String, String>,
    /// Which certificates count, beside the system's.
    pub trust: Trust,
}

/// What an endpoint receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `{"type", "timestamp", "data"}`, as Standard Webhooks advises.
    #[default]
    Standard,
    /// A CloudEvents 1.0 event in JSON, with `amount` and `currency` beside the attributes.
    CloudEvents,
    /// The provider's own bytes; the data alone for an event that no receipt stands behind.
    Raw,
}

/// Which deliveries of one endpoint wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// None do.
    #[default]
    None,
    /// Those of one subject go out one behind the other.
    Subject {
        /// One that failed this often no longer holds up those behind it; `None` holds them up
        /// until it ends.
        skip_after: Option<NonZeroU32>,
    },
}

/// Which certificates count at an endpoint, and which the gateway shows there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// Authorities in PEM; if empty, those of the system.
    pub ca: Vec<u8>,
    /// The certificate chain that the gateway shows, in PEM; its key is a credential.
    pub client: Option<String>,
}

/// Whether an endpoint's deliveries go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether they do.
    pub status: Status,
    /// Who or what decided that; `None` for one that was never anything but enabled.
    pub why: Option<Why>,
    /// Since when.
    pub since: Timestamp,
}

impl Standing {
    /// Of an endpoint that nobody has paused or disabled since then.
    pub fn enabled(since: Timestamp) -> Self {
        Self { status: Status::Enabled, why: None, since }
    }
}

/// Whether deliveries go out, wait or end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// They go out.
    Enabled,
    /// They wait, and no try is spent.
    Paused,
    /// They end as dead letters without an attempt.
    Disabled,
}

impl Status {
    /// As programs read it: `paused`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }
}

/// Who or what decided where an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// The operator.
    Operator,
    /// The endpoint answered 410.
    #[serde(rename = "gone")]
    Gone410,
    /// Nothing but failures, for days.
    Failing,
}

impl Why {
    /// As programs read it: `gone`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Gone410 => "gone",
            Self::Failing => "failing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: impl Serialize) -> serde_json::Value {
        serde_json::to_value(value).unwrap()
    }

    #[test]
    fn what_programs_read_of_an_endpoint_is_spelled_as_the_api_promises() {
        assert_eq!([Origin::File, Origin::Api].map(shown), ["file", "api"]);
        let whys = [Why::Operator, Why::Gone410, Why::Failing];
        assert_eq!(whys.map(shown), ["operator", "gone", "failing"]);
        assert_eq!(whys.map(Why::as_str), ["operator", "gone", "failing"]);
        assert_eq!(shown(Format::CloudEvents), "cloudevents");
        for status in [Status::Enabled, Status::Paused, Status::Disabled] {
            assert_eq!(shown(status), status.as_str());
        }
    }

    #[test]
    fn an_endpoint_is_enabled_for_no_reason() {
        let standing = Standing::enabled(Timestamp(5));
        assert_eq!((standing.status, standing.why), (Status::Enabled, None));
    }
}
