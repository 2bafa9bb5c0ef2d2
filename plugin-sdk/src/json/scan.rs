//! Walks the bytes of a JSON document.
//!
//! There are two ways: [`check`] accepts exactly the documents of RFC 8259, and [`member`] finds a
//! value in bytes that may be invalid and stops as soon as it has found it. They never recurse, so
//! no document is too deep for a plugin's small stack.

use std::ops::Range;

use super::block::{BYTES, Block, Marks};
use super::brackets::Brackets;
use super::quotes::is_named;
use super::skip::Nest;
use crate::limits::JSON_DEPTH_MAX as DEPTH_MAX;

/// Where a name or a value stands in the bytes.
pub(super) type Span = Range<usize>;

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
pub(super) fn member(bytes: &[u8], name: &str) -> Option<Span> {
    if let Ok(index) = name.parse::<usize>()
        && let Some(element) = elements(bytes).nth(index)
    {
        return Some(element);
    }
    members(bytes).find(|(known, _)| is_named(&bytes[known.clone()], name)).map(|(_, value)| value)
}

/// The members of an object: names in their quotes, and values.
pub(super) fn members(object: &[u8]) -> impl Iterator<Item = (Span, Span)> {
    let mut entries = Entries::of(object, 0);
    std::iter::from_fn(move || {
        let name = entries.name()?;
        Some((name, entries.pass()?))
    })
}

/// A walk over the members of an object that may enter their values.
#[derive(Debug, Clone)]
pub(super) struct Entries<'a> {
    scan: Scan<'a>,
    more: bool,
}

impl<'a> Entries<'a> {
    /// The members of the object at this place in the bytes; none if there is no object.
    pub(super) fn of(bytes: &'a [u8], at: usize) -> Self {
        let mut scan = Scan { bytes, at };
        let is_object = scan.token() == Some(b'{');
        scan.space();
        Self { more: is_object && scan.take(b'}').is_none(), scan }
    }

    /// The next name, in its quotes. Its value must be passed over or entered before the next one.
    pub(super) fn name(&mut self) -> Option<Span> {
        if !std::mem::take(&mut self.more) {
            return None;
        }
        let name = self.scan.string()?;
        (self.scan.token()? == b':').then_some(name)
    }

    /// The value behind the name, which is passed over.
    pub(super) fn pass(&mut self) -> Option<Span> {
        let value = self.scan.skip()?;
        self.more = self.scan.token() == Some(b',');
        Some(value)
    }

    /// The members of the object behind the name; `None` if it is not an object.
    pub(super) fn enter(&mut self) -> Option<Self> {
        self.scan.space();
        (self.scan.peek()? == b'{').then(|| Self::of(self.scan.bytes, self.scan.at))
    }

    /// The place behind the last member that was read, and behind the bracket if it was the last.
    pub(super) fn place(&self) -> usize {
        self.scan.at
    }

    /// The value behind the name, which was entered and ends at this place.
    pub(super) fn leave(&mut self, end: usize) -> Span {
        let start = std::mem::replace(&mut self.scan.at, end);
        self.more = self.scan.token() == Some(b',');
        start..end
    }
}

/// The elements of an array.
pub(super) fn elements(array: &[u8]) -> impl Iterator<Item = Span> {
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

impl Scan<'_> {
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

    /// Goes on to the next of the bytes that `marks` marks in a block, or to the end. `is` says the
    /// same of one byte, for the last ones.
    fn until(&mut self, is: impl Fn(u8) -> bool, marks: impl Fn(Block) -> Marks) {
        while let Some(block) = Block::at(self.bytes, self.at) {
            let bits = marks(block).bits();
            if bits != 0 {
                self.at += bits.trailing_zeros() as usize;
                return;
            }
            self.at += BYTES;
        }
        self.while_(|byte| !is(byte));
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
            self.blanks();
        }
    }

    /// Many blanks in a row, which indent a line, eight at a time.
    fn blanks(&mut self) {
        while let Some(bytes) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            let other = u64::from_le_bytes(*bytes) ^ u64::from_le_bytes([b' '; 8]);
            self.at += other.trailing_zeros() as usize / 8;
            if other != 0 {
                return;
            }
        }
    }

    /// The next byte that is not white space.
    fn token(&mut self) -> Option<u8> {
        self.space();
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// The next string, in its quotes, found by them alone.
    fn string(&mut self) -> Option<Span> {
        self.space();
        let start = self.at;
        self.take(b'"')?;
        loop {
            self.until(
                |byte| matches!(byte, b'"' | b'\\'),
                |block| block.is(b'"').or(block.is(b'\\')),
            );
            if self.peek()? == b'"' {
                self.at += 1;
                return Some(start..self.at);
            }
            self.at = self.bytes.len().min(self.at + 2);
        }
    }

    /// The next value, whatever it is, found by its brackets and quotes alone.
    fn skip(&mut self) -> Option<Span> {
        self.space();
        let start = self.at;
        match self.peek()? {
            b'"' => return self.string(),
            b'{' | b'[' => self.at = Nest::end(self.bytes, start)?,
            b'}' | b']' | b',' | b':' => return None,
            _ => self
                .while_(|byte| !matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r')),
        }
        Some(start..self.at)
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
            self.until(
                |byte| matches!(byte, b'"' | b'\\' | 0..0x20),
                |block| block.is(b'"').or(block.is(b'\\')).or(block.below(0x20)),
            );
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
    use crate::json::quotes::unquoted;

    /// What stands where a member does.
    fn found<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
        member(bytes, name).map(|value| &bytes[value])
    }

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
        assert_eq!(found(format!("{{\"a\":{deep},\"b\":1}}").as_bytes(), "b"), Some(&b"1"[..]));
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
        assert_eq!(found(b"{\"a\":\"x\",\xff", "a"), Some(&b"\"x\""[..]));
        assert_eq!(found(br#"{"\ud800":0,"a":1}"#, "a"), Some(&b"1"[..]));
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
            assert_eq!(found(bytes, "a"), None);
            assert_eq!(found(bytes, "0"), None);
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
                    let found = found(text.as_bytes(), name).unwrap();
                    prop_assert_eq!(&serde_json::from_slice::<Value>(found).unwrap(), expected);
                }
            }
            if let Value::Array(items) = &value {
                let found: Vec<Value> = elements(text.as_bytes())
                    .map(|item| serde_json::from_str(&text[item]).unwrap())
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
    }
}
