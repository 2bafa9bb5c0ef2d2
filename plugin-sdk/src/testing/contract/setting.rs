//! The gateway's checks of the settings that a plugin declares, when it loads the plugin.
//!
//! The operator's values are checked elsewhere.

use serde_json::Value;

use super::{at_most, line, shortened, text};
use crate::setting::{Setting, SettingKind};
use crate::testing::setting::{fits, wanted};

/// Most settings of one role.
const SETTINGS_MAX: usize = 32;
/// Most bytes of the name of a setting, and of a text of a choice.
const NAME_BYTES_MAX: usize = 64;
/// Most texts of a choice.
const CHOICES_MAX: usize = 64;
/// Most bytes of a help.
const HELP_BYTES_MAX: usize = 300;
/// Most bytes of a value in a declaration, as JSON.
const VALUE_BYTES_MAX: usize = 4 << 10;

/// Checks the settings in a field.
pub(super) fn settings(field: &str, settings: &[Setting]) -> Result<(), String> {
    at_most(field, settings.len(), SETTINGS_MAX)?;
    settings.iter().try_for_each(setting)?;
    let is_twice = |(at, setting): &(usize, &Setting)| {
        settings[..*at].iter().any(|before| before.name == setting.name)
    };
    match settings.iter().enumerate().find(is_twice) {
        None => Ok(()),
        Some((_, twice)) => Err(format!("`{field}` has `{}` twice", twice.name)),
    }
}

fn setting(setting: &Setting) -> Result<(), String> {
    let Setting { name, kind: of, required, default, example, help } = setting;
    text("setting.name", name, NAME_BYTES_MAX)?;
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.bytes().all(known) || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        let shown = shortened(name, NAME_BYTES_MAX);
        return Err(format!("`setting.name` is `{shown}`, not a letter and more of a-z 0-9 _"));
    }
    kind(of)?;
    if let Some(default) = default {
        if *required {
            let reason = "must be none, because the setting is required";
            return Err(format!("`setting.default` of `{name}` {reason}"));
        }
        value("setting.default", name, of, default)?;
    }
    value("setting.example", name, of, example)?;
    line("setting.help", help, HELP_BYTES_MAX)
}

fn kind(kind: &SettingKind) -> Result<(), String> {
    let field = "setting.kind";
    match kind {
        SettingKind::Integer((least, most)) if least > most => {
            Err(format!("`{field}` has no number from {least} to {most}"))
        }
        SettingKind::Choice(texts) if texts.is_empty() => {
            Err(format!("`{field}` has a choice of no text"))
        }
        SettingKind::Choice(texts) => {
            at_most(field, texts.len(), CHOICES_MAX)?;
            texts.iter().try_for_each(|choice| line(field, choice, NAME_BYTES_MAX))
        }
        SettingKind::Text
        | SettingKind::Url
        | SettingKind::Integer(_)
        | SettingKind::Boolean
        | SettingKind::Texts
        | SettingKind::Table
        | SettingKind::Any => Ok(()),
    }
}

fn value(field: &str, name: &str, kind: &SettingKind, written: &str) -> Result<(), String> {
    text(field, written, VALUE_BYTES_MAX)?;
    let value: Value = serde_json::from_str(written)
        .map_err(|error| format!("`{field}` of `{name}` is not JSON: {error}"))?;
    if fits(kind, &value) {
        Ok(())
    } else {
        Err(format!("`{field}` of `{name}` must be {}", wanted(kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: &str = "provider-info.settings";

    #[track_caller]
    fn check(setting: Setting, expected: &str) {
        assert_eq!(settings(FIELD, &[setting]), Err(expected.to_owned()));
    }

    #[test]
    fn a_setting_is_declared_whole() {
        let plain = || Setting::choice("capture", &["automatic", "manual"], "how");
        let good = [plain().with_default("manual"), Setting::text("b", "x", "help").required()];
        assert_eq!(settings(FIELD, &good), Ok(()));
        check(
            Setting::text("Url", "x", "help"),
            "`setting.name` is `Url`, not a letter and more of a-z 0-9 _",
        );
        check(Setting::url("url", "/in", "help"), "`setting.example` of `url` must be a whole URL");
        check(Setting::text("a", "x", ""), "`setting.help` has 0 bytes, not 1 to 300");
        check(
            plain().with_default("manual").required(),
            "`setting.default` of `capture` must be none, because the setting is required",
        );
        check(
            plain().with_default("never"),
            r#"`setting.default` of `capture` must be one of "automatic", "manual""#,
        );
        check(Setting::choice("a", &[], "help"), "`setting.kind` has a choice of no text");
        let none = std::ops::RangeInclusive::new(2, 1);
        check(Setting::integer("a", none, 1, "help"), "`setting.kind` has no number from 2 to 1");
        let twice = settings(FIELD, &[plain(), plain()]);
        assert_eq!(twice, Err(format!("`{FIELD}` has `capture` twice")));
        let many: Vec<_> =
            (0..33).map(|at| Setting::text(&format!("a{at}"), "x", "help")).collect();
        let much = format!("`{FIELD}` has 33 items; the limit is 32");
        assert_eq!(settings(FIELD, &many), Err(much));
    }
}
