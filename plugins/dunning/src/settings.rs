//! The settings of the handler: the number of failures that raises an alert, 3 by default.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The handler's `config` table.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The number of failures in a row that raises an alert, at least 1.
    pub(crate) alert_after: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { alert_after: 3 }
    }
}

impl Configured for Settings {
    fn fits(&self) -> Result<(), String> {
        if self.alert_after >= 1 {
            Ok(())
        } else {
            Err("`alert_after` must be at least 1".to_owned())
        }
    }
}
