//! The settings of a source: JSON pointers to the subject and to the three common labels.
//!
//! They never change how a request is verified.

use hookgate_sdk::json::Pointer;
use hookgate_sdk::{Members, Setting, SettingKind};
use serde::Deserialize;

/// Where most senders put the id of the entity that an event is about.
const SUBJECT: &str = "/data/id";

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    subject: Option<Pointer>,
    pub(crate) account: Option<Pointer>,
    livemode: Option<Pointer>,
    pub(crate) reference: Option<Pointer>,
}

impl Settings {
    pub(crate) fn declared() -> [Setting; 4] {
        let place = |name: &str, example: &str, help: &str| {
            Setting::new(name, SettingKind::Text, example, help)
        };
        [
            place("subject", r#""/data/customer/id""#, "the place of the subject, a JSON pointer")
                .with_default(r#""/data/id""#),
            place("account", r#""/data/shop""#, "the place of the account"),
            place("livemode", r#""/live""#, "the place of a flag or an environment"),
            place("reference", r#""/data/order""#, "the place of the receiver's own reference"),
        ]
    }

    /// Whether an event is about real money, if the place that the operator set says so.
    pub(crate) fn livemode(&self, members: &Members<'_>) -> Option<bool> {
        let pointer = self.livemode.as_deref()?;
        members.flag(pointer).or_else(|| members.is_live(pointer))
    }

    /// The place of the subject.
    pub(crate) fn subject(&self) -> &str {
        self.subject.as_deref().unwrap_or(SUBJECT)
    }
}
