//! Forms: `application/x-www-form-urlencoded` bodies and query strings.
//!
//! Read like the URL standard does, in their order, repeats kept.

use std::collections::BTreeSet;

use crate::json;

/// Names and values, decoded. Bytes that are no UTF-8 are replaced with U+FFFD.
pub fn parse(text: &[u8]) -> Vec<(String, String)> {
    let pairs = text.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
    let pair = |pair: &[u8]| {
        let mut parts = pair.splitn(2, |&byte| byte == b'=');
        let mut next = || decoded(parts.next().unwrap_or_default());
        (next(), next())
    };
    pairs.map(pair).collect()
}

/// The first value under this name.
pub fn value<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The form as a JSON object, each name with its first value: an event's data is JSON.
pub fn to_json(form: &[(String, String)]) -> String {
    let mut known = BTreeSet::new();
    let first = form.iter().filter(|(name, _)| known.insert(name));
    let member = |(name, value): &(String, String)| {
        format!("{}:{}", json::quoted(name), json::quoted(value))
    };
    format!("{{{}}}", first.map(member).collect::<Vec<_>>().join(","))
}

fn decoded(text: &[u8]) -> String {
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
    String::from_utf8_lossy(&bytes).into_owned()
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
    fn a_form_is_an_object_of_first_values() {
        let form = parse(b"a=1&b=%22&a=2");
        assert_eq!(to_json(&form), r#"{"a":"1","b":"\""}"#);
        assert_eq!(to_json(&[]), "{}");
    }

    proptest! {
        #[test]
        fn any_form_is_an_object(text: Vec<u8>) {
            let object = to_json(&parse(&text));
            prop_assert!(json::Json::parse(object.as_bytes()).is_ok());
        }
    }
}
