//! Where a list goes on, as a text that means nothing to anybody else.
//!
//! A value. It belongs to one list: in a list with other filters it would pass over what they
//! select. Never says what lies there, so that what it holds may change.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::store::error::Error;

/// What the text of a cursor begins with, for a later one that holds something else.
const VERSION: &str = "v1.";

/// Where a list goes on: what a page says to ask for the next with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    list: List,
    before: u64,
}

/// Tells one list from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct List(u64);

/// A text that is no [`Cursor`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the `next` of a page")]
pub struct InvalidCursor(String);

impl List {
    /// The list of this name, as these filters leave it.
    pub(super) fn of(name: &str, filters: &[Option<String>]) -> Self {
        let mut hash = Sha256::new().chain_update(name);
        for filter in filters {
            // Each behind its length, so that no two lists are written alike.
            let length = filter.as_ref().map_or(u64::MAX, |filter| filter.len() as u64);
            hash.update(length.to_be_bytes());
            hash.update(filter.as_deref().unwrap_or_default());
        }
        let hash = hash.finalize();
        Self(u64::from_be_bytes(hash[..8].try_into().expect("a SHA-256 has 32 bytes")))
    }
}

impl Cursor {
    /// Right before this position of a list.
    pub(super) fn new(list: List, before: u64) -> Self {
        Self { list, before }
    }

    /// The position that it stands behind, in the order of a list.
    pub(super) fn before(self) -> u64 {
        self.before
    }

    /// Whether a page of this list gave it.
    pub(super) fn check(self, list: List) -> Result<(), Error> {
        if self.list == list { Ok(()) } else { Err(Error::ForeignCursor) }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.list.0.to_be_bytes(), self.before.to_be_bytes()].concat();
        write!(f, "{VERSION}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let parse = || {
            let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(VERSION)?).ok()?;
            let (list, before) = bytes.split_first_chunk::<8>()?;
            let before: [u8; 8] = before.try_into().ok()?;
            let list = List(u64::from_be_bytes(*list));
            Some(Self { list, before: u64::from_be_bytes(before) })
        };
        parse().ok_or_else(|| InvalidCursor(text.to_owned()))
    }
}

impl serde::Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_anything_else_is_refused() {
        let list = List::of("events", &[Some("shop".into()), None]);
        let cursor = Cursor::new(list, u64::MAX - 7);
        let text = cursor.to_string();
        assert_eq!(text.parse::<Cursor>().unwrap(), cursor);
        for wrong in ["", "17", "v1.", "v2.AAAA", &text[..text.len() - 1], &text[3..]] {
            assert!(wrong.parse::<Cursor>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cursor_belongs_to_one_list() {
        let text = |text: &str| Some(text.to_owned());
        let lists = [
            List::of("dead", &[]),
            List::of("events", &[None, None]),
            List::of("events", &[text(""), None]),
            List::of("events", &[text("a"), text("b")]),
            List::of("events", &[text("ab"), text("")]),
        ];
        for (number, list) in lists.iter().enumerate() {
            let cursor = Cursor::new(*list, 9);
            for (other, another) in lists.iter().enumerate() {
                assert_eq!(cursor.check(*another).is_ok(), number == other);
            }
        }
    }
}
