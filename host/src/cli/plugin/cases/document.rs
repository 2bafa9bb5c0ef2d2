//! A JSON document in a case: as a value of TOML, or as a text.
//!
//! A value is easy to read, and compared by what it means; a text is compared byte for byte. Never
//! changes a text.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};
use toml::Value as Toml;

/// Deepest nesting of a value of TOML that is written: its reader stops a little deeper.
const DEPTH_MAX: usize = 32;

/// A JSON document, or another text where one is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    /// What it says.
    pub(super) text: String,
    /// Whether every byte of it counts.
    pub(super) is_exact: bool,
}

impl Default for Document {
    fn default() -> Self {
        Self { text: "{}".to_owned(), is_exact: false }
    }
}

impl Document {
    /// A text, to be compared as this other one is: by its meaning if there is none.
    pub(super) fn like(text: &str, other: Option<&Self>) -> Self {
        Self { text: text.to_owned(), is_exact: other.is_some_and(|other| other.is_exact) }
    }

    /// What it means, where that counts; `None` if its text counts, or is not JSON.
    pub(super) fn meaning(&self) -> Option<Value> {
        if self.is_exact { None } else { serde_json::from_str(&self.text).ok() }
    }

    /// As a case has it: as a value if that says all of the text, and else as the text.
    pub(super) fn to_toml(&self) -> Toml {
        let value = self.meaning().filter(|value| {
            // A text of JSON would be read as a document.
            (value.is_object() || value.is_array()) && is_exact_in_toml(value, 0)
        });
        let written = value.and_then(|value| Toml::try_from(value).ok());
        written.unwrap_or_else(|| Toml::String(self.text.clone()))
    }

    /// Reads a document that must be JSON.
    pub(super) fn json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Self::deserialize(deserializer)?;
        match serde_json::from_str::<serde::de::IgnoredAny>(&document.text) {
            Ok(_) => Ok(document),
            Err(error) => Err(D::Error::custom(format!("the text is not JSON: {error}"))),
        }
    }

    /// Reads a document that must be a JSON object, if there is one.
    pub(super) fn object<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        let document = Self::deserialize(deserializer)?;
        match serde_json::from_str::<Map<String, Value>>(&document.text) {
            Ok(_) => Ok(Some(document)),
            Err(_) => Err(D::Error::custom("must be a table, or the text of a JSON object")),
        }
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Toml::deserialize(deserializer)? {
            Toml::String(text) => Ok(Self { text, is_exact: true }),
            value => {
                let value = value_of(value).map_err(D::Error::custom)?;
                Ok(Self { text: value.to_string(), is_exact: false })
            }
        }
    }
}

/// A value of TOML as JSON. A date becomes a text.
fn value_of(value: Toml) -> Result<Value, &'static str> {
    Ok(match value {
        Toml::String(text) => text.into(),
        Toml::Integer(number) => number.into(),
        Toml::Float(number) => {
            Number::from_f64(number).map(Value::Number).ok_or("a number must be finite")?
        }
        Toml::Boolean(truth) => truth.into(),
        Toml::Datetime(time) => time.to_string().into(),
        Toml::Array(values) => {
            values.into_iter().map(value_of).collect::<Result<Vec<Value>, _>>()?.into()
        }
        Toml::Table(members) => {
            let members =
                members.into_iter().map(|(name, value)| value_of(value).map(|value| (name, value)));
            members.collect::<Result<Map<String, Value>, &'static str>>()?.into()
        }
    })
}

/// Whether TOML says a value digit for digit. It has no null, and no whole number beyond 64 bits;
/// a fraction may be written in several ways.
fn is_exact_in_toml(value: &Value, depth: usize) -> bool {
    match value {
        Value::Null => false,
        Value::Number(number) => number.is_i64(),
        Value::Bool(_) | Value::String(_) => true,
        Value::Array(values) => {
            depth < DEPTH_MAX && values.iter().all(|value| is_exact_in_toml(value, depth + 1))
        }
        Value::Object(members) => {
            depth < DEPTH_MAX && members.values().all(|value| is_exact_in_toml(value, depth + 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        data: Document,
    }

    fn read(text: &str) -> Document {
        toml::from_str::<Holder>(&format!("data = {text}")).unwrap().data
    }

    #[test]
    fn a_value_counts_by_its_meaning_and_a_text_by_its_bytes() {
        let value = read(r#"{ b = [1, 1.5, true], a = "x", at = 2026-01-01 }"#);
        let meaning = serde_json::json!({ "a": "x", "at": "2026-01-01", "b": [1, 1.5, true] });
        assert_eq!(value.meaning(), Some(meaning));
        let text = read(r#"'{"n": 1.10}'"#);
        assert_eq!((text.meaning(), text.text.as_str()), (None, r#"{"n": 1.10}"#));
        assert!(Document::like("{}", Some(&text)).is_exact);
        assert!(
            !Document::like("{}", Some(&value)).is_exact && !Document::like("1", None).is_exact
        );
    }

    #[test]
    fn what_is_written_says_all_of_the_text_and_reads_back() {
        let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
        for (text, is_exact) in [
            (r#"{"a":[1,-2],"b":{"c":"d\n'"},"e":true}"#, false),
            ("{}", false),
            (r#"{"n":1.10}"#, true),
            (r#"{"n":null}"#, true),
            (r#"{"n":12345678901234567890}"#, true),
            (r#""text""#, true),
            ("it's no JSON\n", true),
            (deep.as_str(), true),
        ] {
            let read = read(&Document::like(text, None).to_toml().to_string());
            assert_eq!((read.text.as_str(), read.is_exact), (text, is_exact));
        }
    }
}
