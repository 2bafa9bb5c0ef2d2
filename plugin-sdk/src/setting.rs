//! The settings that a plugin declares, so that the gateway can check what the operator writes.
//!
//! A declaration says what a value must be and what it does; the type of the plugin's settings says
//! how it is read. Never holds a value of the operator.

pub use crate::bindings::provider::hookgate::plugin::types::{Setting, SettingKind};

impl Setting {
    /// A setting that the operator may leave out. `example` is a value that works, as JSON, and
    /// `help` says what the setting does, in 1 to 300 bytes.
    ///
    /// ```
    /// use hookgate_sdk::{Setting, SettingKind};
    ///
    /// let url = Setting::new("url", SettingKind::Url, r#""https://pay.example/hook""#, "the URL")
    ///     .required();
    /// assert!(url.required);
    /// ```
    pub fn new(name: &str, kind: SettingKind, example: &str, help: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            required: false,
            default: None,
            example: example.to_owned(),
            help: help.to_owned(),
        }
    }

    /// One of these texts.
    pub fn choice(name: &str, texts: &[&str], help: &str) -> Self {
        let example = texts.first().map_or_else(String::new, |text| format!("\"{text}\""));
        let texts = texts.iter().map(ToString::to_string).collect();
        Self::new(name, SettingKind::Choice(texts), &example, help)
    }

    /// The operator must write it.
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The gateway fills this value in, as JSON, where the operator writes none.
    #[must_use]
    pub fn with_default(self, value: &str) -> Self {
        Self { default: Some(value.to_owned()), ..self }
    }
}
