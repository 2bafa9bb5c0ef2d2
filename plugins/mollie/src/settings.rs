//! What the operator may say of a source: that it takes calls that nobody signed.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Whether legacy calls are events. Off: they are refused.
    #[serde(default)]
    pub(crate) legacy: bool,
}

impl Configured for Settings {}
