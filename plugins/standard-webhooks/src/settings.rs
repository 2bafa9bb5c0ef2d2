//! What the operator may say of a source: where a body names its subject.

use serde::Deserialize;

/// Where most senders put the id of what an event is about.
const SUBJECT: &str = "/data/id";

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    subject: Option<String>,
}

impl Settings {
    pub(crate) fn read() -> Result<Self, String> {
        hookgate_sdk::settings::read()
    }

    pub(crate) fn check(settings: &str) -> Result<(), String> {
        let settings: Self = hookgate_sdk::settings::parse(settings)?;
        if settings.subject().starts_with('/') {
            Ok(())
        } else {
            Err("`subject` is not a JSON pointer such as /data/customer/id".to_owned())
        }
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
        for settings in [r#"{"subject":"data.id"}"#, r#"{"subject":""}"#, r#"{"key":1}"#] {
            assert!(Settings::check(settings).is_err(), "{settings}");
        }
    }
}
