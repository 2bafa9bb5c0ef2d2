//! What the operator must say of a source: the URL that Square knows.

use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The notification URL as it is registered with Square, byte for byte.
    pub(crate) url: String,
}

impl Settings {
    pub(crate) fn read() -> Result<Self, String> {
        hookgate_sdk::settings::read()
    }

    pub(crate) fn check(settings: &str) -> Result<(), String> {
        let settings: Self = hookgate_sdk::settings::parse(settings)?;
        if settings.url.starts_with("https://") || settings.url.starts_with("http://") {
            Ok(())
        } else {
            Err("`url` is not the whole URL that is registered with Square".to_owned())
        }
    }
}
