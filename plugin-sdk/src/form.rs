//! Forms: `application/x-www-form-urlencoded` bodies and query strings.
//!
//! They are read as the URL standard says, in their order and with repeated names; a byte order
//! mark before them is ignored. Nothing here fails on malformed text.

use std::collections::BTreeSet;
use std::fmt;
use std::string::FromUtf8Error;

use crate::claims::Refusal;
use crate::json;
use crate::request::BYTE_ORDER_MARK;

/// Most fields that [`fields`] reads; providers send a few dozen.
pub const FIELDS_MAX: usize = 1_000;

/// Names and values, decoded. Bytes that are not UTF-8 are replaced with U+FFFD.
pub fn parse(text: &[u8]) -> Vec<(String, String)> {
    pairs(text).map(|(name, value)| (decoded(name), decoded(value))).collect()
}

/// The same for `claim`, where the request is not verified yet: if the form has more than
/// [`FIELDS_MAX`] fields, it is an error before any of them is decoded.
pub fn fields(text: &[u8]) -> Result<Vec<(String, String)>, TooManyFields> {
    match pairs(text).nth(FIELDS_MAX) {
        None => Ok(parse(text)),
        Some(_) => Err(TooManyFields),
    }
}

/// The first value under this name, without reading the rest of the form.
pub fn peek(text: &[u8], name: &str) -> Option<String> {
    let is_meant = |known: &[u8]| {
        if is_escaped(known) { decoded(known) == name } else { known == name.as_bytes() }
    };
    pairs(text).find(|(known, _)| is_meant(known)).map(|(_, value)| decoded(value))
}

/// The first value under this name in a form that was read.
pub fn value<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The form as a JSON object, for an event's data. Each name has its first value.
pub fn to_json(form: &[(String, String)]) -> String {
    let mut known = BTreeSet::new();
    let first = form.iter().filter(|(name, _)| known.insert(name));
    let member = |(name, value): &(String, String)| {
        format!("{}:{}", json::quoted(name), json::quoted(value))
    };
    format!("{{{}}}", first.map(member).collect::<Vec<_>>().join(","))
}

/// The form with this field in front, in place of every field of that name: as `sign` puts a
/// signature into a body. The other fields stay as they are written.
pub fn with_field(text: &[u8], name: &str, value: &str) -> Vec<u8> {
    let mut form = format!("{}={}", encoded(name), encoded(value)).into_bytes();
    for (known, written) in pairs(text).filter(|(known, _)| decoded(known) != name) {
        form.push(b'&');
        form.extend_from_slice(known);
        form.push(b'=');
        form.extend_from_slice(written);
    }
    form
}

/// A form of more than [`FIELDS_MAX`] fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyFields;

impl fmt::Display for TooManyFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the form has more than {FIELDS_MAX} fields")
    }
}

impl std::error::Error for TooManyFields {}

impl From<TooManyFields> for Refusal {
    fn from(error: TooManyFields) -> Self {
        Self::new(error)
    }
}

/// Names and values as they are written, one pair between two `&`; empty pairs are left out.
fn pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let pairs = text.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| match pair.iter().position(|&byte| byte == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &[][..]),
    })
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) => {
                encoded.push(char::from(byte));
            }
            byte => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

fn is_escaped(text: &[u8]) -> bool {
    text.iter().any(|&byte| matches!(byte, b'%' | b'+'))
}

fn decoded(text: &[u8]) -> String {
    if !is_escaped(text) {
        return String::from_utf8_lossy(text).into_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'+', _) => (b' ', after),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', &rest[1..]),
            },
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    let lossy = |error: FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
    String::from_utf8(bytes).unwrap_or_else(lossy)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_form_is_decoded_in_its_order() {
        let form = parse(b"To=%2B43+1&a=1&a=%c3%a9&empty&=x&&b=c=d&%zz=%4&n=%e9");
        let expected = [
            ("To", "+43 1"),
            ("a", "1"),
            ("a", "é"),
            ("empty", ""),
            ("", "x"),
            ("b", "c=d"),
            ("%zz", "%4"),
            ("n", "\u{fffd}"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(form, expected);
        assert_eq!(value(&form, "a"), Some("1"));
        assert_eq!(value(&form, "x"), None);
    }

    #[test]
    fn a_peek_finds_what_a_form_says_first() {
        let form = b"a=1&b%5B=2&b%5b=3&c+d=%26&e";
        for (name, value) in [("a", "1"), ("b[", "2"), ("c d", "&"), ("e", "")] {
            assert_eq!(peek(form, name).as_deref(), Some(value));
        }
        assert_eq!((peek(form, "c+d"), peek(form, ""), peek(b"", "a")), (None, None, None));
    }

    #[test]
    fn what_is_not_proven_may_have_only_so_many_fields() {
        let form = |fields: usize| "a=1&".repeat(fields).into_bytes();
        assert_eq!(fields(&form(FIELDS_MAX)).map(|it| it.len()), Ok(FIELDS_MAX));
        assert_eq!(fields(&form(FIELDS_MAX + 1)), Err(TooManyFields));
        assert_eq!(fields(b"&&&&=").map(|it| it.len()), Ok(1));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_name() {
        let form = b"\xef\xbb\xbfa=1";
        assert_eq!(parse(form), [("a".to_owned(), "1".to_owned())]);
        assert_eq!(peek(form, "a").as_deref(), Some("1"));
    }

    #[test]
    fn a_field_takes_the_place_of_its_name_and_the_rest_stays_as_it_is() {
        let form = with_field(b"\xef\xbb\xbfa=%c3%a9&sign=1&b&%73ign=2", "sign", "x +/=");
        assert_eq!(form, b"sign=x+%2B%2F%3D&a=%c3%a9&b=");
        assert_eq!(with_field(b"", "a", "1"), b"a=1");
    }

    #[test]
    fn a_form_is_an_object_of_first_values() {
        let form = parse(b"a=1&b=%22&a=2");
        assert_eq!(to_json(&form), r#"{"a":"1","b":"\""}"#);
        assert_eq!(to_json(&[]), "{}");
    }

    proptest! {
        #[test]
        fn a_peek_and_a_form_say_the_same(text in "(a|b|%61|=|&|\\+){0,12}") {
            let text = text.as_bytes();
            let form = parse(text);
            for name in ["a", "b", "ab", "", " "] {
                let peeked = peek(text, name);
                prop_assert_eq!(peeked.as_deref(), value(&form, name));
            }
        }

        #[test]
        fn a_field_that_is_put_in_reads_back(text: Vec<u8>, name: String, given: String) {
            let form = parse(&with_field(&text, &name, &given));
            prop_assert_eq!(value(&form, &name), Some(given.as_str()));
        }

        #[test]
        fn any_form_is_an_object(text: Vec<u8>) {
            let object = to_json(&parse(&text));
            prop_assert!(json::Json::parse(object.as_bytes()).is_ok());
        }
    }
}
