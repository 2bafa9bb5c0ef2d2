//! The place of a value in a JSON document, as the operator writes it into settings.
//!
//! Never points to the whole document: no setting means that.

use std::ops::Deref;

use serde::Deserialize;

/// A JSON pointer of RFC 6901, such as `/data/customer/id`. Settings with another text are invalid.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(String);

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with('/') {
            Ok(Self(text))
        } else {
            Err(format!("`{text}` is not a JSON pointer such as /data/customer/id"))
        }
    }
}

impl Deref for Pointer {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_starts_with_a_slash() {
        let read = |json: &str| serde_json::from_str::<Pointer>(json);
        assert_eq!(&*read(r#""/data/id""#).unwrap(), "/data/id");
        for json in [r#""""#, r#""data.id""#, "7", "null"] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
