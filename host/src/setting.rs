//! The settings that a plugin declares, and the operator's values held against them.
//!
//! Pure. The operator learns which setting is missing, misspelt or of another kind, and what it
//! must be; never what stands there, since it may be a secret in the wrong place. What a kind can't
//! say is the plugin's own to check.

use serde_json::{Map, Value};
use url::Url;

/// Longest text, in bytes.
const TEXT_BYTES_MAX: usize = 4_096;
/// Longest URL, in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// Most texts of a list, and most names of a table.
const ITEMS_MAX: usize = 256;

/// A setting that a plugin reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// What its value must be.
    pub kind: SettingKind,
    /// Whether the operator must write it.
    pub required: bool,
    /// Its value where the operator writes none.
    pub default: Option<Value>,
    /// A value that works.
    pub example: Value,
    /// What it does, for people.
    pub help: String,
}

/// What the value of a setting must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingKind {
    /// A text that is not empty.
    Text,
    /// A whole URL.
    Url,
    /// A whole number from the first to the second.
    Integer(i64, i64),
    /// Yes or no.
    Boolean,
    /// One of these texts.
    Choice(Vec<String>),
    /// A list of texts that are not empty.
    Texts,
    /// Names, and a text for each.
    Table,
    /// Any value.
    Any,
}

impl Setting {
    /// What its value must be, for people.
    pub fn wanted(&self) -> String {
        let wanted = self.kind.wanted();
        if self.kind.needs_example() {
            format!("{wanted}, such as {}", self.example)
        } else {
            wanted
        }
    }
}

impl SettingKind {
    /// Whether a value is of this kind.
    pub fn fits(&self, value: &Value) -> bool {
        let is_text = |value: &Value, least: usize| {
            value.as_str().is_some_and(|text| (least..=TEXT_BYTES_MAX).contains(&text.len()))
        };
        match self {
            Self::Text => is_text(value, 1),
            Self::Url => value.as_str().is_some_and(is_whole_url),
            Self::Integer(least, most) => {
                value.as_i64().is_some_and(|number| (*least..=*most).contains(&number))
            }
            Self::Boolean => value.is_boolean(),
            Self::Choice(texts) => {
                value.as_str().is_some_and(|text| texts.iter().any(|known| known == text))
            }
            Self::Texts => value.as_array().is_some_and(|list| {
                list.len() <= ITEMS_MAX && list.iter().all(|item| is_text(item, 1))
            }),
            Self::Table => value.as_object().is_some_and(|table| {
                table.len() <= ITEMS_MAX && table.values().all(|item| is_text(item, 0))
            }),
            Self::Any => true,
        }
    }

    /// Whether its words alone do not show how a value is written.
    fn needs_example(&self) -> bool {
        !matches!(self, Self::Integer(..) | Self::Boolean | Self::Choice(_))
    }

    /// What a value must be, for people.
    pub fn wanted(&self) -> String {
        match self {
            Self::Text => format!("a text of 1 to {TEXT_BYTES_MAX} bytes"),
            Self::Url => "a whole URL".to_owned(),
            Self::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Self::Boolean => "true or false".to_owned(),
            Self::Choice(texts) => match &texts[..] {
                [only] => format!("\"{only}\""),
                texts => format!("one of \"{}\"", texts.join("\", \"")),
            },
            Self::Texts => format!("a list of at most {ITEMS_MAX} texts"),
            Self::Table => format!("a table of at most {ITEMS_MAX} names, each with a text"),
            Self::Any => "a value".to_owned(),
        }
    }
}

fn is_whole_url(text: &str) -> bool {
    text.len() <= URL_BYTES_MAX
        && Url::parse(text)
            .is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
}

/// Whether the operator's values are what a plugin declares: what is wrong with the first that is
/// not.
pub fn check(declared: &[Setting], config: &str) -> Result<(), String> {
    let config = object(config)?;
    for (name, value) in &config {
        match declared.iter().find(|setting| setting.name == *name) {
            Some(setting) if setting.kind.fits(value) => (),
            Some(setting) => {
                return Err(format!("`{name}` must be {}", setting.wanted()));
            }
            None if declared.is_empty() => {
                return Err("this plugin has no settings: remove `config`".to_owned());
            }
            None => {
                let names: Vec<&str> = declared.iter().map(|it| it.name.as_str()).collect();
                return Err(format!(
                    "unknown setting `{name}`; the settings of this plugin are: {}",
                    names.join(", ")
                ));
            }
        }
    }
    let is_missing = |setting: &&Setting| setting.required && !config.contains_key(&setting.name);
    match declared.iter().find(is_missing) {
        None => Ok(()),
        Some(setting) => {
            let Setting { name, help, .. } = setting;
            Err(format!("`{name}` is missing ({help}): set it to {}", setting.wanted()))
        }
    }
}

/// The operator's values with the defaults of those that are not there; `None` if all are.
pub fn completed(declared: &[Setting], config: &str) -> Option<String> {
    let mut config = object(config).ok()?;
    let mut is_complete = true;
    for Setting { name, default, .. } in declared {
        if let Some(default) = default.as_ref().filter(|_| !config.contains_key(name)) {
            config.insert(name.clone(), default.clone());
            is_complete = false;
        }
    }
    (!is_complete).then(|| Value::Object(config).to_string())
}

fn object(config: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(config).map_err(|_| "the settings are not a table".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn setting(name: &str, kind: SettingKind, required: bool, default: Option<Value>) -> Setting {
        Setting {
            name: name.to_owned(),
            kind,
            required,
            default,
            example: json!("https://pay.example"),
            help: "for tests".to_owned(),
        }
    }

    fn declared() -> Vec<Setting> {
        let choice = SettingKind::Choice(vec!["automatic".to_owned(), "manual".to_owned()]);
        vec![
            setting("url", SettingKind::Url, true, None),
            setting("capture", choice, false, Some(json!("manual"))),
            setting("after", SettingKind::Integer(1, 9), false, None),
        ]
    }

    #[track_caller]
    fn refused(config: &str, expected: &str) {
        assert_eq!(check(&declared(), config), Err(expected.to_owned()), "{config}");
    }

    #[test]
    fn what_is_wrong_with_a_setting_is_said_by_its_name() {
        let url = r#""url":"https://pay.example/hook""#;
        assert_eq!(check(&declared(), &format!("{{{url}}}")), Ok(()));
        refused(
            "{}",
            "`url` is missing (for tests): set it to a whole URL, such as \"https://pay.example\"",
        );
        let with = |member: &str| format!("{{{url},{member}}}");
        refused(r#"{"url":"/in"}"#, "`url` must be a whole URL, such as \"https://pay.example\"");
        refused(
            &with(r#""capture":"hunter2""#),
            r#"`capture` must be one of "automatic", "manual""#,
        );
        refused(&with(r#""after":10"#), "`after` must be a whole number from 1 to 9");
        refused(&with(r#""after":1.5"#), "`after` must be a whole number from 1 to 9");
        refused(
            &with(r#""captur":"manual""#),
            "unknown setting `captur`; the settings of this plugin are: url, capture, after",
        );
        let none = "this plugin has no settings: remove `config`";
        assert_eq!(check(&[], r#"{"a":1}"#), Err(none.to_owned()));
        assert_eq!(check(&[], "{}"), Ok(()));
    }

    #[test]
    fn a_value_is_of_its_kind() {
        for url in ["/in", "pay.example", "ftp://pay.example", "https://", "", "mailto:a@b.example"]
        {
            assert!(!SettingKind::Url.fits(&json!(url)), "{url}");
        }
        assert!(SettingKind::Url.fits(&json!("http://localhost:8080/a?b=c")));
        assert!(!SettingKind::Text.fits(&json!("")) && SettingKind::Text.fits(&json!("a")));
        assert!(!SettingKind::Text.fits(&json!("a".repeat(4_097))));
        assert!(SettingKind::Boolean.fits(&json!(true)) && !SettingKind::Boolean.fits(&json!(1)));
        assert!(SettingKind::Texts.fits(&json!(["a", "b"])));
        for list in [json!("a"), json!([""]), json!(["a", 1]), json!(vec!["a"; 257])] {
            assert!(!SettingKind::Texts.fits(&list), "{list}");
        }
        assert!(SettingKind::Table.fits(&json!({ "ideal": "automatic", "*": "" })));
        assert!(!SettingKind::Table.fits(&json!({ "ideal": 1 })));
        assert!(SettingKind::Any.fits(&json!(null)));
    }

    #[test]
    fn a_choice_of_one_text_is_that_text() {
        assert_eq!(SettingKind::Choice(vec!["v3".to_owned()]).wanted(), "\"v3\"");
    }

    #[test]
    fn defaults_are_filled_in_where_nothing_stands() {
        let filled = completed(&declared(), r#"{"after":2}"#).unwrap();
        assert_eq!(filled, r#"{"after":2,"capture":"manual"}"#);
        assert_eq!(completed(&declared(), r#"{"capture":"automatic"}"#), None);
        assert_eq!(completed(&[], "{}"), None);
    }
}
