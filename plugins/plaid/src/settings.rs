//! The settings of a source: the client id for look-ups of keys, which is required, and the
//! environment.
//!
//! Neither is a secret.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The client id that Plaid gave together with the source's secret.
    pub(crate) client_id: String,
    #[serde(default)]
    pub(crate) environment: Environment,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Environment {
    #[default]
    Production,
    Sandbox,
}

impl Environment {
    /// The URL of its keys.
    pub(crate) fn keys(self) -> &'static str {
        match self {
            Self::Production => "https://production.plaid.com/webhook_verification_key/get",
            Self::Sandbox => "https://sandbox.plaid.com/webhook_verification_key/get",
        }
    }
}

impl Configured for Settings {
    fn fits(&self) -> Result<(), String> {
        if (1..=64).contains(&self.client_id.len()) {
            Ok(())
        } else {
            Err("`client_id` must have 1 to 64 bytes: Plaid gave it with the secret".to_owned())
        }
    }
}
