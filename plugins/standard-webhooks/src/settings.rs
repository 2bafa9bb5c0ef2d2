//! The settings of a source: JSON pointers to the subject and to the three common labels.
//!
//! They never change how a request is verified.

use hookgate_sdk::json::Pointer;
use hookgate_sdk::{Members, Setting};
use serde::Deserialize;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `/data/id` by default: most senders have the id of the entity there.
    pub(crate) subject: Pointer,
    pub(crate) account: Option<Pointer>,
    livemode: Option<Pointer>,
    pub(crate) reference: Option<Pointer>,
}

impl Settings {
    pub(crate) fn declared() -> [Setting; 4] {
        let subject = "the place of the subject, a JSON pointer";
        [
            Setting::text("subject", "/data/customer/id", subject).with_default("/data/id"),
            Setting::text("account", "/data/shop", "the place of the account"),
            Setting::text("livemode", "/live", "the place of a flag or an environment"),
            Setting::text("reference", "/data/order", "the place of the receiver's own reference"),
        ]
    }

    /// Whether an event is about real money, if the place that the operator set says so.
    pub(crate) fn livemode(&self, members: &Members<'_>) -> Option<bool> {
        let pointer = self.livemode.as_deref()?;
        members.flag(pointer).or_else(|| members.is_live(pointer))
    }
}
