//! The operator's `config` table for this source or handler, as the plugin's own type.
//!
//! The gateway passes it as JSON. A plugin never reads it itself: `type Settings` says what it is,
//! and `Self::settings()` gives it. Settings never hold a secret.

use std::any::{Any, TypeId};
use std::cell::RefCell;

use serde::de::DeserializeOwned;

#[cfg(target_family = "wasm")]
use crate::bindings::provider::hookgate::plugin::settings as door;
#[cfg(not(target_family = "wasm"))]
use crate::setting::Setting;
#[cfg(not(target_family = "wasm"))]
use crate::testing::{doors::settings as door, setting};

/// What a plugin says of its settings in addition to their type.
pub(crate) struct Rules<T> {
    /// The declarations, by which the gateway checks and completes what the operator wrote before
    /// the plugin reads it.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) declared: fn() -> Vec<Setting>,
    /// Checks what the type can't say.
    pub(crate) check: fn(&T) -> Result<(), String>,
}

/// Settings that were read.
struct Read {
    of: TypeId,
    text: String,
    settings: &'static dyn Any,
}

thread_local! {
    /// An instance has one text as long as it lives. A native test has one for each bench, so each
    /// different text is read and kept once.
    static READ: RefCell<Vec<Read>> = const { RefCell::new(Vec::new()) };
}

/// Checks the settings of this source or handler; an error says what is wrong with them.
pub(crate) fn check<T: DeserializeOwned + 'static>(rules: &Rules<T>) -> Result<(), String> {
    parse(&completed(rules)?, rules).map(drop)
}

/// The settings of this source or handler, read and checked once.
///
/// # Panics
///
/// If they are invalid. The gateway checks them before it calls the plugin for anything else.
pub(crate) fn get<T: DeserializeOwned + 'static>(rules: &Rules<T>) -> &'static T {
    let text = completed(rules).unwrap_or_else(|reason| panic!("{reason}"));
    let is_meant = |read: &&Read| read.of == TypeId::of::<T>() && read.text == text;
    let known = READ.with_borrow(|all| all.iter().find(is_meant).map(|read| read.settings));
    if let Some(settings) = known.and_then(<dyn Any>::downcast_ref::<T>) {
        return settings;
    }
    let settings: &'static T = match parse(&text, rules) {
        Ok(settings) => Box::leak(Box::new(settings)),
        Err(reason) => panic!("{reason}"),
    };
    READ.with_borrow_mut(|all| all.push(Read { of: TypeId::of::<T>(), text, settings }));
    settings
}

/// The settings as the gateway passes them.
#[cfg(target_family = "wasm")]
fn completed<T>(_: &Rules<T>) -> Result<String, String> {
    Ok(door::get())
}

/// The settings as the gateway passes them, or what it finds wrong with them.
#[cfg(not(target_family = "wasm"))]
fn completed<T>(rules: &Rules<T>) -> Result<String, String> {
    setting::completed(&(rules.declared)(), &door::get())
}

fn parse<T: DeserializeOwned + 'static>(text: &str, rules: &Rules<T>) -> Result<T, String> {
    let settings = match none::<T>() {
        Some(_) if !is_empty(text) => {
            return Err("this plugin has no settings: remove `config`".to_owned());
        }
        Some(none) => none,
        None => serde_json::from_str(text).map_err(|error| invalid(&error))?,
    };
    (rules.check)(&settings)?;
    Ok(settings)
}

/// The settings of a plugin that has none. The compiler knows which that is, and leaves the reader
/// of JSON out of it: its tables would lie in the memory that is made anew for every call.
fn none<T: 'static>() -> Option<T> {
    if TypeId::of::<T>() != TypeId::of::<()>() {
        return None;
    }
    let none: Box<dyn Any> = Box::new(());
    none.downcast::<T>().ok().map(|none| *none)
}

/// What is wrong with settings. Without the place: the operator wrote another text than this JSON.
fn invalid(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    format!("the settings are invalid: {}", text.strip_suffix(&place).unwrap_or(&text))
}

/// Whether a text is an object without members.
fn is_empty(text: &str) -> bool {
    text.split_ascii_whitespace().collect::<String>() == "{}"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        url: String,
    }

    const RULES: Rules<Settings> = Rules { declared, check: is_whole };
    const NONE: Rules<()> = Rules { declared: Vec::new, check: |()| Ok(()) };

    fn declared() -> Vec<Setting> {
        vec![Setting::text("url", "https://a.example", "the URL").required()]
    }

    fn is_whole(settings: &Settings) -> Result<(), String> {
        let is_whole = settings.url.starts_with("https://");
        if is_whole { Ok(()) } else { Err("`url` is not a whole URL".to_owned()) }
    }

    #[test]
    fn a_plugin_without_settings_refuses_any() {
        for text in ["{}", " { } "] {
            assert_eq!(parse(text, &NONE), Ok(()));
        }
        for text in [r#"{"mode": 1}"#, "[]", "null", ""] {
            let none = "this plugin has no settings: remove `config`";
            assert_eq!(parse(text, &NONE), Err(none.to_owned()), "{text}");
        }
    }

    #[test]
    fn settings_are_of_their_type_and_checked() {
        assert!(parse(r#"{"url": "https://pay.example"}"#, &RULES).is_ok());
        let refused = |text| parse(text, &RULES).unwrap_err();
        assert_eq!(refused(r#"{"url": "/in"}"#), "`url` is not a whole URL");
        let missing = "the settings are invalid: missing field `url`";
        assert_eq!(refused("{}"), missing);
        assert!(refused(r#"{"uri": "https://pay.example"}"#).contains("unknown field `uri`"));
    }

    #[test]
    fn a_setting_that_is_not_declared_never_reaches_the_plugin() {
        let checked = |text| Bench::new().with_settings(text).call(|| check(&RULES));
        assert_eq!(checked(r#"{"url":"https://a.example"}"#), Ok(()));
        let unknown = "unknown setting `uri`; the settings of this plugin are: url".to_owned();
        assert_eq!(checked(r#"{"uri":"https://a.example"}"#), Err(unknown));
        assert!(checked("{}").unwrap_err().starts_with("`url` is missing"));
    }

    #[test]
    fn settings_are_read_once() {
        let at = |url: &str| {
            let bench = Bench::new().with_settings(&format!(r#"{{"url":"https://{url}"}}"#));
            bench.call(|| get(&RULES))
        };
        let (a, b) = (at("a.example"), at("b.example"));
        assert_eq!((&*a.url, &*b.url), ("https://a.example", "https://b.example"));
        assert!(std::ptr::eq(a, at("a.example")));
    }
}
