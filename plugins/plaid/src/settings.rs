//! What the operator must say of a source: whose keys to ask for, and in which environment.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The id that belongs to the source's secret.
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
    /// Where its keys are.
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
            Err("`client_id` is not the id that Plaid gave with the secret".to_owned())
        }
    }
}
