//! The settings of a source: which version of webhooks it accepts.
//!
//! Without them a source accepts both, each with its own proof.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Without it, each proof that a request carries must hold.
    pub(crate) version: Option<Version>,
}

/// A version of webhooks, which decides the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Version {
    /// The secret hash in `verif-hash`.
    V3,
    /// An HMAC in `flutterwave-signature`.
    V4,
}

impl Configured for Settings {}
