//! What the operator may say of a source: which version of webhooks it takes.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// None takes what there is.
    pub(crate) version: Option<Version>,
}

/// A version, and with it the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Version {
    /// The secret hash in `verif-hash`.
    V3,
    /// An HMAC in `flutterwave-signature`.
    V4,
}

impl Configured for Settings {}
