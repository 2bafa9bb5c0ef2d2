//! Walks the bytes of a JSON document.
//!
//! There are two ways: [`check`] accepts exactly the documents of RFC 8259, and [`member`] finds a
//! value in bytes that may be invalid and stops as soon as it has found it. They never recurse, so
//! no document is too deep for a plugin's small stack.

use std::borrow::Cow;

use super::brackets::Brackets;
use crate::limits::JSON_DEPTH_MAX as DEPTH_MAX;

/// Where the walk stands.
#[derive(Debug, Clone)]
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Where bytes are not a document, and whether the cause is that they are nested too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) is_too_deep: bool,
}

/// Checks that the bytes, which are UTF-8, are one document.
pub(super) fn check(bytes: &[u8]) -> Result<(), Fault> {
    let mut scan = Scan { bytes, at: 0 };
    let mut open = Brackets::default();
    scan.document(&mut open).ok_or_else(|| {
        let is_bracket = matches!(scan.peek(), Some(b'{' | b'['));
        Fault { at: scan.at, is_too_deep: open.depth == DEPTH_MAX && is_bracket }
    })
}

/// The value of this name in an object, or of this index in an array, at the start of the bytes.
pub(super) fn member<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    if let Ok(index) = name.parse::<usize>()
        && let Some(element) = elements(bytes).nth(index)
    {
        return Some(element);
    }
    members(bytes).find(|(known, _)| is_named(known, name)).map(|(_, value)| value)
}

/// Whether a name in its quotes is this one.
pub(super) fn is_named(quoted: &[u8], name: &str) -> bool {
    let content = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if content == name.as_bytes() {
        return !content.contains(&b'\\');
    }
    // An escape writes a byte with at most six, so the length tells most names apart.
    content.len() > name.len()
        && content.len() <= name.len().saturating_mul(6)
        && content.contains(&b'\\')
        && unquoted(quoted).is_some_and(|known| known == name)
}

/// The members of an object: names in their quotes, and values.
pub(super) fn members(object: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut scan = Scan { bytes: object, at: 0 };
    let mut more = scan.token() == Some(b'{');
    std::iter::from_fn(move || {
        if !more {
            return None;
        }
        let name = scan.string()?;
        if scan.token()? != b':' {
            return None;
        }
        let value = scan.skip()?;
        more = scan.token() == Some(b',');
        Some((name, value))
    })
}

/// The elements of an array.
pub(super) fn elements(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut scan = Scan { bytes: array, at: 0 };
    let mut more = scan.token() == Some(b'[');
    std::iter::from_fn(move || {
        if !more {
            return None;
        }
        let element = scan.skip()?;
        more = scan.token() == Some(b',');
        Some(element)
    })
}

/// The text of a string in its quotes; `None` if the bytes are not a string, or not UTF-8.
pub(super) fn unquoted(quoted: &[u8]) -> Option<Cow<'_, str>> {
    let content = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let content = str::from_utf8(content).ok()?;
    if !content.contains('\\') {
        return Some(Cow::Borrowed(content));
    }
    let mut text = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        text.push_str(plain);
        let (character, after) = unescaped(escaped)?;
        text.push(character);
        rest = after;
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

/// The character of an escape, without its backslash, and what follows.
fn unescaped(escaped: &str) -> Option<(char, &str)> {
    let (kind, rest) = escaped.split_at_checked(1)?;
    let character = match kind {
        "\"" | "\\" | "/" => kind.chars().next()?,
        "b" => '\u{8}',
        "f" => '\u{c}',
        "n" => '\n',
        "r" => '\r',
        "t" => '\t',
        "u" => return code_point(rest),
        _ => return None,
    };
    Some((character, rest))
}

fn code_point(digits: &str) -> Option<(char, &str)> {
    let unit = |text: &str| {
        let digits = text.get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = unit(digits)?;
    let rest = digits.get(4..)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, rest));
    }
    let rest = rest.strip_prefix("\\u")?;
    let second = unit(rest)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    let character = char::from_u32(0x10000 + ((first - 0xd800) << 10) + second)?;
    Some((character, rest.get(4..)?))
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes the byte if it is the next.
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn while_(&mut self, fits: impl Fn(u8) -> bool) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|&byte| !fits(byte)).unwrap_or(rest.len());
    }

    fn space(&mut self) {
        self.while_(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    /// The next byte that is not white space.
    fn token(&mut self) -> Option<u8> {
        self.space();
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// The next string, in its quotes, found by them alone.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.space();
        let start = self.at;
        self.take(b'"')?;
        loop {
            self.while_(|byte| byte != b'"' && byte != b'\\');
            if self.peek()? == b'"' {
                self.at += 1;
                return Some(&self.bytes[start..self.at]);
            }
            self.at = self.bytes.len().min(self.at + 2);
        }
    }

    /// The next value, whatever it is, found by its brackets and quotes alone.
    fn skip(&mut self) -> Option<&'a [u8]> {
        self.space();
        let start = self.at;
        match self.peek()? {
            b'"' => drop(self.string()?),
            b'{' | b'[' => self.brackets()?,
            b'}' | b']' | b',' | b':' => return None,
            _ => self.while_(|byte| !b",]} \t\n\r".contains(&byte)),
        }
        Some(&self.bytes[start..self.at])
    }

    /// From an opening bracket to behind the one that closes it.
    fn brackets(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => (),
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// A whole document, by the grammar.
    fn document(&mut self, open: &mut Brackets) -> Option<()> {
        loop {
            self.space();
            let first = self.peek()?;
            let opened = matches!(first, b'{' | b'[');
            if opened {
                open.open(first == b'{')?;
                self.at += 1;
                self.space();
            } else {
                self.scalar(first)?;
            }
            let mut fresh = opened;
            // A value is followed by the end of brackets, then by a comma or the end of the text.
            loop {
                self.space();
                if open.depth == 0 {
                    return (self.at == self.bytes.len()).then_some(());
                }
                let in_object = open.is_object();
                let close = if in_object { b'}' } else { b']' };
                if self.take(close).is_some() {
                    open.close();
                    fresh = false;
                    continue;
                }
                if !fresh {
                    self.take(b',')?;
                }
                if in_object {
                    self.space();
                    self.strict_string()?;
                    self.space();
                    self.take(b':')?;
                }
                break;
            }
        }
    }

    fn scalar(&mut self, first: u8) -> Option<()> {
        match first {
            b'"' => self.strict_string(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn literal(&mut self, text: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(text).then(|| self.at += text.len())
    }

    fn number(&mut self) -> Option<()> {
        let _minus = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        self.while_(|byte| byte.is_ascii_digit());
        (self.at > start).then_some(())
    }

    fn strict_string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            self.while_(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
            if self.take(b'"').is_some() {
                return Some(());
            }
            self.take(b'\\')?;
            let escape = self.peek()?;
            self.at += 1;
            match escape {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => (),
                b'u' => {
                    let digits = self.bytes.get(self.at..self.at + 4)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    self.at += 4;
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check(nested(DEPTH_MAX).as_bytes()), Ok(()));
        let too_deep = Fault { at: DEPTH_MAX, is_too_deep: true };
        assert_eq!(check(nested(DEPTH_MAX + 1).as_bytes()), Err(too_deep));
        let mixed = |depth: usize| {
            let opening = "[{\"a\":".repeat(depth);
            format!("{opening}1{}", "}]".repeat(depth))
        };
        assert_eq!(check(mixed(DEPTH_MAX / 2).as_bytes()), Ok(()));
        assert!(check(mixed(DEPTH_MAX / 2).replace("}]", "]}").as_bytes()).is_err());
        assert!(check("[".repeat(100_000).as_bytes()).is_err());
        let deep = nested(100_000);
        assert_eq!(member(format!("{{\"a\":{deep},\"b\":1}}").as_bytes(), "b"), Some(&b"1"[..]));
    }

    #[test]
    fn the_fault_is_where_it_is() {
        let fault = |at| Err(Fault { at, is_too_deep: false });
        assert_eq!(check(br#"{"a":01}"#), fault(6));
        assert_eq!(check(b"[1,]"), fault(3));
        assert_eq!(check(b""), fault(0));
    }

    #[test]
    fn a_member_is_found_in_what_is_no_document() {
        assert_eq!(member(b"{\"a\":\"x\",\xff", "a"), Some(&b"\"x\""[..]));
        assert_eq!(member(br#"{"\ud800":0,"a":1}"#, "a"), Some(&b"1"[..]));
        for bytes in [
            &b"{"[..],
            b"{\"a",
            b"{\"a\"",
            b"{\"a\":",
            b"{\"a\":}",
            b"{\"\\",
            b"[",
            b"[,",
            b"{\"a\":]",
        ] {
            assert_eq!(member(bytes, "a"), None);
            assert_eq!(member(bytes, "0"), None);
        }
    }

    /// Documents of every shape, and what is nearly one.
    fn nearly_json() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            " ",
            "\n",
            "\"a\"",
            "\"\"",
            "\"\\u00e9\"",
            "\"\\ud83d\\udcb3\"",
            "\"\\ud83d\"",
            "\"\\x\"",
            "\"é\"",
            "\"\t\"",
            "0",
            "-1",
            "01",
            "1.5",
            "1.",
            "-",
            "1e5",
            "1E+",
            "true",
            "null",
            "nul",
            "{}",
            "[]",
            "{\"a\":",
            "\"b\":[1,",
            "],",
            "\"",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[ab\"\\\\é]{0,2}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn what_is_json_is_what_serde_says(text in nearly_json()) {
            let known = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            prop_assert_eq!(check(text.as_bytes()).is_ok(), known, "{}", text);
        }

        #[test]
        fn every_member_of_every_document_is_found(value in json(), pretty: bool) {
            let text = if pretty {
                serde_json::to_string_pretty(&value)
            } else {
                serde_json::to_string(&value)
            };
            let text = text.unwrap();
            prop_assert_eq!(check(text.as_bytes()), Ok(()));
            if let Value::Object(members) = &value {
                for (name, expected) in members {
                    let found = member(text.as_bytes(), name).unwrap();
                    prop_assert_eq!(&serde_json::from_slice::<Value>(found).unwrap(), expected);
                }
            }
            if let Value::Array(items) = &value {
                let found: Vec<Value> = elements(text.as_bytes())
                    .map(|item| serde_json::from_slice(item).unwrap())
                    .collect();
                prop_assert_eq!(&found, items);
            }
            if let Value::String(expected) = &value {
                prop_assert_eq!(unquoted(text.as_bytes()).unwrap(), expected.as_str());
            }
        }

        #[test]
        fn nothing_panics(bytes: Vec<u8>, near in nearly_json(), name: String) {
            for bytes in [&bytes[..], near.as_bytes()] {
                member(bytes, &name);
                member(bytes, "0");
                elements(bytes).count();
                unquoted(bytes);
                if let Err(fault) = check(bytes) {
                    prop_assert!(fault.at <= bytes.len());
                }
            }
        }

        #[test]
        fn escapes_read_as_serde_reads_them(
            content in concat!(
                "(\\\\[\"\\\\/bfnrtx]|\\\\u[0-9a-fA-F]{4}|",
                "\\\\ud8[0-9a-f]{2}\\\\ud[c-f][0-9a-f]{2}|[a-zé]){0,6}",
            ),
        ) {
            let quoted = format!("\"{content}\"");
            let known = serde_json::from_str::<String>(&quoted).ok();
            prop_assert_eq!(unquoted(quoted.as_bytes()).map(String::from), known);
        }
    }
}
