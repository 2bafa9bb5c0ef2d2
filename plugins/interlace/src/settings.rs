//! The settings of a source: what Interlace signs, which the operator must confirm.
//!
//! There is no default: without them the source accepts no request.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) signed: Signed,
}

/// What the signature covers, as Interlace told the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Signed {
    /// The text of `resource`, and neither the event's name nor its id.
    Resource,
    /// The whole body.
    Body,
}

impl Configured for Settings {
    const ADVICE: &str =
        "ask Interlace what it signs, then set `signed` to \"resource\" or \"body\"";
}
