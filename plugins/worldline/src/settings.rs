//! The settings of a source: the number of decimals in Worldline's amounts.
//!
//! Without them an amount is never guessed.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) decimals: Option<Decimals>,
}

/// The number of decimals in an amount.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decimals {
    /// Always two, as Connect documents it: 1000 yen are 100000.
    Two,
    /// As many as ISO 4217 gives the currency: 1000 yen are 1000.
    Iso,
}

impl Configured for Settings {}
