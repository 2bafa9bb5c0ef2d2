//! What the operator may say of a source: whose notifications it takes, and which payments are
//! captured by themselves.

use std::collections::BTreeMap;

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The method that stands for all that are not named.
const OTHERS: &str = "*";

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The merchant account that items must be for. Items of every account if there is none.
    pub(crate) merchant_account: Option<String>,
    /// How authorizations are captured. Adyen captures at once where nobody sets it otherwise, but
    /// no item says so, so without this setting every authorization is one that waits: a payment
    /// that is told too late can be looked up, goods that left for money that was never taken are
    /// gone.
    #[serde(default)]
    capture: Capture,
}

/// For every payment, or by the name that Adyen has for a payment's method. Items do not sign the
/// method: set it by method only where nobody can change a request on its way to the gateway.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Capture {
    Every(How),
    ByMethod(BTreeMap<String, How>),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    /// By a request, of which `CAPTURE` tells.
    #[default]
    Manual,
    /// With the authorization.
    Automatic,
}

impl Default for Capture {
    fn default() -> Self {
        Self::Every(How::default())
    }
}

impl Configured for Settings {
    const ADVICE: &str = "`capture` is \"automatic\", \"manual\" or a table of one of them by payment \
        method, such as { ideal = \"automatic\", \"*\" = \"manual\" }";

    fn fits(&self) -> Result<(), String> {
        match self.merchant_account.as_deref() {
            Some("") => Err("`merchant_account` is empty".to_owned()),
            Some(account) if account.contains(':') => {
                Err("`merchant_account` can't contain a colon".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Settings {
    /// Whether an authorization with this method takes the money by itself.
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
    fn settings_are_checked() {
        assert_eq!(Settings::check("{}"), Ok(()));
        assert_eq!(Settings::check(r#"{"merchant_account":"AcmeShop"}"#), Ok(()));
        assert_eq!(Settings::check(r#"{"capture":{"ideal":"automatic","*":"manual"}}"#), Ok(()));
        for settings in [
            r#"{"merchant_account":""}"#,
            r#"{"merchant_account":"a:b"}"#,
            r#"{"merchant_account":7}"#,
            r#"{"merchantAccount":"AcmeShop"}"#,
            r#"{"capture":"never"}"#,
            r#"{"capture":{"ideal":true}}"#,
            "[]",
        ] {
            assert!(Settings::check(settings).is_err(), "{settings}");
        }
    }

    #[test]
    fn nothing_is_captured_that_is_not_said_to_be() {
        for (settings, method, captured) in [
            ("{}", "ideal", false),
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
