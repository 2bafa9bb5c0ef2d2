//! The settings that a plugin declares, so that the gateway can check what the operator writes.
//!
//! A declaration says what a value must be and what it does; the type of the plugin's settings says
//! how it is read. Never holds a value of the operator.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Serialize;

pub use crate::bindings::provider::hookgate::plugin::types::{Setting, SettingKind};

/// Every setting has an example, a value that works, and a help of 1 to 300 bytes that says what it
/// does. The operator may leave it out unless it is [`required`](Self::required).
///
/// ```
/// use hookgate_sdk::{HandlerInfo, Setting, types};
///
/// HandlerInfo::new("ledger", "1.0.0", &[types::PAYMENT_SUCCEEDED]).with_settings([
///     Setting::text("endpoint", "books", "where to send payments").required(),
///     Setting::integer("days", 1..=90, 30, "how long a payment may stay open").with_default(14),
/// ]);
/// ```
impl Setting {
    /// A text of 1 to 4,096 bytes.
    pub fn text(name: &str, example: &str, help: &str) -> Self {
        Self::of(name, SettingKind::Text, example, help)
    }

    /// A whole URL, `https` or `http`.
    pub fn url(name: &str, example: &str, help: &str) -> Self {
        Self::of(name, SettingKind::Url, example, help)
    }

    /// A whole number within these bounds.
    pub fn integer(name: &str, bounds: RangeInclusive<i64>, example: i64, help: &str) -> Self {
        Self::of(name, SettingKind::Integer(bounds.into_inner()), &example, help)
    }

    /// `true` or `false`.
    pub fn boolean(name: &str, example: bool, help: &str) -> Self {
        Self::of(name, SettingKind::Boolean, &example, help)
    }

    /// One of these texts, the first of which is the example.
    pub fn choice(name: &str, texts: &[&str], help: &str) -> Self {
        let example = texts.first().copied().unwrap_or_default();
        let texts = texts.iter().map(ToString::to_string).collect();
        Self::of(name, SettingKind::Choice(texts), example, help)
    }

    /// A list of at most 256 texts.
    pub fn texts(name: &str, example: &[&str], help: &str) -> Self {
        Self::of(name, SettingKind::Texts, example, help)
    }

    /// A table of at most 256 names, each with a text.
    pub fn table(name: &str, example: &[(&str, &str)], help: &str) -> Self {
        let example: BTreeMap<&str, &str> = example.iter().copied().collect();
        Self::of(name, SettingKind::Table, &example, help)
    }

    /// Any value: the plugin checks it.
    pub fn any<T: Serialize + ?Sized>(name: &str, example: &T, help: &str) -> Self {
        Self::of(name, SettingKind::Any, example, help)
    }

    fn of<T: Serialize + ?Sized>(name: &str, kind: SettingKind, example: &T, help: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            required: false,
            default: None,
            example: json(example),
            help: help.to_owned(),
        }
    }

    /// The operator must write it.
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The gateway fills this value in where the operator writes none: so the plugin always gets
    /// one, and its type for settings needs no default.
    #[must_use]
    pub fn with_default(self, value: impl Serialize) -> Self {
        Self { default: Some(json(&value)), ..self }
    }
}

/// A value as JSON. What can't be JSON becomes an empty text, which the gateway refuses by the name
/// of the setting.
fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_json_of_its_kind() {
        for (setting, example) in [
            (Setting::text("a", "x\"", "help"), r#""x\"""#),
            (Setting::integer("a", -1..=9, 5, "help"), "5"),
            (Setting::boolean("a", true, "help"), "true"),
            (Setting::choice("a", &["b", "c"], "help"), r#""b""#),
            (Setting::texts("a", &["b", "c"], "help"), r#"["b","c"]"#),
            (Setting::table("a", &[("b", "c")], "help"), r#"{"b":"c"}"#),
            (Setting::any("a", &[Some(1), None], "help"), "[1,null]"),
        ] {
            assert_eq!(setting.example, example);
            assert!(!setting.required && setting.default.is_none());
        }
        assert_eq!(Setting::integer("a", -1..=9, 5, "help").kind, SettingKind::Integer((-1, 9)));
        let setting = Setting::text("a", "x", "help");
        assert!(setting.clone().required().required);
        assert_eq!(setting.with_default("y").default.as_deref(), Some(r#""y""#));
    }

    #[test]
    fn what_cant_be_json_is_nothing() {
        let names = BTreeMap::from([((1, 2), 3)]);
        assert_eq!(Setting::any("a", &names, "help").example, "");
    }
}
