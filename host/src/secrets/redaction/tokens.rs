//! Tokens of the admin port in a text, known by their shape alone.
//!
//! Part of [`super`]. The gateway keeps no token but its hash, so a leaked one can't be looked for
//! as other secrets are. Never hides the prefix by itself, which texts about tokens have.

use std::ops::Range;

use super::HIDDEN;

/// What a token begins with, so that people and scanners for leaked secrets know it.
pub(crate) const TOKEN_PREFIX: &str = "hgt_";
/// What stands behind it in a whole one, in characters: 32 random bytes in base64.
pub(super) const WHOLE: usize = 43;
/// With fewer characters than this nobody can guess the others.
const PART: usize = 20;

/// The first token in these bytes of which at least so many characters are there.
pub(super) fn find(bytes: &[u8], least: usize) -> Option<Range<usize>> {
    let prefix = TOKEN_PREFIX.as_bytes();
    let mut from = 0;
    while let Some(at) = bytes[from..].windows(prefix.len()).position(|it| it == prefix) {
        let (start, rest) = (from + at, from + at + prefix.len());
        let length = bytes[rest..].iter().take_while(|byte| is_part(**byte)).count();
        if length >= least {
            return Some(start..rest + length);
        }
        // Another may begin within what stands behind this prefix.
        from = rest;
    }
    None
}

/// Whether it is a character of base64 as URLs have it.
fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Hides every token of a text, also one that was cut off.
pub(super) fn hide(text: &mut String) {
    let mut shown = String::new();
    let mut kept = 0;
    while let Some(found) = find(&text.as_bytes()[kept..], PART) {
        shown += &text[kept..kept + found.start];
        shown += HIDDEN;
        kept += found.end;
    }
    if kept > 0 {
        shown += &text[kept..];
        *text = shown;
    }
}
