//! Names that operators give, and ids that the store gives.
//!
//! An id is a position in the store's log with the store's own tag, so that a point read needs no
//! index and no two stores ever give the same id. Pure: nothing here knows what an id stands for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

/// The name of a source, plugin, handler or endpoint: 1 to 63 characters out of `a-z 0-9 -`,
/// beginning with a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

/// A text that is not a [`Name`].
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a name: 1 to 63 characters out of a-z, 0-9 and `-`, beginning with a letter or \
     digit"
)]
pub struct InvalidName(String);

impl Name {
    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the endpoint whose [key](Id::key) this is; `None` if it is no such key.
    pub fn endpoint_id(&self) -> Option<Id> {
        let digits = self.0.strip_prefix(KEY_PREFIX)?;
        format!("{}{digits}", IdKind::Endpoint.prefix()).parse().ok()
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=63).contains(&text.len()) && text.bytes().all(known);
        if fits && !text.starts_with('-') {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

/// What an id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IdKind {
    /// `rcp_`
    Receipt,
    /// `evt_`
    Event,
    /// `run_`
    Run,
    /// `dlv_`
    Delivery,
    /// `rpl_`: a replay by filter.
    Replay,
    /// `ep_`
    Endpoint,
}

impl IdKind {
    const ALL: [Self; 6] =
        [Self::Receipt, Self::Event, Self::Run, Self::Delivery, Self::Replay, Self::Endpoint];

    fn prefix(self) -> &'static str {
        match self {
            Self::Receipt => "rcp_",
            Self::Event => "evt_",
            Self::Run => "run_",
            Self::Delivery => "dlv_",
            Self::Replay => "rpl_",
            Self::Endpoint => "ep_",
        }
    }
}

/// A receipt, event, run, delivery, replay or endpoint of one store.
///
/// Its text is the kind's prefix, 12 digits of the position and 6 of the store's tag, in
/// Crockford's base 32: ids sort by age as text too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// What it stands for.
    pub kind: IdKind,
    /// The position in the store's log, below 2^60.
    pub position: u64,
    /// The store's tag, below 2^30.
    pub tag: u32,
}

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Of the longest prefix.
const PREFIX_BYTES: usize = 4;
const POSITION_DIGITS: usize = 12;
const TAG_DIGITS: usize = 6;

/// What the key of an endpoint begins with: a name has no `_`.
const KEY_PREFIX: &str = "ep-";

/// Set in the id of an endpoint that stands in the configuration, and in no position: a log would
/// have to hold 2^59 records first.
const NAMED: u64 = 1 << 59;

impl Id {
    /// The id of the endpoint of this name in the configuration: the same at every start.
    pub fn endpoint_of(name: &Name, tag: u32) -> Self {
        let hash = XxHash3_64::oneshot(name.as_str().as_bytes());
        Self { kind: IdKind::Endpoint, position: NAMED | (hash & (NAMED - 1)), tag }
    }

    /// The name that deliveries know an endpoint of the store by. Unlike the name that its owner
    /// gave it, it never changes and is never given again.
    pub fn key(self) -> Name {
        Name(self.to_string().replace('_', "-").into())
    }
}

/// A text that is not an [`Id`].
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not an id: an id is rcp_, evt_, run_, dlv_, rpl_ or ep_, and then 18 letters and \
     digits"
)]
pub struct InvalidId(String);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.kind.prefix();
        let mut text = [0u8; PREFIX_BYTES + POSITION_DIGITS + TAG_DIGITS];
        let text = &mut text[..known.len() + POSITION_DIGITS + TAG_DIGITS];
        let (prefix, digits) = text.split_at_mut(known.len());
        let (position, tag) = digits.split_at_mut(POSITION_DIGITS);
        prefix.copy_from_slice(known.as_bytes());
        put_digits(position, self.position);
        put_digits(tag, self.tag.into());
        // In one piece: what takes it in makes room for it once.
        f.write_str(std::str::from_utf8(text).map_err(|_| fmt::Error)?)
    }
}

fn put_digits(text: &mut [u8], mut number: u64) {
    for place in text.iter_mut().rev() {
        *place = DIGITS[(number & 31) as usize];
        number >>= 5;
    }
}

fn read_digits(text: &str) -> Option<u64> {
    text.bytes().try_fold(0, |number, byte| {
        let digit = DIGITS.iter().position(|digit| *digit == byte)?;
        Some(number << 5 | digit as u64)
    })
}

impl FromStr for Id {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let parse = || {
            let kind = IdKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
            let digits = &text[kind.prefix().len()..];
            if digits.len() != POSITION_DIGITS + TAG_DIGITS || !digits.is_ascii() {
                return None;
            }
            let (position, tag) = digits.split_at(POSITION_DIGITS);
            let tag = u32::try_from(read_digits(tag)?).ok()?;
            Some(Self { kind, position: read_digits(position)?, tag })
        };
        parse().ok_or_else(|| InvalidId(text.to_owned()))
    }
}

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let id = Id { kind: IdKind::Delivery, position: 1_234_567_890, tag: (1 << 30) - 1 };
        assert_eq!(id.to_string(), "dlv_0000014sc0pjzzzzzz");
        assert_eq!(id.to_string().parse::<Id>().unwrap(), id);
    }

    #[test]
    fn an_id_of_an_endpoint_has_a_shorter_prefix_and_reads_back() {
        let id = Id { kind: IdKind::Endpoint, position: 33, tag: 1 };
        assert_eq!(id.to_string(), "ep_000000000011000001");
        assert_eq!(id.to_string().parse::<Id>().unwrap(), id);
    }

    #[test]
    fn the_key_of_an_endpoint_is_a_name_and_says_which_it_is() {
        let id = Id { kind: IdKind::Endpoint, position: 33, tag: 1 };
        assert_eq!(id.key(), "ep-000000000011000001".parse().unwrap());
        assert_eq!(id.key().endpoint_id(), Some(id));
        for other in ["ep-1", "ep-00000000001u000001", "crm", "evt-000000000011000001"] {
            assert_eq!(other.parse::<Name>().unwrap().endpoint_id(), None, "{other}");
        }
    }

    #[test]
    fn the_id_of_an_endpoint_in_the_configuration_is_stable_and_no_position() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let id = Id::endpoint_of(&name("crm"), 7);
        assert_eq!(id, Id::endpoint_of(&name("crm"), 7));
        assert_ne!(id, Id::endpoint_of(&name("erp"), 7));
        assert_eq!((id.kind, id.position >> 59, id.tag), (IdKind::Endpoint, 1, 7));
        assert_eq!(id.to_string().parse::<Id>().unwrap(), id);
        assert_eq!(id.key().endpoint_id(), Some(id));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "rcp_",
            "evt_123",
            "rcp_00000000000u000000",
            "rcp_é0000000000000000",
            "xyz_000000000000000000",
            "ep_0000000000000000000",
            "ep_00000000000000000",
        ] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_checked() {
        for text in ["stripe", "standard-webhooks", "3ds", "a"] {
            assert!(text.parse::<Name>().is_ok(), "{text}");
        }
        for text in ["", "-a", "A", "a_b", "a/b", "é", &"a".repeat(64)] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }
}
