//! What may be shown of a text that came from outside: all of it but the secrets.
//!
//! Knows every secret that this process has read, also those that were rotated out since, and finds
//! them as they are and as other writings have them: percent-encoded, in JSON's escapes, in base64,
//! in hexadecimal. Tokens of the admin port, of which nobody keeps the text, it finds by their
//! shape. Stands before whatever leaves for people: the operators' answers and the log. Never
//! changes what is stored, and never gives a secret away.

mod tokens;
mod writing;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

pub(crate) use self::tokens::TOKEN_PREFIX;
use super::Secret;
use crate::json_text::literal_bytes;

/// Stands where something is not shown.
pub const HIDDEN: &str = "(hidden)";

/// A shorter key would be found everywhere.
const KEY_BYTES_MIN: usize = 8;
/// A shorter secret is hidden only as it is: in base64 it stands by chance in plain words.
const ENCODED_BYTES_MIN: usize = 4;
/// What the text of a secret may begin with where the rest is a key in base64.
const PREFIXES: [&str; 3] = ["whsec_", "whsk_", "whpk_"];

/// The secrets that no text may show. Clones share them.
#[derive(Clone, Default)]
pub struct Redaction(Arc<RwLock<Arc<Known>>>);

/// What is looked for.
#[derive(Clone, Default)]
struct Known {
    secrets: Vec<Secret>,
    /// The bytes of those that are keys in base64 behind a prefix: they are as good without it.
    keys: Vec<Vec<u8>>,
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redaction(..)")
    }
}

impl Redaction {
    /// Adds secrets to those that are hidden from now on. None is ever forgotten: a receipt of
    /// before a rotation may hold the old one.
    pub fn learn<'a>(&self, secrets: impl IntoIterator<Item = &'a Secret>) {
        let before = self.known();
        let is_known =
            |secret: &Secret| before.secrets.iter().any(|it| it.expose() == secret.expose());
        let new: Vec<_> = secrets.into_iter().filter(|secret| !is_known(secret)).collect();
        if !new.is_empty() {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            let known = Arc::make_mut(&mut *known);
            known.keys.extend(new.iter().filter_map(|secret| key(secret)));
            known.secrets.extend(new.into_iter().cloned());
        }
    }

    /// The secrets as they are now. No lock is held while a text is looked through: every line of
    /// the log waits for it.
    fn known(&self) -> Arc<Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The text as it may be shown; `None` if all of it may be.
    pub fn of_text(&self, text: &str) -> Option<String> {
        let known = self.known();
        let mut shown = text.to_owned();
        for secret in &known.secrets {
            secret.take_out_of(&mut shown, HIDDEN);
        }
        tokens::hide(&mut shown);
        let is_token = |bytes: &[u8]| tokens::find(bytes, tokens::WHOLE).is_some();
        writing::hide(&mut shown, &|bytes| known.is_in(bytes) || is_token(bytes));
        (shown != text).then_some(shown)
    }

    /// JSON as it may be shown, still as JSON: each of its strings is looked at as what it says,
    /// and each number as it is written.
    pub fn of_json(&self, json: &str) -> String {
        let mut shown = String::with_capacity(json.len());
        let mut rest = json;
        while let Some(start) = rest.find('"') {
            self.add_bare(&mut shown, &rest[..start]);
            let (literal, after) = rest[start..].split_at(literal_bytes(&rest[start..]));
            let changed = serde_json::from_str::<String>(literal).ok();
            match changed.and_then(|text| self.of_text(&text)) {
                Some(text) => shown += &serde_json::Value::from(text).to_string(),
                None => shown += literal,
            }
            rest = after;
        }
        self.add_bare(&mut shown, rest);
        shown
    }

    /// Adds what stands between strings. A number that is a secret becomes a string.
    fn add_bare(&self, shown: &mut String, bare: &str) {
        let is_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        for part in bare.split_inclusive(|c| !is_number(c)) {
            let number = part.trim_end_matches(|c| !is_number(c));
            if number.is_empty() || self.of_text(number).is_none() {
                *shown += part;
            } else {
                *shown += &format!("\"{HIDDEN}\"{}", &part[number.len()..]);
            }
        }
    }
}

impl Known {
    /// Whether one of them is in these bytes, which were read out of another writing.
    fn is_in(&self, bytes: &[u8]) -> bool {
        let secrets = self.secrets.iter().map(|secret| secret.expose().as_bytes());
        let all = secrets.chain(self.keys.iter().map(Vec::as_slice));
        let mut long = all.filter(|secret| secret.len() >= ENCODED_BYTES_MIN);
        long.any(|secret| bytes.windows(secret.len()).any(|window| window == secret))
    }
}

/// The key that a secret says in base64 behind a prefix.
fn key(secret: &Secret) -> Option<Vec<u8>> {
    let rest = PREFIXES.iter().find_map(|prefix| secret.expose().strip_prefix(prefix))?;
    writing::from_base64(rest).filter(|key| key.len() >= KEY_BYTES_MIN)
}

#[cfg(test)]
mod tests;
