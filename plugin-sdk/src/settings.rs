//! The operator's `config` table for this source or handler.
//!
//! The gateway passes it as JSON. Settings never hold a secret.

use serde::de::DeserializeOwned;

#[cfg(target_family = "wasm")]
use crate::bindings::provider::hookgate::plugin::settings as door;
#[cfg(not(target_family = "wasm"))]
use crate::testing::doors::settings as door;

/// The settings as they are: a JSON object, `{}` where the operator wrote none.
pub fn text() -> String {
    door::get()
}

/// A plugin's own type for its settings. Give it `deny_unknown_fields`, so that the operator sees a
/// misspelt name at once.
///
/// ```
/// use hookgate_sdk::Configured;
///
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Settings {
///     url: String,
/// }
///
/// impl Configured for Settings {
///     fn fits(&self) -> Result<(), String> {
///         let is_whole = self.url.starts_with("https://");
///         if is_whole { Ok(()) } else { Err("`url` is not a whole URL".to_owned()) }
///     }
/// }
///
/// assert_eq!(Settings::check(r#"{"url": "https://pay.example"}"#), Ok(()));
/// assert!(Settings::check(r#"{"url": "/in"}"#).is_err());
/// assert!(Settings::check(r#"{"uri": "https://pay.example"}"#).is_err());
/// ```
pub trait Configured: DeserializeOwned {
    /// Advice to the operator, added to the error if the settings can't be read as this type.
    const ADVICE: &str = "";

    /// Checks the values of settings that were read; an error says what is wrong.
    fn fits(&self) -> Result<(), String> {
        Ok(())
    }

    /// Reads and checks settings. A plugin's own `check` calls this.
    fn check(settings: &str) -> Result<(), String> {
        let advise = |error| match Self::ADVICE {
            "" => error,
            advice => format!("{error}; {advice}"),
        };
        parse::<Self>(settings).map_err(advise)?.fits()
    }

    /// The settings of this source or handler. This does not fail for settings that
    /// [`check`](Self::check) accepted.
    fn read() -> Result<Self, String> {
        parse(&text())
    }
}

fn parse<T: DeserializeOwned>(settings: &str) -> Result<T, String> {
    serde_json::from_str(settings).map_err(|error| format!("the settings are invalid: {error}"))
}

/// Accepts no setting: the default of `check`.
pub fn none(settings: &str) -> Result<(), String> {
    match settings.split_ascii_whitespace().collect::<String>().as_str() {
        "{}" => Ok(()),
        _ => Err("this plugin has no settings".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_without_settings_refuses_any() {
        assert_eq!(none("{}"), Ok(()));
        assert_eq!(none(" { } "), Ok(()));
        assert!(none(r#"{"mode": 1}"#).is_err());
        assert!(none("[]").is_err());
    }
}
