//! The settings of a source: whether it accepts legacy calls, which are unsigned.
//!
//! The default never accepts them.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Whether the source accepts legacy calls.
    #[serde(default)]
    pub(crate) legacy: bool,
}

impl Configured for Settings {}
