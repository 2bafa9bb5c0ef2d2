//! Keys and answers, in rows that lie nowhere.

use super::*;
use crate::store::access::memory::Memory;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const ONE: [u8; 32] = [1; 32];

fn later(hours: u64) -> Timestamp {
    Timestamp(NOW.0 + hours * HOUR_MILLIS)
}

fn answer() -> KeptAnswer {
    let content_type = "application/json".to_owned();
    KeptAnswer { status: 202, content_type, body: Bytes::from_static(b"{}") }
}

fn key(owner: &str, key: &str) -> OnceKey {
    OnceKey::of(owner.as_bytes(), key)
}

/// Begins it where next to nothing is known.
fn begun(rows: &mut Memory, key: OnceKey, request: [u8; 32], now: Timestamp) -> Once {
    begin(rows, key, request, (0, now)).unwrap().unwrap()
}

/// Why it has no room, if it has none.
fn refused(rows: &mut Memory, key: OnceKey, (known, now): (u64, Timestamp)) -> Option<u64> {
    match begin(rows, key, ONE, (known, now)).unwrap() {
        Ok(_) => None,
        Err(Error::TooManyKeys { most, .. }) => Some(most),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_write_is_begun_once_and_has_its_answer_for_a_day() {
    let (mut rows, key) = (Memory::default(), key("ci", "a"));
    assert_eq!(begun(&mut rows, key, ONE, NOW), Once::First);
    assert_eq!(begun(&mut rows, key, ONE, later(5)), Once::Unfinished);
    end(&mut rows, key, ONE, Some(answer()), later(1)).unwrap();
    for hours in [0, 1, 24] {
        let again = begun(&mut rows, key, ONE, later(hours));
        assert_eq!(again, Once::Answered(answer()), "after {hours} hours");
    }
    let back = Timestamp(NOW.0 - HOUR_MILLIS);
    assert_eq!(begun(&mut rows, key, ONE, back), Once::Answered(answer()));
    assert_eq!(begun(&mut rows, key, [2; 32], NOW), Once::Other);
    assert_eq!(rows.rows(Kept::Answers).unwrap().len(), 2, "the write, and how many its owner has");
    assert_eq!(begun(&mut rows, key, ONE, later(26)), Once::First);
    let expired = rows.within(Kept::Answers, &[], &last_expired(later(26))).unwrap();
    assert_eq!(expired.len(), 2, "and not the new ones");
}

#[test]
fn what_was_not_done_may_be_begun_again_and_what_can_not_be_read_may_not() {
    let (mut rows, key) = (Memory::default(), key("", "a"));
    begun(&mut rows, key, ONE, NOW);
    end(&mut rows, key, ONE, None, NOW).unwrap();
    assert!(rows.rows(Kept::Answers).unwrap().is_empty(), "and takes no room");
    assert_eq!(begun(&mut rows, key, ONE, NOW), Once::First);
    let place = place(hour(NOW), &key.write);
    rows.put(Kept::Answers, place, Some(Bytes::from_static(&[9])));
    assert_eq!(begun(&mut rows, key, ONE, NOW), Once::Unfinished);
}

/// A program that makes a key for each of its requests takes no room of others, and its own writes
/// are answered again all the same.
#[test]
fn who_has_used_up_a_share_gets_no_new_key_and_the_answers_to_old_ones() {
    let mut rows = Memory::default();
    let now = later(3);
    for number in 0..KEYS_OF_OWNER_MAX {
        let at = if number % 2 == 0 { NOW } else { now };
        let first = begun(&mut rows, key("wild", &number.to_string()), ONE, at);
        assert_eq!(first, Once::First, "{number}");
    }
    let new = key("wild", "one more");
    assert_eq!(refused(&mut rows, new, (0, now)), Some(KEYS_OF_OWNER_MAX));
    assert_eq!(refused(&mut rows, key("calm", "a"), (0, now)), None);
    let done = key("wild", "7");
    end(&mut rows, done, ONE, Some(answer()), now).unwrap();
    let again = begin(&mut rows, done, ONE, (KEYS_MAX, now)).unwrap().unwrap();
    assert_eq!(again, Once::Answered(answer()));

    end(&mut rows, key("wild", "8"), ONE, None, now).unwrap();
    assert_eq!(refused(&mut rows, new, (0, now)), None, "one was not done: its room is free");
    let tomorrow = later(25);
    assert_eq!(refused(&mut rows, key("wild", "later"), (0, tomorrow)), None);
}

#[test]
fn the_last_room_is_for_who_has_few_keys() {
    let mut rows = Memory::default();
    for number in 0..FEW_KEYS {
        let few = key("busy", &number.to_string());
        assert_eq!(refused(&mut rows, few, (KEYS_OF_MANY_MAX, NOW)), None, "{number}");
    }
    let more = key("busy", "one more");
    assert_eq!(refused(&mut rows, more, (KEYS_OF_MANY_MAX, NOW)), Some(KEYS_OF_MANY_MAX));
    let calm = key("calm", "a");
    assert_eq!(refused(&mut rows, calm, (KEYS_MAX, NOW)), Some(KEYS_MAX));
    assert_eq!(refused(&mut rows, calm, (KEYS_MAX - 1, NOW)), None);
    assert_eq!(refused(&mut rows, more, (KEYS_OF_MANY_MAX - 1, NOW)), None);
}

#[test]
fn a_key_is_of_who_gave_it() {
    let keys = [key("", "a"), key("", "b"), key("a", ""), key("ci", "a"), key("c", "ia")];
    for (number, key) in keys.iter().enumerate() {
        assert!(!keys[..number].contains(key), "{number}");
    }
    assert_eq!(keys[0].owner, keys[1].owner);
}

/// The bytes as another version reads them: a change here is another format.
#[test]
fn a_row_is_spelled_as_it_was_by_the_version_before() {
    let row = |answer| write(&AnswerRow::V1 { request: ONE, answer });
    let head = [&[0][..], &[1; 32]].concat();
    assert_eq!(row(None)[..], [&head[..], &[0]].concat());
    let behind = [&[1, 0xca, 1, 16][..], b"application/json", &[2], b"{}"].concat();
    assert_eq!(row(Some(answer()))[..], [&head[..], &behind].concat());
    assert_eq!(write(&AnswerRow::Keys(300))[..], [1, 0xac, 2]);
}
