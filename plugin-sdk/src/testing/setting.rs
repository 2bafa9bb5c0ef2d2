//! The gateway's check of settings against their declarations.
//!
//! It has the gateway's words, so that a test shows what the operator would read. What a
//! declaration can't say is the plugin's own to check.

use serde_json::{Map, Value};

use crate::setting::{Setting, SettingKind};

const TEXT_BYTES_MAX: usize = 4_096;
const URL_BYTES_MAX: usize = 2_048;
const ITEMS_MAX: usize = 256;

/// The settings with the defaults of those that are not there; an error says what is wrong with
/// them.
pub(crate) fn completed(declared: &[Setting], text: &str) -> Result<String, String> {
    let object = serde_json::from_str::<Map<String, Value>>(text);
    let mut settings = object.map_err(|_| "the settings are not a table".to_owned())?;
    for (name, value) in &settings {
        match declared.iter().find(|setting| setting.name == *name) {
            Some(setting) if fits(&setting.kind, value) => (),
            Some(setting) => return Err(format!("`{name}` must be {}", shown(setting))),
            None if declared.is_empty() => {
                return Err("this plugin has no settings: remove `config`".to_owned());
            }
            None => {
                let names: Vec<&str> = declared.iter().map(|it| it.name.as_str()).collect();
                let names = names.join(", ");
                return Err(format!(
                    "unknown setting `{name}`; the settings of this plugin are: {names}"
                ));
            }
        }
    }
    for setting in declared {
        let Setting { name, required, default, help, .. } = setting;
        if settings.contains_key(name) {
            continue;
        }
        if *required {
            return Err(format!("`{name}` is missing ({help}): set it to {}", shown(setting)));
        }
        if let Some(default) = default {
            let default = serde_json::from_str(default)
                .map_err(|error| format!("the default of `{name}` is not JSON: {error}"))?;
            settings.insert(name.clone(), default);
        }
    }
    Ok(Value::Object(settings).to_string())
}

/// Whether a value is of a kind.
pub(super) fn fits(kind: &SettingKind, value: &Value) -> bool {
    let is_text = |value: &Value, least: usize| {
        value.as_str().is_some_and(|text| (least..=TEXT_BYTES_MAX).contains(&text.len()))
    };
    match kind {
        SettingKind::Text => is_text(value, 1),
        SettingKind::Url => value.as_str().is_some_and(is_whole_url),
        SettingKind::Integer((least, most)) => {
            value.as_i64().is_some_and(|number| (*least..=*most).contains(&number))
        }
        SettingKind::Boolean => value.is_boolean(),
        SettingKind::Choice(texts) => {
            value.as_str().is_some_and(|text| texts.iter().any(|known| known == text))
        }
        SettingKind::Texts => value.as_array().is_some_and(|list| {
            list.len() <= ITEMS_MAX && list.iter().all(|item| is_text(item, 1))
        }),
        SettingKind::Table => value.as_object().is_some_and(|table| {
            table.len() <= ITEMS_MAX && table.values().all(|item| is_text(item, 0))
        }),
        SettingKind::Any => true,
    }
}

/// What the value of a setting must be, for people, with its example where the words alone do not
/// show how a value is written.
fn shown(setting: &Setting) -> String {
    let wanted = wanted(&setting.kind);
    match setting.kind {
        SettingKind::Integer(_) | SettingKind::Boolean | SettingKind::Choice(_) => wanted,
        SettingKind::Text
        | SettingKind::Url
        | SettingKind::Texts
        | SettingKind::Table
        | SettingKind::Any => format!("{wanted}, such as {}", setting.example),
    }
}

/// What a value must be, for people.
pub(super) fn wanted(kind: &SettingKind) -> String {
    match kind {
        SettingKind::Text => format!("a text of 1 to {TEXT_BYTES_MAX} bytes"),
        SettingKind::Url => "a whole URL".to_owned(),
        SettingKind::Integer((least, most)) => format!("a whole number from {least} to {most}"),
        SettingKind::Boolean => "true or false".to_owned(),
        SettingKind::Choice(texts) => match &texts[..] {
            [only] => format!("\"{only}\""),
            texts => format!("one of \"{}\"", texts.join("\", \"")),
        },
        SettingKind::Texts => format!("a list of at most {ITEMS_MAX} texts"),
        SettingKind::Table => format!("a table of at most {ITEMS_MAX} names, each with a text"),
        SettingKind::Any => "a value".to_owned(),
    }
}

/// Whether a URL has a scheme and a host. The gateway reads the rest of it too.
fn is_whole_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    let has_host = |rest: &str| !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':']);
    text.len() <= URL_BYTES_MAX && is_printable && rest.is_some_and(has_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> Vec<Setting> {
        vec![
            Setting::url("url", "https://a.example", "the URL").required(),
            Setting::choice("capture", &["automatic", "manual"], "how").with_default("manual"),
        ]
    }

    #[test]
    fn defaults_are_filled_in_and_what_is_wrong_is_named() {
        let filled = completed(&declared(), r#"{"url":"https://a.example"}"#);
        assert_eq!(filled.unwrap(), r#"{"capture":"manual","url":"https://a.example"}"#);
        for (text, reason) in [
            (
                "{}",
                "`url` is missing (the URL): set it to a whole URL, such as \"https://a.example\"",
            ),
            (r#"{"url":"/in"}"#, "`url` must be a whole URL, such as \"https://a.example\""),
            (
                r#"{"uri":1}"#,
                "unknown setting `uri`; the settings of this plugin are: url, capture",
            ),
            (r#"{"capture":"never"}"#, r#"`capture` must be one of "automatic", "manual""#),
            ("[]", "the settings are not a table"),
        ] {
            assert_eq!(completed(&declared(), text), Err(reason.to_owned()), "{text}");
        }
        let none = "this plugin has no settings: remove `config`";
        assert_eq!(completed(&[], r#"{"a":1}"#), Err(none.to_owned()));
    }
}
