//! The name of a header, as the operator writes it into settings.
//!
//! Never says that the header is there.

use std::ops::Deref;

use serde::Deserialize;

/// The name of a header, in letters, digits and `-`. Settings with another text are invalid.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HeaderName(String);

impl TryFrom<String> for HeaderName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !text.is_empty() && text.bytes().all(known) {
            Ok(Self(text))
        } else {
            Err(format!("`{text}` is not the name of a header"))
        }
    }
}

impl Deref for HeaderName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_letters_digits_and_dashes() {
        let read = |json: &str| serde_json::from_str::<HeaderName>(json);
        assert_eq!(&*read(r#""X-Signature-256""#).unwrap(), "X-Signature-256");
        for json in [r#""""#, r#""a b""#, r#""a:b""#, "7"] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
