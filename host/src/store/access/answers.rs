//! Writes of the admin port that are done once: each under a key that its client gave, with the
//! answer that it had.
//!
//! A row is there before the write begins. One without an answer is of a write of which nobody
//! knows what became of it: it is never done a second time. Never knows what a write does.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Rows;
use crate::event::Timestamp;
use crate::store::error::Failure;
use crate::store::file::kept_rows::Kept;

/// Before everything that is hashed.
const SEED: &[u8] = b"hookgate once 1\0";
/// The hours for which a key is known, beside the one in which it came.
const HOURS: u64 = 24;
const HOUR_MILLIS: u64 = 60 * 60 * 1000;

/// What tells a write from all others: who sends it, and the key that they gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OnceKey([u8; 32]);

impl OnceKey {
    /// The key that somebody gave; whoever has no name is the same as all others without one.
    pub fn of(who: Option<&str>, key: &str) -> Self {
        let mut hash = Sha256::new().chain_update(SEED);
        // No name is empty.
        let who = who.unwrap_or_default();
        hash.update((who.len() as u64).to_be_bytes());
        hash.update(who);
        hash.update(key);
        Self(hash.finalize().into())
    }

    /// Its row, if it came in this hour.
    fn row(self, hour: u64) -> Vec<u8> {
        [&hour.to_be_bytes()[..], &self.0].concat()
    }
}

/// An answer that is given again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// The status.
    pub status: u16,
    /// The content type.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

/// The row of a write, in postcard. One that says more is another variant, at the end.
#[derive(Serialize, Deserialize)]
enum AnswerRow {
    V1 {
        /// Tells the request from others.
        request: [u8; 32],
        answer: Option<KeptAnswer>,
    },
}

/// How a write stands that somebody wants to have done once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once {
    /// It may be done now.
    First,
    /// It was begun, and nobody knows what became of it.
    Unfinished,
    /// Another request has this key.
    Other,
    /// It was done, with this answer.
    Answered(KeptAnswer),
}

fn hour(now: Timestamp) -> u64 {
    now.0 / HOUR_MILLIS
}

/// The last key of those that are known no longer.
pub(in crate::store) fn last_expired(now: Timestamp) -> Vec<u8> {
    OnceKey([u8::MAX; 32]).row(hour(now).saturating_sub(HOURS + 1))
}

/// The row of a key, by its own key; a clock may have been set back meanwhile.
fn find(
    rows: &impl Rows,
    key: OnceKey,
    now: Timestamp,
) -> Result<Option<(Vec<u8>, Bytes)>, Failure> {
    let now = hour(now);
    for hour in (now.saturating_sub(HOURS)..=now + 1).rev() {
        let place = key.row(hour);
        if let Some(row) = rows.row(Kept::Answers, &place)? {
            return Ok(Some((place, row)));
        }
    }
    Ok(None)
}

fn write(request: [u8; 32], answer: Option<KeptAnswer>) -> Bytes {
    let row = AnswerRow::V1 { request, answer };
    postcard::to_stdvec(&row).expect("a row can be written to memory").into()
}

/// Begins a write, if it was not begun before.
pub(in crate::store) fn begin(
    rows: &mut impl Rows,
    key: OnceKey,
    request: [u8; 32],
    now: Timestamp,
) -> Result<Once, Failure> {
    let Some((_, row)) = find(rows, key, now)? else {
        rows.put(Kept::Answers, key.row(hour(now)), Some(write(request, None)));
        return Ok(Once::First);
    };
    Ok(match postcard::from_bytes(&row) {
        Ok(AnswerRow::V1 { request: other, .. }) if other != request => Once::Other,
        Ok(AnswerRow::V1 { answer: Some(answer), .. }) => Once::Answered(answer),
        // What can't be read may have been done too.
        Ok(AnswerRow::V1 { answer: None, .. }) | Err(_) => Once::Unfinished,
    })
}

/// A write has its answer; without one it was not done, and may be begun again.
pub(in crate::store) fn end(
    rows: &mut impl Rows,
    key: OnceKey,
    request: [u8; 32],
    answer: Option<KeptAnswer>,
    now: Timestamp,
) -> Result<(), Failure> {
    let place = find(rows, key, now)?.map_or_else(|| key.row(hour(now)), |(place, _)| place);
    let row = answer.map(|answer| write(request, Some(answer)));
    rows.put(Kept::Answers, place, row);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Rows that lie nowhere.
    #[derive(Default)]
    struct Memory(BTreeMap<Vec<u8>, Bytes>);

    impl Rows for Memory {
        fn row(&self, _: Kept, key: &[u8]) -> Result<Option<Bytes>, Failure> {
            Ok(self.0.get(key).cloned())
        }

        fn rows(&self, _: Kept) -> Result<BTreeMap<Vec<u8>, Bytes>, Failure> {
            Ok(self.0.clone())
        }

        fn put(&mut self, _: Kept, key: Vec<u8>, row: Option<Bytes>) {
            match row {
                Some(row) => drop(self.0.insert(key, row)),
                None => drop(self.0.remove(&key)),
            }
        }
    }

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const ONE: [u8; 32] = [1; 32];

    fn later(hours: u64) -> Timestamp {
        Timestamp(NOW.0 + hours * HOUR_MILLIS)
    }

    fn answer() -> KeptAnswer {
        let content_type = "application/json".to_owned();
        KeptAnswer { status: 202, content_type, body: Bytes::from_static(b"{}") }
    }

    #[test]
    fn a_write_is_begun_once_and_has_its_answer_for_a_day() {
        let (mut rows, key) = (Memory::default(), OnceKey::of(Some("ci"), "a"));
        assert_eq!(begin(&mut rows, key, ONE, NOW).unwrap(), Once::First);
        assert_eq!(begin(&mut rows, key, ONE, later(5)).unwrap(), Once::Unfinished);
        end(&mut rows, key, ONE, Some(answer()), later(1)).unwrap();
        for hours in [0, 1, 24] {
            let again = begin(&mut rows, key, ONE, later(hours)).unwrap();
            assert_eq!(again, Once::Answered(answer()), "after {hours} hours");
        }
        let back = Timestamp(NOW.0 - HOUR_MILLIS);
        assert_eq!(begin(&mut rows, key, ONE, back).unwrap(), Once::Answered(answer()));
        assert_eq!(begin(&mut rows, key, [2; 32], NOW).unwrap(), Once::Other);
        assert_eq!(rows.0.len(), 1);
        assert_eq!(begin(&mut rows, key, ONE, later(26)).unwrap(), Once::First);
        let expired = rows.0.range(..=last_expired(later(26))).count();
        assert_eq!(expired, 1, "and not the new one");
    }

    #[test]
    fn what_was_not_done_may_be_begun_again_and_what_can_not_be_read_may_not() {
        let (mut rows, key) = (Memory::default(), OnceKey::of(None, "a"));
        begin(&mut rows, key, ONE, NOW).unwrap();
        end(&mut rows, key, ONE, None, NOW).unwrap();
        assert_eq!(begin(&mut rows, key, ONE, NOW).unwrap(), Once::First);
        let place = key.row(hour(NOW));
        rows.0.insert(place, Bytes::from_static(&[9]));
        assert_eq!(begin(&mut rows, key, ONE, NOW).unwrap(), Once::Unfinished);
    }

    #[test]
    fn a_key_is_of_who_gave_it() {
        let keys = [
            OnceKey::of(None, "a"),
            OnceKey::of(None, "b"),
            OnceKey::of(Some("a"), ""),
            OnceKey::of(Some("ci"), "a"),
            OnceKey::of(Some("c"), "ia"),
        ];
        for (number, key) in keys.iter().enumerate() {
            assert!(!keys[..number].contains(key), "{number}");
        }
    }

    /// The bytes as another version reads them: a change here is another format.
    #[test]
    fn a_row_is_spelled_as_it_was_by_the_version_before() {
        let head = [&[0][..], &[1; 32]].concat();
        assert_eq!(write(ONE, None)[..], [&head[..], &[0]].concat());
        let behind = [&[1, 0xca, 1, 16][..], b"application/json", &[2], b"{}"].concat();
        assert_eq!(write(ONE, Some(answer()))[..], [&head[..], &behind].concat());
    }
}
