//! What the operator may say of a source: whose notifications it takes.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The merchant account that items must be for. Items of every account if there is none.
    pub(crate) merchant_account: Option<String>,
}

impl Configured for Settings {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        assert_eq!(Settings::check("{}"), Ok(()));
        assert_eq!(Settings::check(r#"{"merchant_account":"AcmeShop"}"#), Ok(()));
        for settings in [
            r#"{"merchant_account":""}"#,
            r#"{"merchant_account":"a:b"}"#,
            r#"{"merchant_account":7}"#,
            r#"{"merchantAccount":"AcmeShop"}"#,
            "[]",
        ] {
            assert!(Settings::check(settings).is_err(), "{settings}");
        }
    }
}
