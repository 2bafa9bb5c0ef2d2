//! Other writings of the same bytes, found in a text by reading them back.
//!
//! Part of [`super`], which knows what is looked for. Whoever wrote the text chose the writing, and
//! many are equal, so none is made here: what could be one is read, and hidden if a secret is in
//! it.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use percent_encoding::percent_decode_str;

use super::HIDDEN;

/// A writing within a writing, such as percent signs in base64, is read to this depth.
const DEPTH_MAX: usize = 2;
/// A shorter word can't hold a secret in base64 or hexadecimal that is worth the name.
const WORD_BYTES_MIN: usize = 6;

/// However it is padded, and whatever the last bits are.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// Whether bytes hold a secret.
type Holds<'a> = dyn Fn(&[u8]) -> bool + 'a;

/// The bytes that a text says in base64 of the usual alphabet.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    GeneralPurpose::new(&STANDARD, LENIENT).decode(text).ok()
}

/// Hides every word of a text that reads as a secret. What no word shows and the whole does is
/// hidden as a whole.
pub(super) fn hide(text: &mut String, holds: &Holds<'_>) {
    if text.contains(['%', '\\']) {
        words(text, is_escaped_text, &|word| escapes(word, holds));
    }
    words(text, is_base64, &|word| encoded(word, holds, 0));
    if text.contains(['%', '\\']) && escapes(text, holds).is_some() {
        HIDDEN.clone_into(text);
    }
}

/// Puts what `change` gives in place of each word.
fn words(
    text: &mut String,
    is_part: impl Fn(char) -> bool,
    change: &dyn Fn(&str) -> Option<String>,
) {
    let mut shown = String::new();
    let mut kept = 0;
    let mut rest = 0;
    while let Some(start) = text[rest..].find(&is_part).map(|at| rest + at) {
        let end = text[start..].find(|c| !is_part(c)).map_or(text.len(), |length| start + length);
        if let Some(changed) = change(&text[start..end]) {
            shown += &text[kept..start];
            shown += &changed;
            kept = end;
        }
        rest = end;
    }
    if kept > 0 {
        shown += &text[kept..];
        *text = shown;
    }
}

/// What may stand in one value of a query, a form or a JSON text.
fn is_escaped_text(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '"' | '&' | '=' | '?' | ';' | ',' | '<' | '>' | '{' | '}')
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_')
}

/// The sign for something hidden, if a word's escapes stand for a secret.
fn escapes(word: &str, holds: &Holds<'_>) -> Option<String> {
    let percent = word.contains('%').then(|| unescaped_percent(word));
    let spaced = percent.as_deref().filter(|_| word.contains('+')).map(|_| {
        // A form's plus is a space.
        unescaped_percent(&word.replace('+', " "))
    });
    let json = word.contains('\\').then(|| unescaped_json(word));
    let found = [percent, spaced, json].into_iter().flatten().any(|bytes| holds(&bytes));
    found.then(|| HIDDEN.to_owned())
}

fn unescaped_percent(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
}

/// With what is escaped as JSON escapes it; what is no escape stays.
fn unescaped_json(text: &str) -> Vec<u8> {
    let mut read = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        read += &rest[..at];
        let escape = &rest[at..];
        // A pair of surrogates is twelve bytes, `\u00e9` six, `\/` two.
        let one = [12, 6, 2].into_iter().find_map(|length| {
            let literal = escape.get(..length)?;
            let text: String = serde_json::from_str(&format!("\"{literal}\"")).ok()?;
            (text.chars().count() == 1).then_some((text, length))
        });
        match one {
            Some((text, length)) => {
                read += &text;
                rest = &escape[length..];
            }
            None => {
                read.push('\\');
                rest = &escape[1..];
            }
        }
    }
    read += rest;
    read.into_bytes()
}

/// A word in base64 or hexadecimal with the secret in it hidden, or as a whole if it is in there in
/// yet another writing.
fn encoded(word: &str, holds: &Holds<'_>, depth: usize) -> Option<String> {
    if word.len() < WORD_BYTES_MIN {
        return None;
    }
    if let Ok(bytes) = hex::decode(word)
        && shows(&bytes, holds, depth)
    {
        return Some(HIDDEN.to_owned());
    }
    let alphabet = if word.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let engine = GeneralPurpose::new(alphabet, LENIENT);
    // One digit by itself is no byte.
    let whole = if word.len() % 4 == 1 { &word[..word.len() - 1] } else { word };
    let bytes = engine.decode(whole).ok()?;
    if holds(&bytes) {
        return Some(starred(bytes, holds, &engine, word.len()));
    }
    shows(&bytes, holds, depth).then(|| HIDDEN.to_owned())
}

/// Whether bytes hold a secret, or are a text that does so in another writing.
fn shows(bytes: &[u8], holds: &Holds<'_>, depth: usize) -> bool {
    if holds(bytes) {
        return true;
    }
    if depth >= DEPTH_MAX {
        return false;
    }
    let text = String::from_utf8_lossy(bytes);
    let by_escapes = text.contains(['%', '\\']) && escapes(&text, holds).is_some();
    let mut words = text.split(|c| !is_base64(c));
    by_escapes || words.any(|word| encoded(word, holds, depth + 1).is_some())
}

/// The same with stars over the secret, so that what is around it can still be read.
fn starred(
    mut bytes: Vec<u8>,
    holds: &Holds<'_>,
    engine: &GeneralPurpose,
    length: usize,
) -> String {
    let mut from = 0;
    while let Some((start, end)) = smallest(&bytes[from..], holds) {
        bytes[from + start..from + end].fill(b'*');
        from += end;
    }
    let mut text = engine.encode(&bytes);
    text.truncate(length);
    text
}

/// The place of one secret: what is left if as much as can be is cut off at both ends.
fn smallest(bytes: &[u8], holds: &Holds<'_>) -> Option<(usize, usize)> {
    if !holds(bytes) {
        return None;
    }
    // The shortest beginning that holds one ends with it, and by halving it is found quickly.
    let mut low = 0;
    let mut high = bytes.len();
    while low < high {
        let middle = low.midpoint(high);
        if holds(&bytes[..middle]) { high = middle } else { low = middle + 1 }
    }
    let end = low;
    let mut first = 0;
    let mut last = end;
    while first < last {
        let middle = (first + last).div_ceil(2);
        if holds(&bytes[middle..end]) { first = middle } else { last = middle - 1 }
    }
    Some((first, end))
}
