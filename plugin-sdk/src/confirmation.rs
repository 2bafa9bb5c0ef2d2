//! The operator's word that a provider signs as its plugin believes.
//!
//! For plugins that rest on less than the provider's own documents or code. The setting is
//! required, so a source of such a plugin is stopped until somebody has looked. Never confirms
//! anything by itself.

use serde::Deserialize;

use crate::setting::Setting;

/// `confirmed = true` in a source's `config`. Settings in which it is `false` are invalid.
///
/// ```
/// use hookgate_sdk::{Confirmation, Confirmed, Setting};
///
/// // The settings of a provider that has no others; one that has puts the member into its own.
/// let settings: Confirmed = serde_json::from_str(r#"{"confirmed":true}"#).unwrap();
/// assert_eq!(settings.confirmed, Confirmation);
/// assert!(serde_json::from_str::<Confirmed>(r#"{"confirmed":false}"#).is_err());
/// assert!(Setting::confirmed("one integrator's code").required);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "bool")]
pub struct Confirmation;

impl TryFrom<bool> for Confirmation {
    type Error = &'static str;

    fn try_from(confirmed: bool) -> Result<Self, Self::Error> {
        let reason = "`confirmed` is false: compare a genuine request with what the plugin's \
                      documentation says, then write true";
        confirmed.then_some(Self).ok_or(reason)
    }
}

/// The settings of a provider that has to be confirmed and has no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    /// That the operator has looked.
    pub confirmed: Confirmation,
}

impl Setting {
    /// The setting `confirmed`, which the operator must write, of a provider whose scheme rests on
    /// this: `one integrator's code`. At most 100 bytes.
    pub fn confirmed(rests_on: &str) -> Self {
        let help = format!(
            "true once you have seen how the provider signs: that the plugin reads it right rests \
             on {rests_on}"
        );
        Self::boolean("confirmed", true, &help).required()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SettingKind;

    #[test]
    fn only_true_confirms() {
        let read = |text: &str| serde_json::from_str::<Confirmed>(text);
        assert_eq!(read(r#"{"confirmed":true}"#).unwrap().confirmed, Confirmation);
        for text in [r#"{"confirmed":false}"#, r#"{"confirmed":"true"}"#, "{}", "null"] {
            assert!(read(text).is_err(), "{text}");
        }
        let refused = read(r#"{"confirmed":false}"#).unwrap_err().to_string();
        assert!(refused.starts_with("`confirmed` is false: compare"), "{refused}");
    }

    #[test]
    fn who_must_confirm_is_told_what_it_rests_on() {
        let setting = Setting::confirmed("memory");
        assert_eq!((setting.kind, setting.required), (SettingKind::Boolean, true));
        assert!(setting.help.ends_with("rests on memory") && setting.help.len() < 200);
    }
}
