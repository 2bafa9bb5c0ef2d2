//! Writes of the admin port that are done once: each under a key that its client gave, with the
//! answer that it had.
//!
//! A row is there before the write begins. One without an answer is of a write of which nobody
//! knows what became of it: it is never done a second time. Beside them are the numbers of keys
//! that each owner gave, hour by hour, so that none of them takes the room of all. Never knows
//! what a write does.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Rows;
use crate::event::Timestamp;
use crate::store::error::{Error, Failure};
use crate::store::file::kept_rows::Kept;

/// Before everything that is hashed of a write.
const SEED: &[u8] = b"hookgate once 1\0";
/// Before what is hashed of an owner.
const OWNER_SEED: &[u8] = b"hookgate once owner 1\0";
/// Most keys that are known at a time.
const KEYS_MAX: u64 = 100_000;
/// Most of one owner.
const KEYS_OF_OWNER_MAX: u64 = KEYS_MAX / 4;
/// From so many on, the room that is left is for owners with few.
const KEYS_OF_MANY_MAX: u64 = KEYS_MAX / 10 * 9;
/// And those have fewer than this.
const FEW_KEYS: u64 = 100;
/// The hours for which a key is known, beside the one in which it came.
const HOURS: u64 = 24;
const HOUR_MILLIS: u64 = 60 * 60 * 1000;

/// What tells a write from all others: who sends it, and the key that they gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OnceKey {
    write: [u8; 32],
    owner: [u8; 32],
}

impl OnceKey {
    /// The key that an owner gave. Owners of whom nothing is known are one.
    pub fn of(owner: &[u8], key: &str) -> Self {
        let write = Sha256::new()
            .chain_update(SEED)
            .chain_update((owner.len() as u64).to_be_bytes())
            .chain_update(owner)
            .chain_update(key);
        let owner = Sha256::new().chain_update(OWNER_SEED).chain_update(owner);
        Self { write: write.finalize().into(), owner: owner.finalize().into() }
    }
}

/// The place of a row that is about this, if it came in this hour.
fn place(hour: u64, about: &[u8; 32]) -> Vec<u8> {
    [&hour.to_be_bytes()[..], &about[..]].concat()
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

/// A row, in postcard. One that says more is another variant, at the end.
#[derive(Serialize, Deserialize)]
enum AnswerRow {
    /// Of a write.
    V1 {
        /// Tells the request from others.
        request: [u8; 32],
        answer: Option<KeptAnswer>,
    },
    /// Of an owner: how many keys came in this hour.
    Keys(u32),
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

/// The row of a write without its answer, if that names this: then nobody knows any more what
/// became of the write, and still it is never done again.
pub(in crate::store) fn without_naming(row: &[u8], text: &str) -> Option<Bytes> {
    let Ok(AnswerRow::V1 { request, answer: Some(answer) }) = postcard::from_bytes(row) else {
        return None;
    };
    let names = answer.body.windows(text.len().max(1)).any(|at| at == text.as_bytes());
    let bare = AnswerRow::V1 { request, answer: None };
    names.then(|| postcard::to_stdvec(&bare).expect("a row can be written to memory").into())
}

fn hour(now: Timestamp) -> u64 {
    now.0 / HOUR_MILLIS
}

/// The hours of which keys are known; a clock may have been set back meanwhile.
fn hours(now: Timestamp) -> impl Iterator<Item = u64> {
    let now = hour(now);
    (now.saturating_sub(HOURS)..=now + 1).rev()
}

/// The last key of those that are known no longer.
pub(in crate::store) fn last_expired(now: Timestamp) -> Vec<u8> {
    place(hour(now).saturating_sub(HOURS + 1), &[u8::MAX; 32])
}

/// The row of a key, by its hour.
fn find(rows: &impl Rows, key: OnceKey, now: Timestamp) -> Result<Option<(u64, Bytes)>, Failure> {
    for hour in hours(now) {
        if let Some(row) = rows.row(Kept::Answers, &place(hour, &key.write))? {
            return Ok(Some((hour, row)));
        }
    }
    Ok(None)
}

fn write(row: &AnswerRow) -> Bytes {
    postcard::to_stdvec(row).expect("a row can be written to memory").into()
}

/// How many keys an owner gave in an hour. Where that can't be read, nobody is held to it.
fn given(rows: &impl Rows, key: OnceKey, hour: u64) -> Result<u32, Failure> {
    let row = rows.row(Kept::Answers, &place(hour, &key.owner))?;
    Ok(match row.map(|row| postcard::from_bytes(&row)) {
        Some(Ok(AnswerRow::Keys(keys))) => keys,
        _ => 0,
    })
}

fn give(rows: &mut impl Rows, key: OnceKey, hour: u64, keys: u32) {
    let row = (keys > 0).then(|| write(&AnswerRow::Keys(keys)));
    rows.put(Kept::Answers, place(hour, &key.owner), row);
}

/// Why there is no room for another key of an owner, if there is none. So many are known of all.
fn no_room(
    rows: &impl Rows,
    key: OnceKey,
    (known, now): (u64, Timestamp),
) -> Result<Option<Error>, Failure> {
    let mut own = 0;
    for hour in hours(now) {
        own += u64::from(given(rows, key, hour)?);
    }
    let (most, whose) = match known {
        _ if own >= KEYS_OF_OWNER_MAX => (KEYS_OF_OWNER_MAX, "one token"),
        KEYS_MAX.. => (KEYS_MAX, "all tokens"),
        KEYS_OF_MANY_MAX.. if own >= FEW_KEYS => {
            (KEYS_OF_MANY_MAX, "all tokens, and keeps the rest for tokens with fewer than 100")
        }
        _ => return Ok(None),
    };
    Ok(Some(Error::TooManyKeys { most, whose }))
}

/// Begins a write, if it was not begun before. So many keys are known of all owners; who has no
/// room for a new one is answered all the same under one that is known.
pub(in crate::store) fn begin(
    rows: &mut impl Rows,
    key: OnceKey,
    request: [u8; 32],
    (known, now): (u64, Timestamp),
) -> Result<Result<Once, Error>, Failure> {
    let Some((_, row)) = find(rows, key, now)? else {
        if let Some(error) = no_room(rows, key, (known, now))? {
            return Ok(Err(error));
        }
        let hour = hour(now);
        let keys = given(rows, key, hour)?.saturating_add(1);
        give(rows, key, hour, keys);
        let begun = write(&AnswerRow::V1 { request, answer: None });
        rows.put(Kept::Answers, place(hour, &key.write), Some(begun));
        return Ok(Ok(Once::First));
    };
    Ok(Ok(match postcard::from_bytes(&row) {
        Ok(AnswerRow::V1 { request: other, .. }) if other != request => Once::Other,
        Ok(AnswerRow::V1 { answer: Some(answer), .. }) => Once::Answered(answer),
        // What can't be read may have been done too.
        Ok(AnswerRow::V1 { answer: None, .. } | AnswerRow::Keys(_)) | Err(_) => Once::Unfinished,
    }))
}

/// A write has its answer; without one it was not done, and may be begun again.
pub(in crate::store) fn end(
    rows: &mut impl Rows,
    key: OnceKey,
    request: [u8; 32],
    answer: Option<KeptAnswer>,
    now: Timestamp,
) -> Result<(), Failure> {
    let began = find(rows, key, now)?.map(|(hour, _)| hour);
    let at = began.unwrap_or_else(|| hour(now));
    match (&answer, began) {
        (None, None) => return Ok(()),
        (None, Some(_)) => {
            let keys = given(rows, key, at)?.saturating_sub(1);
            give(rows, key, at, keys);
        }
        // It took longer than its key is known.
        (Some(_), None) => {
            let keys = given(rows, key, at)?.saturating_add(1);
            give(rows, key, at, keys);
        }
        (Some(_), Some(_)) => (),
    }
    let row = answer.map(|answer| write(&AnswerRow::V1 { request, answer: Some(answer) }));
    rows.put(Kept::Answers, place(at, &key.write), row);
    Ok(())
}

#[cfg(test)]
mod tests;
