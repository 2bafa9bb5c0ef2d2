//! What handlers remember, as rows: how they are spelled, what they take, and how much they may.
//!
//! Pure. A row says when it was written, for it may have a term; beside the rows of a handler
//! there is one that says what all of them take, changed in the commits that change them, so that
//! nobody ever counts them. Rows of an older Hookgate say nothing of both: they are read, and
//! spelled anew by the next sweep. Never knows a table.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use twox_hash::XxHash3_64;

use crate::event::Timestamp;
use crate::ids::Name;

/// The first byte of the key of a row that says when it was written. Before it, in the order of
/// keys, are those of an older Hookgate, which begin with a zero.
const TIMED: u8 = 1;
/// The first byte of the key of a row that says what a handler's rows take; its name follows.
const USED: u8 = 2;

/// The sum at the beginning of a row; behind it the rest of eight bytes is the time. An older
/// Hookgate wrote zeros there, and no sum.
const SUM_BYTES: usize = 2;
const NO_SUM: [u8; SUM_BYTES] = [0; SUM_BYTES];
/// The latest time that a row can say: that is in 8,900 years.
const TIME_MAX: u64 = (1 << 48) - 1;

/// A sweep looks for the expired keys of a handler again after this time: at most a day, at least a
/// minute.
const GRAIN_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const GRAIN_MIN: Duration = Duration::from_secs(60);
/// The share of a term that a row may be kept longer.
const GRAIN_SHARE: u32 = 16;

/// How much a handler may remember, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Keys of all its subjects together.
    pub keys: u64,
    /// The bytes of these and of their values, as they are stored.
    pub bytes: u64,
    /// A key goes when nobody has set it for so long; `None` is never.
    pub term: Option<Duration>,
}

impl Default for Quota {
    fn default() -> Self {
        Self { keys: 1_000_000, bytes: 1 << 30, term: None }
    }
}

impl Quota {
    /// How much longer than its term a row may be kept, so that the sweep need not always look.
    pub(in crate::store) fn grain(term: Duration) -> Duration {
        (term / GRAIN_SHARE).clamp(GRAIN_MIN, GRAIN_MAX)
    }
}

/// How much each handler may remember.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quotas(BTreeMap<Name, Quota>);

impl Quotas {
    /// These; the default for every other handler.
    pub fn of(handlers: impl IntoIterator<Item = (Name, Quota)>) -> Self {
        Self(handlers.into_iter().collect())
    }

    /// That of a handler.
    pub(in crate::store) fn quota(&self, handler: &Name) -> Quota {
        self.0.get(handler).copied().unwrap_or_default()
    }

    /// The handlers whose keys have a term.
    pub(in crate::store) fn terms(&self) -> impl Iterator<Item = (&Name, Duration)> {
        self.0.iter().filter_map(|(handler, quota)| Some((handler, quota.term?)))
    }
}

/// What the rows of a handler take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::store) struct Used {
    pub(in crate::store) keys: u64,
    pub(in crate::store) bytes: u64,
}

/// What the rows of each handler take.
pub(in crate::store) type AllUsed = BTreeMap<Name, Used>;

impl Used {
    /// What one row takes.
    pub(in crate::store) fn of(key: &[u8], row: &[u8]) -> Self {
        Self { keys: 1, bytes: (key.len() + row.len()) as u64 }
    }

    pub(in crate::store) fn and(self, more: Self) -> Self {
        let keys = self.keys.saturating_add(more.keys);
        Self { keys, bytes: self.bytes.saturating_add(more.bytes) }
    }

    pub(in crate::store) fn without(self, less: Self) -> Self {
        let keys = self.keys.saturating_sub(less.keys);
        Self { keys, bytes: self.bytes.saturating_sub(less.bytes) }
    }

    /// Whether a handler may come to this from `before`: to have less than before it always may,
    /// for its quota may be less than what it had.
    pub(in crate::store) fn is_within(self, quota: Quota, before: Self) -> bool {
        let keys = self.keys <= quota.keys.max(before.keys);
        keys && self.bytes <= quota.bytes.max(before.bytes)
    }

    pub(in crate::store) fn write(self) -> Bytes {
        let bytes = [self.keys.to_be_bytes(), self.bytes.to_be_bytes()];
        Bytes::copy_from_slice(bytes.as_flattened())
    }

    /// Whose this row is, and what it says; `None` if it is no such row.
    pub(in crate::store) fn read(key: &[u8], row: &[u8]) -> Option<(Name, Self)> {
        let (USED, handler) = key.split_first().map(|(first, rest)| (*first, rest))? else {
            return None;
        };
        let handler = std::str::from_utf8(handler).ok()?.parse().ok()?;
        let (keys, bytes) = row.split_first_chunk()?;
        let (keys, bytes) = (u64::from_be_bytes(*keys), u64::from_be_bytes(bytes.try_into().ok()?));
        Some((handler, Self { keys, bytes }))
    }
}

/// What all rows of all handlers take, in bytes.
pub(in crate::store) fn bytes(used: &AllUsed) -> u64 {
    used.values().map(|used| used.bytes).fold(0, u64::saturating_add)
}

/// The key of the row that says what a handler's rows take.
pub(in crate::store) fn used_key(handler: &Name) -> Vec<u8> {
    [&[USED][..], handler.as_str().as_bytes()].concat()
}

/// All keys of rows that say what is taken begin so.
pub(in crate::store) const ALL_USED: &[u8] = &[USED];

/// All keys of an older Hookgate begin so.
pub(in crate::store) const ALL_OLD: &[u8] = &[0];

/// Each part but the last behind its length, so that no two triples are spelled alike.
pub(in crate::store) fn key(handler: &Name, scope: &str, key: &str) -> Vec<u8> {
    let mut bytes = all_in(handler, scope);
    bytes.extend(key.as_bytes());
    bytes
}

/// All keys of a scope of a handler begin so.
pub(in crate::store) fn all_in(handler: &Name, scope: &str) -> Vec<u8> {
    let mut bytes = all_of(handler);
    let length = u32::try_from(scope.len()).expect("a scope is smaller than 4 GiB");
    bytes.extend(length.to_be_bytes());
    bytes.extend(scope.as_bytes());
    bytes
}

/// All keys of a handler begin so.
pub(in crate::store) fn all_of(handler: &Name) -> Vec<u8> {
    let name = handler.as_str().as_bytes();
    let length = u32::try_from(name.len()).expect("a name is short");
    [&[TIMED][..], &length.to_be_bytes(), name].concat()
}

/// The same key as an older Hookgate spelled it.
pub(in crate::store) fn old(key: &[u8]) -> &[u8] {
    &key[1..]
}

/// The key that an older Hookgate spelled so.
pub(in crate::store) fn anew(old: &[u8]) -> Vec<u8> {
    [&[TIMED][..], old].concat()
}

/// Whose row this is.
pub(in crate::store) fn handler_of(key: &[u8]) -> Option<Name> {
    let (length, rest) = key.strip_prefix(&[TIMED])?.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    std::str::from_utf8(rest.get(..length)?).ok()?.parse().ok()
}

/// The row of a value that is set under this key at this time, by the store's count. redb does not
/// check its pages when it reads them, and a flipped bit must not become another amount.
pub(in crate::store) fn row(key: &[u8], time: Timestamp, value: &[u8]) -> Bytes {
    let mut row = [&time.0.min(TIME_MAX).to_be_bytes()[..], value].concat();
    let sum = sum(key, &row);
    row[..SUM_BYTES].copy_from_slice(&sum);
    row.into()
}

/// The sum of what is behind it in a row under this key.
fn sum(key: &[u8], row: &[u8]) -> [u8; SUM_BYTES] {
    let seed = XxHash3_64::oneshot(key);
    let hash = XxHash3_64::oneshot_with_seed(seed, &row[SUM_BYTES..]).to_le_bytes();
    match [hash[0], hash[1]] {
        NO_SUM => [1, 0],
        sum => sum,
    }
}

/// The most that a handler may have more when it sets these keys of a scope.
pub(in crate::store) fn most(
    handler: &Name,
    scope: &str,
    changes: &[(String, Option<Bytes>)],
) -> Used {
    let set = changes.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    set.fold(Used::default(), |used, (name, value)| {
        let key = key(handler, scope, name);
        used.and(Used::of(&key, &row(&key, Timestamp(0), value)))
    })
}

/// The last word of a run on each key, in the order of keys.
pub(in crate::store) fn last_words(
    changes: &[(String, Option<Bytes>)],
) -> BTreeMap<&str, Option<&Bytes>> {
    changes.iter().map(|(key, value)| (key.as_str(), value.as_ref())).collect()
}

/// When the row under this key was written; `None` if it is damaged.
pub(in crate::store) fn written_at(key: &[u8], row: &[u8]) -> Option<Timestamp> {
    let (time, _) = row.split_first_chunk()?;
    let is_whole = row.starts_with(&NO_SUM) || row[..SUM_BYTES] == sum(key, row);
    is_whole.then(|| Timestamp(u64::from_be_bytes(*time) & TIME_MAX))
}

/// The value in the row under this key; `None` if it is damaged.
pub(in crate::store) fn value(key: &[u8], row: &Bytes) -> Option<Bytes> {
    written_at(key, row).map(|_| row.slice(size_of::<u64>()..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn no_two_places_share_a_key() {
        let key = |handler: &str, scope, text| key(&name(handler), scope, text);
        assert_ne!(key("a", "bc", "d"), key("a", "b", "cd"));
        assert_ne!(key("ab", "c", "d"), key("a", "bc", "d"));
    }

    #[test]
    fn a_row_reads_back_and_tells_whose_it_is_and_when_it_was_written() {
        let (handler, time) = (name("ledger"), Timestamp(1_700_000_000_000));
        let key = key(&handler, "pi_1", "count");
        let row = row(&key, time, b"7");
        let whole = (Some(time), Some(Bytes::from_static(b"7")));
        assert_eq!((written_at(&key, &row), value(&key, &row)), whole);
        // As an older Hookgate wrote it.
        let unsummed: Bytes = [&time.0.to_be_bytes()[..], b"7"].concat().into();
        assert_eq!((written_at(&key, &unsummed), value(&key, &unsummed)), whole);
        assert_eq!(handler_of(&key), Some(handler.clone()));
        assert!(key.starts_with(&all_of(&handler)) && !key.starts_with(&all_of(&name("led"))));
        assert_eq!(anew(old(&key)), key);
        assert!(old(&key).starts_with(ALL_OLD) && !key.starts_with(ALL_OLD));
        let short = Bytes::from_static(b"short");
        assert!(value(&key, &short).is_none() && handler_of(old(&key)).is_none());
    }

    #[test]
    fn a_row_with_one_flipped_bit_or_under_another_key_has_no_value() {
        let key = key(&name("ledger"), "pi_1", "paid");
        let whole = row(&key, Timestamp(1_700_000_000_000), b"4200");
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(value(&key, &flipped.into()), None, "bit {bit}");
        }
        for bit in 0..key.len() * 8 {
            let mut flipped = key.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(value(&flipped, &whole), None, "bit {bit} of the key");
        }
    }

    #[test]
    fn what_is_taken_reads_back_and_is_held_against_the_quota() {
        let used = Used { keys: 3, bytes: 1 << 40 };
        let key = used_key(&name("ledger"));
        assert_eq!(Used::read(&key, &used.write()), Some((name("ledger"), used)));
        assert!(
            Used::read(&key, b"short").is_none() && Used::read(b"\x01", &used.write()).is_none()
        );

        let quota = Quota { keys: 2, bytes: 10, term: None };
        let of = |keys, bytes| Used { keys, bytes };
        assert!(of(2, 10).is_within(quota, of(0, 0)));
        assert!(!of(3, 1).is_within(quota, of(2, 1)) && !of(1, 11).is_within(quota, of(1, 10)));
        assert!(of(5, 50).is_within(quota, of(6, 50)), "less than before it always may have");
        assert!(!of(5, 51).is_within(quota, of(6, 50)));
    }
}
