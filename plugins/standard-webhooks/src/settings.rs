//! What the operator may say of a source: where a body names its subject.

use hookgate_sdk::Configured;
use serde::Deserialize;

/// Where most senders put the id of what an event is about.
const SUBJECT: &str = "/data/id";

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    subject: Option<String>,
}

impl Configured for Settings {
    fn fits(&self) -> Result<(), String> {
        if self.subject().starts_with('/') {
            Ok(())
        } else {
            Err("`subject` is not a JSON pointer such as /data/customer/id".to_owned())
        }
    }
}

impl Settings {
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
        for settings in [r#"{"subject":"data.id"}"#, r#"{"subject":""}"#, r#"{"key":1}"#] {
            assert!(Settings::check(settings).is_err(), "{settings}");
        }
    }
}
