//! What the operator may say: after how many failures to raise an alert.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The handler's `config` table.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The failure in a row that raises an alert, from 1.
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
