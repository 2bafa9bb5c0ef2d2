//! What the operator may say of a source: how Worldline counts its amounts.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) decimals: Option<Decimals>,
}

/// How many decimals an amount has.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decimals {
    /// Always two, as Connect documents it: 1000 yen are 100000.
    Two,
    /// As many as ISO 4217 gives the currency: 1000 yen are 1000.
    Iso,
}

impl Configured for Settings {}
