//! The settings of a source: JSON pointers to the subject and to the three common labels.
//!
//! They never change how a request is verified.

use hookgate_sdk::{Configured, Members};
use serde::Deserialize;

/// Where most senders put the id of the entity that an event is about.
const SUBJECT: &str = "/data/id";

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    subject: Option<String>,
    pub(crate) account: Option<String>,
    livemode: Option<String>,
    pub(crate) reference: Option<String>,
}

impl Configured for Settings {
    fn fits(&self) -> Result<(), String> {
        let set = [
            ("subject", Some(self.subject())),
            ("account", self.account.as_deref()),
            ("livemode", self.livemode.as_deref()),
            ("reference", self.reference.as_deref()),
        ];
        let wrong = |(_, pointer): &(&str, Option<&str>)| {
            pointer.is_some_and(|pointer| !pointer.starts_with('/'))
        };
        match set.into_iter().find(wrong) {
            None => Ok(()),
            Some((name, _)) => {
                Err(format!("`{name}` is not a JSON pointer such as /data/customer/id"))
            }
        }
    }
}

impl Settings {
    /// Whether an event is about real money, if the place that the operator set says so.
    pub(crate) fn livemode(&self, members: &Members<'_>) -> Option<bool> {
        let pointer = self.livemode.as_deref()?;
        members.flag(pointer).or_else(|| members.is_live(pointer))
    }

    /// The JSON pointer to the subject.
    pub(crate) fn subject(&self) -> &str {
        self.subject.as_deref().unwrap_or(SUBJECT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        assert_eq!(Settings::check("{}"), Ok(()));
        assert_eq!(Settings::check(r#"{"subject":"/data/customer/id"}"#), Ok(()));
        assert_eq!(Settings::check(r#"{"reference":"/data/order","livemode":"/live"}"#), Ok(()));
        for settings in [
            r#"{"subject":"data.id"}"#,
            r#"{"subject":""}"#,
            r#"{"account":"data.shop"}"#,
            r#"{"key":1}"#,
        ] {
            assert!(Settings::check(settings).is_err(), "{settings}");
        }
    }
}
