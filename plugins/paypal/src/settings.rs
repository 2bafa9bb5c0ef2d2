//! The settings of a source: the id of its webhook, which is required, and its environment.
//!
//! Neither is a secret.

use hookgate_sdk::{KeyPlace, Setting};
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The webhook's id, which is part of what PayPal signs.
    pub(crate) webhook_id: String,
    pub(crate) environment: Environment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Environment {
    Live,
    Sandbox,
}

impl Settings {
    pub(crate) fn declared() -> [Setting; 2] {
        let id = "the id of the webhook, which PayPal's dashboard shows";
        [
            Setting::text("webhook_id", "8PT597110X687430LKGECATA", id).required(),
            Setting::choice("environment", &["live", "sandbox"], "PayPal's environment")
                .with_default("live"),
        ]
    }
}

impl Environment {
    /// The places of its certificates, with the DNS name that they are issued to.
    pub(crate) fn places(self) -> Vec<KeyPlace> {
        let (urls, name): (&[&str], _) = match self {
            Self::Live => (
                &[
                    "https://api.paypal.com/v1/notifications/certs/",
                    "https://api-m.paypal.com/v1/notifications/certs/",
                ],
                "messageverificationcerts.paypal.com",
            ),
            Self::Sandbox => (
                &[
                    "https://api.sandbox.paypal.com/v1/notifications/certs/",
                    "https://api-m.sandbox.paypal.com/v1/notifications/certs/",
                    // PayPal's own libraries are tested with this one.
                    "https://api.sandbox.paypal.com/v1/notifications/test",
                ],
                "messageverificationcerts.sandbox.paypal.com",
            ),
        };
        urls.iter().map(|url| KeyPlace::certificate(url, name)).collect()
    }
}
