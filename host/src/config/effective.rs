//! The configuration as it counts: each setting with its value, and who says so.
//!
//! Walks the file beside the schema, and reads nothing else: neither a secret, nor a file that it
//! names. A value that may be a secret is hidden. Never judges: what is wrong is for the check.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::schema::{FILE, Form, Key, Table};
use super::{ConfigError, Limits, parse, place_of, read};
use crate::egress;
use crate::ids::Name;
use crate::secrets::{HIDDEN, is_plain_path, is_plain_variable};

/// The keys by which a secret is found elsewhere.
const PLACES: [&str; 2] = ["env", "file"];

/// A setting that counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Setting {
    /// With the tables that it is in: `limits.body_bytes`.
    pub(crate) key: String,
    /// Without secrets.
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// Who says that a setting has its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Origin {
    /// Nobody does.
    Default,
    /// The file, at this line from 1.
    File { line: usize },
    /// The file at this line, and these variables of the environment, which have the secrets.
    Environment { line: usize, variables: Vec<String> },
}

/// All settings of a file, in the order in which people write them.
pub(crate) fn settings(path: &Path) -> Result<Vec<Setting>, ConfigError> {
    settings_of(&read(path)?, path)
}

fn settings_of(text: &str, path: &Path) -> Result<Vec<Setting>, ConfigError> {
    let walked = parse(text, path, |document, _| {
        let mut walk = Walk { text, found: Vec::new() };
        walk.table("", &FILE, Some(document));
        Some(walk.found)
    });
    Ok(walked?.0)
}

/// A way through the file.
struct Walk<'t> {
    text: &'t str,
    found: Vec<Setting>,
}

impl Walk<'_> {
    /// The settings of a table, whose title this is; of one that is not there, what counts then.
    fn table(&mut self, title: &str, table: &Table, written: Option<&DeTable<'_>>) {
        for key in table.keys {
            let name = joined(title, key.name);
            let value = written.and_then(|written| member(written, key.name));
            match (value, key.form) {
                (value, Form::Table(below)) => {
                    self.table(&name, below, value.and_then(as_table));
                }
                (Some(value), Form::Named(below)) => self.named(&name, below, value, &[]),
                (Some(value), Form::TableOrPath(below)) if as_table(value).is_some() => {
                    self.table(&name, below, as_table(value));
                    if let Some(plugin) = below.others {
                        let own: Vec<&str> = below.keys.iter().map(|key| key.name).collect();
                        self.named(&name, plugin, value, &own);
                    }
                }
                (Some(value), form) => self.written(name, form, value),
                (None, _) => self.default(title, name, key),
            }
        }
    }

    /// The tables that the operator names, but for the keys that are none of these.
    fn named(&mut self, title: &str, table: &Table, value: &Spanned<DeValue<'_>>, own: &[&str]) {
        for (name, value) in as_table(value).into_iter().flatten() {
            let name: &str = name.get_ref();
            // A key that is no name may be a secret in the wrong place.
            let is_name = name.parse::<Name>().is_ok() && !own.contains(&name);
            if let (true, Some(below)) = (is_name, as_table(value)) {
                self.table(&joined(title, name), table, Some(below));
            }
        }
    }

    fn written(&mut self, key: String, form: Form, value: &Spanned<DeValue<'_>>) {
        let (line, _) = place_of(self.text, value.span().start);
        let plain = json_of(value.get_ref());
        let mut variables = Vec::new();
        if is_secret(form) {
            named_variables(&plain, &mut variables);
        }
        let origin = match variables.is_empty() {
            true => Origin::File { line },
            false => Origin::Environment { line, variables },
        };
        self.found.push(Setting { key, value: shown(form, plain), origin });
    }

    fn default(&mut self, title: &str, key: String, declared: &Key) {
        let value = match title {
            "limits" => Limits::default().written().remove(declared.name),
            _ => serde_json::from_str(declared.default).ok(),
        };
        if let Some(value) = value {
            self.found.push(Setting { key, value, origin: Origin::Default });
        }
    }
}

fn joined(title: &str, name: &str) -> String {
    if title.is_empty() { name.to_owned() } else { format!("{title}.{name}") }
}

fn member<'d>(table: &'d DeTable<'_>, name: &str) -> Option<&'d Spanned<DeValue<'d>>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
}

fn as_table<'d>(value: &'d Spanned<DeValue<'d>>) -> Option<&'d DeTable<'d>> {
    match value.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// A value as JSON. What JSON does not have is a text.
fn json_of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Boolean(truth) => json!(truth),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => json!(number),
            Err(_) => json!(number.as_str()),
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => json!(number),
            _ => json!(number.as_str()),
        },
        DeValue::Datetime(time) => json!(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json_of(item.get_ref())).collect(),
        DeValue::Table(members) => {
            let member = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                (key.clone().into_owned(), json_of(value.get_ref()))
            };
            Value::Object(members.iter().map(member).collect())
        }
    }
}

/// Whether there are secrets in such a value, or the places of some.
fn is_secret(form: Form) -> bool {
    matches!(
        form,
        Form::Secret
            | Form::Secrets
            | Form::SecretOrSecrets
            | Form::NamedSecrets
            | Form::Credential
            | Form::HiddenTexts
    )
}

/// A value of this form as it may be seen.
fn shown(form: Form, value: Value) -> Value {
    match (form, value) {
        (Form::Url, Value::String(text)) => match text.parse() {
            Ok(url) => json!(egress::shown(&url)),
            Err(_) => json!(HIDDEN),
        },
        // Whatever stands there in place of a URL.
        (Form::Url, value) => hidden(value),
        (form, value) if is_secret(form) => hidden(value),
        (_, value) => value,
    }
}

/// The value with each text hidden that does not say where a secret is.
fn hidden(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let hide = |(key, value): (String, Value)| {
                let name = value.as_str().filter(|_| PLACES.contains(&key.as_str()));
                let name = name.map(|name| place(&key, name));
                let value = name.map_or_else(|| hidden(value), Value::String);
                (key, value)
            };
            Value::Object(members.into_iter().map(hide).collect())
        }
        Value::Array(items) => items.into_iter().map(hidden).collect(),
        _ => json!(HIDDEN),
    }
}

/// The name of a variable or of a file, unless it may be a secret in the wrong place.
fn place(key: &str, name: &str) -> String {
    let is_plain = match key {
        "env" => is_plain_variable(name),
        _ => is_plain_path(Path::new(name)),
    };
    let said = if is_plain { name } else { HIDDEN };
    said.to_owned()
}

/// The variables of the environment that a value names.
fn named_variables(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value.as_str() {
                    Some(name) if key == "env" => found.push(place(key, name)),
                    _ => named_variables(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| named_variables(item, found)),
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"listen = "127.0.0.1:8080"
plugins = { folder = "p", dunning = { reuse = 4 } }
[limits]
body_bytes = 2_048
[sources.cards]
plugin = "stripe"
secrets = [{ env = "CARDS_KEY" }, { value = "whsec_planted" }, "planted"]
[endpoints.crm]
url = "https://me:planted@crm.example/hooks?token=planted"
headers = { x-key = "planted" }
credential = { basic = { username = "planted", password = { file = "crm.key" } } }
[endpoints.wrong]
url = ["https://me:planted@wrong.example/hooks", { file = "wrong.url" }]
secrets = [{ env = "whsec_planted" }, { file = "secrets/whsec_planted7" }]
[telemetry]
headers = { authorization = { env = "COLLECTOR" } }
"#;

    fn of(key: &str) -> Option<(Value, Origin)> {
        let all = settings_of(FILE, Path::new("t.toml")).unwrap();
        all.into_iter().find(|it| it.key == key).map(|it| (it.value, it.origin))
    }

    #[test]
    fn each_setting_says_where_it_is_from() {
        assert_eq!(of("listen"), Some((json!("127.0.0.1:8080"), Origin::File { line: 1 })));
        assert_eq!(of("limits.body_bytes"), Some((json!(2048), Origin::File { line: 4 })));
        assert_eq!(of("limits.connections"), Some((json!(4096), Origin::Default)));
        assert_eq!(of("retention.bodies"), Some((json!("30d"), Origin::Default)));
        assert_eq!(of("plugins.folder"), Some((json!("p"), Origin::File { line: 2 })));
        assert_eq!(of("plugins.dunning.reuse"), Some((json!(4), Origin::File { line: 2 })));
        assert_eq!(of("sources.cards.duplicates"), Some((json!("40d"), Origin::Default)));
        assert_eq!(of("endpoints.none.url"), None);
        let (value, origin) = of("sources.cards.secrets").unwrap();
        assert_eq!(value, json!([{ "env": "CARDS_KEY" }, { "value": HIDDEN }, HIDDEN]));
        let variables = vec!["CARDS_KEY".to_owned()];
        assert_eq!(origin, Origin::Environment { line: 7, variables });
        let (_, origin) = of("telemetry.headers").unwrap();
        assert!(matches!(origin, Origin::Environment { line: 16, .. }), "{origin:?}");
    }

    /// Guards the hiding, by every way in which a secret may stand in the file.
    #[test]
    fn no_secret_is_shown() {
        let all = settings_of(FILE, Path::new("t.toml")).unwrap();
        let text = serde_json::to_string(&all).unwrap();
        assert!(!text.contains("planted"), "{text}");
        assert!(text.contains("crm.key") && text.contains("crm.example"), "{text}");
    }
}
