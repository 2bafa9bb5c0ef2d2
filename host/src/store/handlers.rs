//! What the handlers of the configuration run on: a row for each, in a table of which the log of
//! the store says nothing.
//!
//! With it events go to a handler whose plugin is missing, also behind a restart. Decides what the
//! rows say, wherever they are. Never says whether a handler is missing.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::access::Rows;
use super::damage::Damages;
use super::error::{Damaged, Failure};
use super::file::kept_rows::{Kept, KeptRows};
use crate::ids::Name;
use crate::route::Pattern;

/// Most handlers that have a row.
pub const HANDLERS_MAX: usize = 256;

/// What the key of each row begins with.
const HANDLER: u8 = 0;

/// What a handler said of itself when it was last the live version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerRow {
    /// Its name.
    pub name: Name,
    /// The event types that it runs on.
    pub types: Arc<[Pattern]>,
    /// As it says it.
    pub version: String,
    /// Of its file, SHA-256 in hexadecimal.
    pub digest: String,
}

/// The row of a handler, in postcard. One that says more is another variant, at the end.
#[derive(Serialize, Deserialize)]
enum Spelled {
    V1 { types: Vec<Pattern>, version: String, digest: String },
}

impl HandlerRow {
    fn key(&self) -> Vec<u8> {
        [&[HANDLER], self.name.as_str().as_bytes()].concat()
    }

    fn write(&self) -> Bytes {
        let spelled = Spelled::V1 {
            types: self.types.to_vec(),
            version: self.version.clone(),
            digest: self.digest.clone(),
        };
        postcard::to_stdvec(&spelled).expect("a row can be written to memory").into()
    }

    fn read(key: &[u8], row: &[u8]) -> Result<Self, Damaged> {
        let damaged = Damaged { position: 0 };
        let name = key.strip_prefix(&[HANDLER]).ok_or(damaged)?;
        let name = std::str::from_utf8(name).map_err(|_| damaged)?;
        let Spelled::V1 { types, version, digest } =
            postcard::from_bytes(row).map_err(|_| damaged)?;
        Ok(Self { name: name.parse().map_err(|_| damaged)?, types: types.into(), version, digest })
    }

    /// About what it takes in the store, in bytes.
    pub(in crate::store) fn bytes(&self) -> usize {
        let types: usize = self.types.iter().map(|it| it.to_string().len()).sum();
        types + self.version.len() + self.digest.len() + self.name.as_str().len()
    }
}

/// All rows, without those that can't be read.
pub(in crate::store) fn all(
    rows: &KeptRows,
    damages: &Damages,
) -> Result<Vec<HandlerRow>, Failure> {
    let mut all = Vec::new();
    for (key, row) in rows.all()? {
        all.extend(damages.pass(HandlerRow::read(&key, &row))?);
    }
    Ok(all)
}

/// How many of these rows can't be read.
pub(in crate::store) fn unread(rows: &KeptRows) -> Result<usize, Failure> {
    let rows = rows.all()?;
    Ok(rows.iter().filter(|(key, row)| HandlerRow::read(key, row).is_err()).count())
}

/// Has the table say this and nothing else.
pub(in crate::store) fn note(rows: &mut impl Rows, all: &[HandlerRow]) -> Result<(), Failure> {
    let mut before = rows.rows(Kept::Handlers)?;
    for row in all.iter().take(HANDLERS_MAX) {
        let key = row.key();
        before.remove(&key);
        rows.put(Kept::Handlers, key, Some(row.write()));
    }
    for key in before.into_keys() {
        rows.put(Kept::Handlers, key, None);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::access::memory::Memory;

    fn row(name: &str, types: &[&str]) -> HandlerRow {
        HandlerRow {
            name: name.parse().unwrap(),
            types: types.iter().map(|it| it.parse().unwrap()).collect(),
            version: "2".to_owned(),
            digest: "d1".to_owned(),
        }
    }

    fn read(rows: &Memory) -> Vec<HandlerRow> {
        let rows = rows.rows(Kept::Handlers).unwrap();
        rows.iter().map(|(key, row)| HandlerRow::read(key, row).unwrap()).collect()
    }

    /// Without the last loop of `note`, a handler that the configuration has no more stays.
    #[test]
    fn a_note_takes_the_place_of_all_that_was_there() {
        let mut rows = Memory::default();
        note(&mut rows, &[row("dunning", &["payment.*"]), row("ledger", &["*"])]).unwrap();
        let now = [row("chat", &["*"]), row("dunning", &["payment.failed"])];
        note(&mut rows, &now).unwrap();
        assert_eq!(read(&rows), now);
    }

    /// Without `take` in `note`, the table grows with the configuration.
    #[test]
    fn there_are_at_most_256_rows() {
        let mut rows = Memory::default();
        let all: Vec<_> = (0..=HANDLERS_MAX).map(|it| row(&format!("h{it}"), &["*"])).collect();
        note(&mut rows, &all).unwrap();
        assert_eq!(rows.rows(Kept::Handlers).unwrap().len(), HANDLERS_MAX);
    }

    /// The bytes as another version reads them: a change here is another format.
    #[test]
    fn a_row_is_spelled_as_it_was_by_the_version_before() {
        let row = row("a", &["x.y", "*"]);
        assert_eq!(row.key(), b"\0a");
        assert_eq!(row.write()[..], *b"\0\x02\x03x.y\x01*\x012\x02d1");
        assert_eq!(HandlerRow::read(&row.key(), &row.write()).unwrap(), row);
        for length in 0..row.write().len() {
            assert!(HandlerRow::read(&row.key(), &row.write()[..length]).is_err(), "{length}");
        }
        for key in [&b""[..], b"\0", b"\x01a", b"\0A", b"\0\xff"] {
            assert!(HandlerRow::read(key, &row.write()).is_err(), "{key:?}");
        }
        let no_pattern = b"\0\x01\x03x*y\x012\x02d1";
        assert!(HandlerRow::read(b"\0a", no_pattern).is_err(), "it would match nothing");
    }
}
