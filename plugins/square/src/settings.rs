//! The settings of a source: the URL that is registered with Square, which is required.
//!
//! It is never derived from a request.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The notification URL, byte for byte as it is registered with Square.
    pub(crate) url: String,
}

impl Configured for Settings {
    fn fits(&self) -> Result<(), String> {
        if self.url.starts_with("https://") || self.url.starts_with("http://") {
            Ok(())
        } else {
            Err("`url` must be the whole URL that is registered with Square".to_owned())
        }
    }
}
