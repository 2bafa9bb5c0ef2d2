//! What the operator must say of a source: the URL that Square knows.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The notification URL as it is registered with Square, byte for byte.
    pub(crate) url: String,
}

impl Configured for Settings {
    fn fits(&self) -> Result<(), String> {
        if self.url.starts_with("https://") || self.url.starts_with("http://") {
            Ok(())
        } else {
            Err("`url` is not the whole URL that is registered with Square".to_owned())
        }
    }
}
