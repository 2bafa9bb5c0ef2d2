//! The settings that a plugin declares, and how long a handler's states may last, held against the
//! contract.
//!
//! A declaration that contradicts itself is refused at load, when its author looks. The operator's
//! values are held against it elsewhere ([`crate::setting`]).

use serde_json::Value;

use super::super::bindings::exports::hookgate::plugin::handler;
use super::super::bindings::hookgate::plugin::types;
use super::super::handler::StateRule;
use super::super::violation::{self, Violation, violation};
use crate::setting::{Setting, SettingKind};

/// Most settings of one role.
const SETTINGS_MAX: usize = 32;
/// Longest name of a setting, and longest text of a choice.
const NAME_BYTES_MAX: usize = 64;
/// Most texts of a choice.
const CHOICES_MAX: usize = 64;
/// Longest text on what a setting does, in bytes.
const HELP_BYTES_MAX: usize = 300;
/// Longest value in a declaration, in bytes of JSON.
const VALUE_BYTES_MAX: usize = 4 << 10;
/// Most rules for states.
const STATES_MAX: usize = 64;
/// Longest key and value of a state, in bytes.
const STATE_BYTES_MAX: usize = 256;
/// The shortest and the longest time in a state, in milliseconds.
const STUCK_AFTER_MS: std::ops::RangeInclusive<u64> = 1_000..=366 * 86_400_000;

/// The settings in this field, `provider-info.settings` or `handler-info.settings`.
pub(super) fn settings(
    field: &'static str,
    settings: Vec<types::Setting>,
) -> Result<Vec<Setting>, Violation> {
    let settings = violation::at_most(field, settings, SETTINGS_MAX)?
        .into_iter()
        .map(setting)
        .collect::<Result<Vec<_>, _>>()?;
    let is_twice = |(at, setting): &(usize, &Setting)| {
        settings[..*at].iter().any(|before| before.name == setting.name)
    };
    match settings.iter().enumerate().find(is_twice) {
        None => Ok(settings),
        Some((_, twice)) => Err(violation(field, format!("has `{}` twice", twice.name))),
    }
}

fn setting(setting: types::Setting) -> Result<Setting, Violation> {
    let name = violation::text("setting.name", setting.name, NAME_BYTES_MAX)?;
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.bytes().all(known) || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        let shown = violation::shortened(&name, NAME_BYTES_MAX);
        let reason = format!("is `{shown}`, not a letter and more of a-z 0-9 _");
        return Err(violation("setting.name", reason));
    }
    let kind = kind(setting.kind)?;
    if setting.required && setting.default.is_some() {
        let reason = format!("of `{name}` must be none, because the setting is required");
        return Err(violation("setting.default", reason));
    }
    let value = |field, text: String| value(field, &name, &kind, text);
    let default = setting.default.map(|text| value("setting.default", text)).transpose()?;
    let example = value("setting.example", setting.example)?;
    let help = violation::line("setting.help", setting.help, HELP_BYTES_MAX)?;
    Ok(Setting { kind, required: setting.required, default, example, help, name })
}

fn kind(kind: types::SettingKind) -> Result<SettingKind, Violation> {
    let field = "setting.kind";
    Ok(match kind {
        types::SettingKind::Text => SettingKind::Text,
        types::SettingKind::Url => SettingKind::Url,
        types::SettingKind::Integer((least, most)) if least <= most => {
            SettingKind::Integer(least, most)
        }
        types::SettingKind::Integer((least, most)) => {
            return Err(violation(field, format!("has no number from {least} to {most}")));
        }
        types::SettingKind::Boolean => SettingKind::Boolean,
        types::SettingKind::Choice(texts) if texts.is_empty() => {
            return Err(violation(field, "has a choice of no text"));
        }
        types::SettingKind::Choice(texts) => {
            let texts = violation::at_most(field, texts, CHOICES_MAX)?;
            let text = |text| violation::line(field, text, NAME_BYTES_MAX);
            SettingKind::Choice(texts.into_iter().map(text).collect::<Result<_, _>>()?)
        }
        types::SettingKind::Texts => SettingKind::Texts,
        types::SettingKind::Table => SettingKind::Table,
        types::SettingKind::Any => SettingKind::Any,
    })
}

fn value(
    field: &'static str,
    name: &str,
    kind: &SettingKind,
    text: String,
) -> Result<Value, Violation> {
    let text = violation::text(field, text, VALUE_BYTES_MAX)?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| violation(field, format!("of `{name}` is not JSON: {error}")))?;
    if kind.fits(&value) {
        Ok(value)
    } else {
        Err(violation(field, format!("of `{name}` must be {}", kind.wanted())))
    }
}

/// How long a subject may stay in which state.
pub(super) fn states(states: Vec<handler::StateRule>) -> Result<Vec<StateRule>, Violation> {
    let states = violation::at_most("handler-info.states", states, STATES_MAX)?;
    let state = |rule: handler::StateRule| {
        if !STUCK_AFTER_MS.contains(&rule.stuck_after_ms) {
            let reason = format!("is {} ms, not 1 second to 366 days", rule.stuck_after_ms);
            return Err(violation("state-rule.stuck-after-ms", reason));
        }
        let value = |text| violation::line("state-rule.value", text, STATE_BYTES_MAX);
        Ok(StateRule {
            key: violation::line("state-rule.key", rule.key, STATE_BYTES_MAX)?,
            value: rule.value.map(value).transpose()?,
            stuck_after: std::time::Duration::from_millis(rule.stuck_after_ms),
        })
    };
    states.into_iter().map(state).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> types::Setting {
        types::Setting {
            name: "capture".to_owned(),
            kind: types::SettingKind::Choice(vec!["automatic".to_owned(), "manual".to_owned()]),
            required: false,
            default: Some("\"manual\"".to_owned()),
            example: "\"automatic\"".to_owned(),
            help: "how the account captures payments".to_owned(),
        }
    }

    #[track_caller]
    fn lies(change: impl FnOnce(&mut types::Setting), field: &str) {
        let mut changed = plain();
        change(&mut changed);
        assert_eq!(settings("provider-info.settings", vec![changed]).unwrap_err().field, field);
    }

    #[test]
    fn a_setting_is_declared_whole() {
        let declared = settings("provider-info.settings", vec![plain()]).unwrap();
        assert_eq!(declared[0].default, Some("manual".into()));
        for name in ["", "Capture", "1st", "a b", "é", &"a".repeat(65)] {
            lies(|it| it.name = name.to_owned(), "setting.name");
        }
        lies(|it| it.required = true, "setting.default");
        lies(|it| it.default = Some("manual".to_owned()), "setting.default");
        lies(|it| it.default = Some("\"never\"".to_owned()), "setting.default");
        lies(|it| it.example = "1".to_owned(), "setting.example");
        lies(|it| it.help = String::new(), "setting.help");
        lies(|it| it.help = "\x1b[2J".to_owned(), "setting.help");
        lies(|it| it.kind = types::SettingKind::Choice(Vec::new()), "setting.kind");
        lies(|it| it.kind = types::SettingKind::Integer((2, 1)), "setting.kind");
        let twice = settings("provider-info.settings", vec![plain(), plain()]).unwrap_err();
        assert_eq!(twice.to_string(), "`provider-info.settings` has `capture` twice");
        let many = (0..33).map(|number| types::Setting { name: format!("a{number}"), ..plain() });
        assert!(settings("provider-info.settings", many.collect()).is_err());
    }

    #[test]
    fn a_state_lasts_from_a_second_to_a_year() {
        let rule = |key: &str, value: Option<&str>, stuck_after_ms| handler::StateRule {
            key: key.to_owned(),
            value: value.map(str::to_owned),
            stuck_after_ms,
        };
        assert!(states(vec![rule("step", Some("paid"), 86_400_000)]).is_ok());
        assert!(states(vec![rule("step", None, 1_000)]).is_ok());
        let field = |rule| states(vec![rule]).unwrap_err().field;
        assert_eq!(field(rule("step", None, 999)), "state-rule.stuck-after-ms");
        assert_eq!(field(rule("step", None, u64::MAX)), "state-rule.stuck-after-ms");
        assert_eq!(field(rule("", None, 1_000)), "state-rule.key");
        assert_eq!(field(rule("step", Some(""), 1_000)), "state-rule.value");
    }
}
