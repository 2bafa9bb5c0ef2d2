//! Texts in settings that have a form, which is checked when they are read.
//!
//! The kinds of settings in `describe` don't know these forms. Never says that what a text names is
//! there.

use std::ops::Deref;

use serde::Deserialize;

/// A type for the texts that pass a check. It dereferences to the text; serde reads no other.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident: $wanted:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let passes: fn(&str) -> bool = $check;
                let wanted = $wanted;
                if passes(&text) { Ok(Self(text)) } else { Err(format!("`{text}` is not {wanted}")) }
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }
    };
}

checked_text! {
    /// The name of a header, in letters, digits and `-`. Settings with another text are invalid.
    HeaderName: "the name of a header",
    |text: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !text.is_empty() && text.bytes().all(known)
    }
}

checked_text! {
    /// A JSON pointer of RFC 6901, such as `/data/customer/id`. Settings with another text are
    /// invalid, an empty one too: leave the setting out to mean the whole document.
    Pointer: "a JSON pointer such as /data/customer/id",
    |text: &str| text.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_header_has_letters_digits_and_dashes() {
        let read = |json: &str| serde_json::from_str::<HeaderName>(json);
        assert_eq!(&*read(r#""X-Signature-256""#).unwrap(), "X-Signature-256");
        for json in [r#""""#, r#""a b""#, r#""a:b""#, "7"] {
            assert!(read(json).is_err(), "{json}");
        }
        let error = read(r#""a b""#).unwrap_err().to_string();
        assert!(error.starts_with("`a b` is not the name of a header"), "{error}");
    }

    #[test]
    fn a_pointer_starts_with_a_slash() {
        let read = |json: &str| serde_json::from_str::<Pointer>(json);
        assert_eq!(&*read(r#""/data/id""#).unwrap(), "/data/id");
        for json in [r#""""#, r#""data.id""#, "7", "null"] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
