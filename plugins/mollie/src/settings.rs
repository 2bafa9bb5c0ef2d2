//! What the operator may say of a source: that it takes calls that nobody signed.

use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Whether legacy calls are events. Off: they are refused.
    #[serde(default)]
    pub(crate) legacy: bool,
}

impl Settings {
    pub(crate) fn read() -> Result<Self, String> {
        hookgate_sdk::settings::read()
    }

    pub(crate) fn check(settings: &str) -> Result<(), String> {
        hookgate_sdk::settings::parse(settings).map(|_: Self| ())
    }
}
