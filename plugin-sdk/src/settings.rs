//! The operator's `config` table for this source or handler.
//!
//! Reads what the gateway hands over as JSON. Settings never hold a secret.

use serde::de::DeserializeOwned;

#[cfg(target_family = "wasm")]
use crate::bindings::provider::hookgate::plugin::settings as door;
#[cfg(not(target_family = "wasm"))]
use crate::testing::doors::settings as door;

/// The settings as they are: a JSON object, `{}` where the operator wrote none.
pub fn text() -> String {
    door::get()
}

/// The settings as a type of the plugin's own. What `check` let pass does not fail here.
pub fn read<T: DeserializeOwned>() -> Result<T, String> {
    parse(&text())
}

/// What `check` does: reads settings as a type, whose `deny_unknown_fields` turns a misspelt name
/// into an error that the operator sees at once.
pub fn parse<T: DeserializeOwned>(settings: &str) -> Result<T, String> {
    serde_json::from_str(settings).map_err(|error| format!("settings do not fit: {error}"))
}

/// Refuses any setting: the default of `check`.
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
