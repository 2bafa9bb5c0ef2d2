//! Texts in their quotes: what they say, and how one is written.
//!
//! Never looks for the end of a text: that is for the walk over the document.

use std::borrow::Cow;

use super::block::{BYTES, Block};

/// The text of a string in its quotes; `None` if the bytes are not a string, or not UTF-8.
pub(super) fn unquoted(quoted: &[u8]) -> Option<Cow<'_, str>> {
    if !quoted.starts_with(b"\"") {
        return None;
    }
    text_of(str::from_utf8(quoted).ok()?)
}

/// The text of a string in its quotes; `None` if it is not a string.
pub(super) fn text_of(quoted: &str) -> Option<Cow<'_, str>> {
    let content = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if !has_escape(content.as_bytes()) {
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

/// Whether a name in its quotes is this one.
pub(super) fn is_named(quoted: &[u8], name: &str) -> bool {
    let content = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if content == name.as_bytes() {
        return !has_escape(content);
    }
    // An escape writes a byte with at most six, so the length tells most names apart.
    content.len() > name.len()
        && content.len() <= name.len().saturating_mul(6)
        && has_escape(content)
        && unquoted(quoted).is_some_and(|known| known == name)
}

/// Writes `text` as a JSON string, with its quotes.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    write(text, &mut quoted);
    quoted
}

/// Writes `text` as a JSON string behind what is written already.
pub(super) fn write(text: &str, to: &mut String) {
    to.push('"');
    let mut rest = text;
    let must_be_escaped = |byte: u8| matches!(byte, b'"' | b'\\' | 0..b' ');
    while let Some(at) = rest.bytes().position(must_be_escaped) {
        let (plain, after) = rest.split_at(at);
        to.push_str(plain);
        match after.as_bytes()[0] {
            byte @ (b'"' | b'\\') => to.extend(['\\', char::from(byte)]),
            byte => *to += &format!("\\u{byte:04x}"),
        }
        rest = &after[1..];
    }
    to.push_str(rest);
    to.push('"');
}

fn has_escape(content: &[u8]) -> bool {
    let mut at = 0;
    while let Some(block) = Block::at(content, at) {
        if block.is(b'\\').bits() != 0 {
            return true;
        }
        at += BYTES;
    }
    content[at..].contains(&b'\\')
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_escape_is_found_wherever_it_stands() {
        for length in 0..40 {
            let plain = "x".repeat(length);
            assert!(!has_escape(plain.as_bytes()), "{length}");
            for at in 0..length {
                let mut escaped = plain.clone().into_bytes();
                escaped[at] = b'\\';
                assert!(has_escape(&escaped), "{length} {at}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn what_is_quoted_is_what_serde_reads(text: String) {
            let written = quoted(&text);
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
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
