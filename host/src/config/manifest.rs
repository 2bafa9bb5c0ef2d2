//! The manifest: endpoints of the API as a file has them, so that they can live in a repository.
//!
//! Reads and writes TOML whose keys are those of the API. Never has a secret, and never asks
//! whether an endpoint can be one: that is checked with its settings.

use serde::Deserialize;
use serde_json::Value;

use crate::endpoint::RawSettings;

/// Endpoints as a file has them.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// What marks the endpoints that the file manages, in their metadata.
    pub(crate) managed: Option<String>,
    /// In the order of the file.
    #[serde(default, rename = "endpoint")]
    pub(crate) endpoints: Vec<RawSettings>,
}

/// A text that is not a [`Manifest`].
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct InvalidManifest {
    line: usize,
    reason: String,
}

/// A value that TOML does not have.
#[derive(Debug, thiserror::Error)]
#[error("the manifest can't have the endpoint `{name}`: TOML can't write its `{key}`")]
pub(crate) struct Unwritable {
    name: String,
    key: &'static str,
}

impl Manifest {
    /// Reads a file.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidManifest> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            InvalidManifest { line, reason: error.message().to_owned() }
        })
    }

    /// An endpoint as a table of the file: what it says, in the order of the API.
    pub(crate) fn table(endpoint: &RawSettings) -> Result<String, Unwritable> {
        let settings = serde_json::to_value(endpoint).unwrap_or_default();
        let mut table = "[[endpoint]]\n".to_owned();
        for key in RawSettings::KEYS {
            let Some(value) = settings.get(key).filter(|value| !value.is_null()) else { continue };
            let unwritable = || Unwritable { name: endpoint.name.clone(), key };
            let value = written(value).ok_or_else(unwritable)?;
            table += &format!("{key} = {value}\n");
        }
        Ok(table)
    }
}

/// A value of JSON as one of TOML on one line. A member that is null is left out; TOML has neither
/// another null nor a whole number beyond 64 bits with a sign.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Number(number) if number.is_u64() && !number.is_i64() => None,
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::String(string) => Some(text(string)),
        Value::Array(list) => {
            let list = list.iter().map(written).collect::<Option<Vec<_>>>()?;
            Some(format!("[{}]", list.join(", ")))
        }
        Value::Object(members) => {
            let said = members.iter().filter(|(_, value)| !value.is_null());
            let member = |(name, value): (&String, &Value)| {
                Some(format!("{} = {}", key(name), written(value)?))
            };
            let members = said.map(member).collect::<Option<Vec<_>>>()?;
            Some(if members.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{ {} }}", members.join(", "))
            })
        }
    }
}

fn key(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_plain) { name.to_owned() } else { text(name) }
}

/// A text of JSON is one of TOML, but for the one control character that JSON need not escape.
fn text(text: &str) -> String {
    Value::from(text).to_string().replace('\x7f', "\\u007f")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw(members: Value) -> RawSettings {
        let mut all = json!({ "name": "crm", "url": "https://crm.example/", "events": ["*"] });
        let Value::Object(members) = members else { panic!("an object") };
        all.as_object_mut().unwrap().extend(members);
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_table_is_written_as_people_write_it_and_reads_back_as_it_was() {
        let endpoint = raw(json!({
            "tenant": "acme",
            "description": "tab\t, \"quotes\", \\, \u{7f}, \u{1b}, é\nand a line",
            "filter": [
                { "pointer": "/amount", "op": "greater", "value": 100 },
                { "label": "kind", "op": "in", "value": ["a", "b"] },
                { "pointer": "/gone", "op": "equals", "value": null },
                { "pointer": "/share", "op": "less", "value": 0.25 },
            ],
            "headers": { "x-team": "billing" },
            "metadata": { "": "", "owner": "ops", "a key": "é" },
            "concurrency": 3,
        }));
        let table = Manifest::table(&endpoint).unwrap();
        let expected = "filter = [{ op = \"greater\", pointer = \"/amount\", value = 100 }, ";
        assert!(table.contains(expected), "{table}");
        assert!(table.contains("headers = { x-team = \"billing\" }\n"), "{table}");
        assert!(table.contains("\"a key\" = \"é\""), "{table}");
        let read = Manifest::parse(&format!("managed = \"a\"\n{table}\n{table}")).unwrap();
        let mut expected = endpoint;
        // What is null there is left out here, and null is the default.
        expected.filter.as_mut().unwrap()[2].value = None;
        assert_eq!(read.managed.as_deref(), Some("a"));
        assert_eq!(read.endpoints, [expected.clone(), expected]);
    }

    #[test]
    fn what_toml_does_not_have_is_refused_and_named() {
        for value in [json!([null]), json!(u64::MAX)] {
            let rule = json!({ "pointer": "/a", "op": "in", "value": value });
            let error = Manifest::table(&raw(json!({ "filter": [rule] }))).unwrap_err();
            assert!(error.to_string().ends_with("TOML can't write its `filter`"), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_in_a_file_is_said_with_its_line() {
        let error = |text: &str| Manifest::parse(text).unwrap_err().to_string();
        let table = "[[endpoint]]\nname = \"crm\"\nurl = \"https://a\"\nevents = []\n";
        assert!(Manifest::parse(table).is_ok() && Manifest::parse("").is_ok());
        let unknown = error(&format!("{table}secrets = [\"whsec_planted\"]\n"));
        assert!(unknown.starts_with("line 5: unknown field `secrets`"), "{unknown}");
        assert!(!unknown.contains("planted"), "{unknown}");
        assert!(error("\n[[endpoint]]\nname = 1").starts_with("line 3: "));
        assert!(error("[[endpoint]]\nname = \"crm\"").contains("missing field `url`"));
    }
}
