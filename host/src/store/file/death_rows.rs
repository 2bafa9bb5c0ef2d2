//! The rows by which dead letters are found: by kind, by name and by reason.
//!
//! Each letter has one row that says what it is found by, and one for each of those. Texts are
//! hashes: whoever finds a letter reads it and decides, but for a replay of a million, since nobody
//! who posts chooses what is hashed. The reason is one of the closed list; an older Hookgate put
//! words there. Never knows whose they are.

use redb::{ReadableTable, Table};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::failure::Reason;
use crate::store::error::Failure;

/// In the facts: 1 if every dead letter has such rows.
pub(in crate::store) const DEATHS_KNOWN: &str = "deaths_known";

/// The first byte of the key of the row that says what a letter is found by.
const LETTER: u8 = 0;
const HASH_BYTES: usize = 8;

/// What a dead letter is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct DeathRow {
    /// The number of the kind of the work.
    pub(in crate::store) kind: u8,
    /// Hashes of the source, handler or endpoint, and of the reason.
    pub(in crate::store) name: u64,
    pub(in crate::store) reason: u64,
}

/// One of the things that letters are found by; the number is the first byte of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum By {
    Kind(u8),
    Name(u64),
    Reason(u64),
}

/// What stands for a name or a reason.
pub(in crate::store) fn hash(text: &str) -> u64 {
    XxHash3_64::oneshot(text.as_bytes())
}

impl DeathRow {
    pub(in crate::store) fn of(kind: u8, name: &str, reason: Reason) -> Self {
        Self { kind, name: hash(name), reason: hash(reason.as_str()) }
    }

    /// Whether its reason is one of the closed list.
    fn has_reason(self) -> bool {
        Reason::ALL.into_iter().any(|reason| hash(reason.as_str()) == self.reason)
    }

    fn write(self) -> Vec<u8> {
        let mut row = vec![self.kind];
        row.extend(self.name.to_be_bytes());
        row.extend(self.reason.to_be_bytes());
        row
    }

    pub(super) fn read(row: &[u8]) -> Option<Self> {
        let (kind, rest) = row.split_first()?;
        let (name, reason) = rest.split_first_chunk::<HASH_BYTES>()?;
        let reason = u64::from_be_bytes(reason.try_into().ok()?);
        Some(Self { kind: *kind, name: u64::from_be_bytes(*name), reason })
    }

    fn ways(self) -> [By; 3] {
        [By::Kind(self.kind), By::Name(self.name), By::Reason(self.reason)]
    }
}

impl By {
    /// The key of a letter's row, where the rows of this one sort by their works.
    pub(super) fn key(self, work: u64) -> Vec<u8> {
        let (number, value) = match self {
            Self::Name(hash) => (1, hash),
            Self::Reason(hash) => (2, hash),
            Self::Kind(kind) => (3, u64::from(kind)),
        };
        let mut key = vec![number];
        key.extend(value.to_be_bytes());
        key.extend(work.to_be_bytes());
        key
    }
}

/// The work in the key of a row.
pub(super) fn work_of(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|work| u64::from_be_bytes(*work))
}

/// The key of the row that says what the letter of a work is found by.
pub(super) fn letter(work: u64) -> Vec<u8> {
    let mut key = vec![LETTER];
    key.extend(work.to_be_bytes());
    key
}

/// Whether the letter with this row is found by its reason too.
pub(super) fn has_reason(row: &[u8]) -> bool {
    DeathRow::read(row).is_some_and(DeathRow::has_reason)
}

/// Puts the rows of the letter of a work in the place of what it had, or removes them.
pub(super) fn put(
    deaths: &mut Table<'_, &'static [u8], &'static [u8]>,
    work: u64,
    row: Option<DeathRow>,
) -> Result<(), Failure> {
    let own = letter(work);
    let before = deaths.get(own.as_slice())?.map(|row| DeathRow::read(row.value()));
    if before.is_some() {
        deaths.remove(own.as_slice())?;
    }
    for by in before.flatten().into_iter().flat_map(DeathRow::ways) {
        deaths.remove(by.key(work).as_slice())?;
    }
    let nothing: &[u8] = &[];
    if let Some(row) = row {
        deaths.insert(own.as_slice(), row.write().as_slice())?;
        for by in row.ways() {
            deaths.insert(by.key(work).as_slice(), nothing)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use redb::Database;
    use redb::backends::InMemoryBackend;

    use super::super::schema::DEATHS;
    use super::*;

    #[test]
    fn the_rows_of_a_letter_come_and_go_together() {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let transaction = database.begin_write().unwrap();
        let mut deaths = transaction.open_table(DEATHS).unwrap();
        let count =
            |deaths: &Table<'_, &'static [u8], &'static [u8]>| deaths.iter().unwrap().count();
        let refused = |name| Some(DeathRow::of(2, name, Reason::EndpointRefused));
        put(&mut deaths, 7, refused("crm")).unwrap();
        put(&mut deaths, 9, refused("erp")).unwrap();
        assert_eq!(count(&deaths), 8);
        put(&mut deaths, 7, Some(DeathRow::of(2, "crm", Reason::EndpointGone))).unwrap();
        assert_eq!(count(&deaths), 8, "the row of the other reason is gone");
        put(&mut deaths, 7, None).unwrap();
        put(&mut deaths, 7, None).unwrap();
        assert_eq!(count(&deaths), 4);
        let key = By::Reason(hash("endpoint_refused")).key(9);
        assert!(deaths.get(key.as_slice()).unwrap().is_some());
        assert_eq!(work_of(&key), Some(9));
    }

    #[test]
    fn a_row_with_words_for_a_reason_is_one_of_an_older_hookgate() {
        for reason in Reason::ALL {
            assert!(has_reason(&DeathRow::of(2, "crm", reason).write()), "{reason}");
        }
        let words = hash("the endpoint answered 500");
        assert!(!has_reason(&DeathRow { kind: 2, name: hash("crm"), reason: words }.write()));
        assert!(!has_reason(&[]));
    }
}
