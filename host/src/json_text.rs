//! A JSON document as text, checked once and kept digit for digit.
//!
//! A pure value. Whoever stores it, shows it or sends it on need not check it again. It never
//! looks at what the document says.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// What JSON allows around a value.
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// One JSON document, exactly as it was written; by default `null`.
#[derive(Clone, Default)]
pub struct JsonText {
    value: Box<RawValue>,
    /// The whole text, if there are blanks around the value.
    padded: Option<Box<str>>,
}

impl JsonText {
    /// Checks that a text is one JSON document. Nesting is no matter: no recursion follows it.
    pub fn new(text: impl Into<String>) -> Result<Self, serde_json::Error> {
        let text = text.into();
        let is_padded = text.starts_with(BLANKS) || text.ends_with(BLANKS);
        let padded = is_padded.then(|| text.as_str().into());
        Ok(Self { value: RawValue::from_string(text)?, padded })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.padded.as_deref().unwrap_or(self.value.get())
    }

    /// What goes into another document as it is.
    pub fn as_raw(&self) -> &RawValue {
        &self.value
    }
}

impl From<Value> for JsonText {
    fn from(value: Value) -> Self {
        let value = serde_json::value::to_raw_value(&value).expect("a JSON value can be written");
        Self { value, padded: None }
    }
}

impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for JsonText {}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// As a text, whatever the format: a record that holds it holds a string.
impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// How long the string literal is that a text begins with; all of the text if it does not end.
pub(crate) fn literal_bytes(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => (),
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_kept_as_it_was_written() {
        for text in ["{}", " {}", "{}\r\n", r#"{"n": 1.00000000000000000001, "n": 2}"#, "\t7 "] {
            let json = JsonText::new(text).unwrap();
            assert_eq!(json.as_str(), text);
            assert_eq!(json.as_raw().get(), text.trim());
            assert_eq!(format!("{json:?}"), format!("{text:?}"));
        }
        let made = JsonText::from(serde_json::json!({ "a": [1, null] }));
        assert_eq!(made.as_str(), r#"{"a":[1,null]}"#);
    }

    #[test]
    fn what_is_not_one_document_is_refused() {
        for text in ["", " ", "{", "{} {}", "\u{feff}{}"] {
            assert!(JsonText::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_record_holds_it_as_a_string_and_is_damaged_if_that_is_not_json() {
        for text in ["{}", " [1]\n"] {
            let bytes = postcard::to_stdvec(&JsonText::new(text).unwrap()).unwrap();
            assert_eq!(bytes, postcard::to_stdvec(text).unwrap());
            assert_eq!(postcard::from_bytes::<JsonText>(&bytes).unwrap().as_str(), text);
        }
        let bytes = postcard::to_stdvec("{").unwrap();
        assert!(postcard::from_bytes::<JsonText>(&bytes).is_err());
    }
}
