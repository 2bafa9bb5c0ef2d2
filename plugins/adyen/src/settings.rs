//! The settings of a source: which merchant account it accepts, and which payments are captured
//! automatically.
//!
//! Without them no authorization counts as taken money.

use std::collections::BTreeMap;

use hookgate_sdk::{Setting, json};
use serde::Deserialize;

/// The name that stands for all other methods.
const OTHERS: &str = "*";

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The merchant account that items must be for. Without it, items of every account pass.
    pub(crate) merchant_account: Option<String>,
    /// How payments are captured. Adyen captures at once by default, but no item says so. Without
    /// this setting every authorization counts as reserved money: a payment that is reported too
    /// late can be looked up, but goods that were shipped without payment are lost.
    capture: Capture,
}

/// For every payment, or by Adyen's name of the payment method. The signature does not cover the
/// method: set `capture` by method only if nobody can change a request on its way to the gateway.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`capture` must be \"automatic\", \"manual\", or a table with one of the two for \
                 each payment method, such as { ideal = \"automatic\", \"*\" = \"manual\" }"
)]
enum Capture {
    Every(How),
    ByMethod(BTreeMap<String, How>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    /// By a request of the merchant, which `CAPTURE` reports.
    Manual,
    /// Together with the authorization.
    Automatic,
}

impl Settings {
    pub(crate) fn declared() -> [Setting; 2] {
        [
            Setting::text(
                "merchant_account",
                "AcmeShop",
                "the merchant account that every item must be for",
            ),
            Setting::any(
                "capture",
                &json!({ "ideal": "automatic", "*": "manual" }),
                "how payments are captured: \"automatic\", \"manual\", or a table with one of the \
                 two for each payment method",
            )
            .with_default("manual"),
        ]
    }

    /// Whether an authorization with this method also takes the money.
    pub(crate) fn captures(&self, method: &str) -> bool {
        let how = match &self.capture {
            Capture::Every(how) => Some(how),
            Capture::ByMethod(methods) => {
                let named = methods.iter().find(|(name, _)| name.eq_ignore_ascii_case(method));
                named.map(|(_, how)| how).or_else(|| methods.get(OTHERS))
            }
        };
        how == Some(&How::Automatic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_captured_that_is_not_said_to_be() {
        for (settings, method, captured) in [
            (r#"{"capture":"manual"}"#, "ideal", false),
            (r#"{"capture":"automatic"}"#, "", true),
            (r#"{"capture":{"ideal":"automatic"}}"#, "iDEAL", true),
            (r#"{"capture":{"ideal":"automatic"}}"#, "visa", false),
            (r#"{"capture":{"visa":"manual","*":"automatic"}}"#, "visa", false),
            (r#"{"capture":{"visa":"manual","*":"automatic"}}"#, "ideal", true),
        ] {
            let read: Settings = serde_json::from_str(settings).unwrap();
            assert_eq!(read.captures(method), captured, "{settings} {method}");
        }
    }
}
