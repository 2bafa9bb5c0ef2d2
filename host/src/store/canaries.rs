//! What became of the canaries of handlers: a row for each version that was one, in a table of
//! which the log of the store says nothing.
//!
//! A verdict is there for good, so that a version that was dropped stays dropped; while a canary
//! runs, its counts are noted now and then. Decides what the rows say, wherever they are. Never
//! judges a canary.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::access::Rows;
use super::damage::Damages;
use super::error::{Damaged, Failure};
use super::file::kept_rows::{Kept, KeptRows};
use crate::canary::Counted;
use crate::event::Timestamp;
use crate::ids::Name;

/// Most rows of one handler: each further version takes the place of the oldest.
const ROWS_MAX: usize = 256;

/// What the key of each row begins with, and what stands between a name and a digest.
const CANARY: u8 = 0;
const BEHIND_NAME: u8 = 0;

/// A version of a handler that is or was a canary.
#[derive(Debug, Clone, PartialEq)]
pub struct CanaryRow {
    /// The handler.
    pub handler: Name,
    /// Of the canary's file, SHA-256 in hexadecimal.
    pub digest: String,
    /// As the canary says it.
    pub version: String,
    /// Of the file of the live version that it is compared with.
    pub live_digest: String,
    /// As that one says it.
    pub live_version: String,
    /// Since when both are counted.
    pub began: Timestamp,
    /// What was counted of the canary.
    pub canary: Tally,
    /// What was counted of the live version meanwhile.
    pub live: Tally,
    /// What became of it.
    pub verdict: CanaryVerdict,
    /// When that was decided, or while it runs when this was noted.
    pub at: Timestamp,
    /// Who decided: the gateway, the API or the files. Empty while it runs.
    pub by: String,
    /// The p-value of the last look, if there was one.
    pub p: Option<f64>,
}

/// What was counted of a version: of first tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// How many.
    pub runs: u64,
    /// Those of them that failed by the plugin's own fault.
    pub failures: u64,
    /// How long all of them took together, in microseconds.
    pub time_us: u64,
    /// Events, parcels and alerts that they asked for.
    pub effects: u64,
}

impl Tally {
    /// As the test takes it.
    pub fn counted(self) -> Counted {
        Counted { runs: self.runs, failures: self.failures }
    }
}

/// What became of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CanaryVerdict {
    /// It runs.
    Running,
    /// It is the live version now, or was.
    Promoted,
    /// It failed significantly more than the live version.
    DroppedByTest,
    /// It broke again and again, one run behind the other.
    DroppedBroke,
    /// An operator dropped it.
    DroppedByOperator,
    /// Its file is gone, or is another one.
    Removed,
}

impl CanaryVerdict {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Running,
        Self::Promoted,
        Self::DroppedByTest,
        Self::DroppedBroke,
        Self::DroppedByOperator,
        Self::Removed,
    ];

    /// Its name, as JSON and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Promoted => "promoted",
            Self::DroppedByTest => "dropped_by_test",
            Self::DroppedBroke => "dropped_broke",
            Self::DroppedByOperator => "dropped_by_operator",
            Self::Removed => "removed",
        }
    }

    /// Whether this version may be no canary any more.
    pub fn is_dropped(self) -> bool {
        matches!(self, Self::DroppedByTest | Self::DroppedBroke | Self::DroppedByOperator)
    }

    fn number(self) -> u8 {
        (0..).zip(Self::ALL).find(|(_, verdict)| *verdict == self).map_or(u8::MAX, |(at, _)| at)
    }
}

impl fmt::Display for CanaryVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The row of a canary, in postcard. One that says more is another variant, at the end.
#[derive(Serialize, Deserialize)]
enum Spelled {
    V1 {
        version: String,
        live_digest: String,
        live_version: String,
        began: u64,
        canary: Tally,
        live: Tally,
        verdict: u8,
        at: u64,
        by: String,
        p: Option<f64>,
    },
}

impl CanaryRow {
    fn key(&self) -> Vec<u8> {
        [&prefix(&self.handler)[..], self.digest.as_bytes()].concat()
    }

    fn write(&self) -> Bytes {
        let row = self.clone();
        let spelled = Spelled::V1 {
            version: row.version,
            live_digest: row.live_digest,
            live_version: row.live_version,
            began: row.began.0,
            canary: row.canary,
            live: row.live,
            verdict: row.verdict.number(),
            at: row.at.0,
            by: row.by,
            p: row.p,
        };
        postcard::to_stdvec(&spelled).expect("a row can be written to memory").into()
    }

    fn read(key: &[u8], row: &[u8]) -> Result<Self, Damaged> {
        let damaged = Damaged { position: 0 };
        let key = std::str::from_utf8(key.get(1..).ok_or(damaged)?).map_err(|_| damaged)?;
        let (handler, digest) = key.split_once(char::from(BEHIND_NAME)).ok_or(damaged)?;
        let Spelled::V1 {
            version,
            live_digest,
            live_version,
            began,
            canary,
            live,
            verdict,
            at,
            by,
            p,
        } = postcard::from_bytes(row).map_err(|_| damaged)?;
        let verdict = CanaryVerdict::ALL.get(usize::from(verdict)).ok_or(damaged)?;
        Ok(Self {
            handler: handler.parse().map_err(|_| damaged)?,
            digest: digest.to_owned(),
            version,
            live_digest,
            live_version,
            began: Timestamp(began),
            canary,
            live,
            verdict: *verdict,
            at: Timestamp(at),
            by,
            p: p.filter(|p| p.is_finite()),
        })
    }
}

/// What the keys of the rows of a handler begin with.
fn prefix(handler: &Name) -> Vec<u8> {
    [&[CANARY], handler.as_str().as_bytes(), &[BEHIND_NAME]].concat()
}

/// All rows, without those that can't be read.
pub(in crate::store) fn all(rows: &KeptRows, damages: &Damages) -> Result<Vec<CanaryRow>, Failure> {
    let mut all = Vec::new();
    for (key, row) in rows.all()? {
        all.extend(damages.pass(CanaryRow::read(&key, &row))?);
    }
    Ok(all)
}

/// How many of these rows can't be read.
pub(in crate::store) fn unread(rows: &KeptRows) -> Result<usize, Failure> {
    let rows = rows.all()?;
    Ok(rows.iter().filter(|(key, row)| CanaryRow::read(key, row).is_err()).count())
}

/// Puts a row. Counts that come late change nothing of a verdict.
pub(in crate::store) fn note(rows: &mut impl Rows, row: &CanaryRow) -> Result<(), Failure> {
    let key = row.key();
    let before = rows.row(Kept::Canaries, &key)?;
    let before = before.and_then(|before| CanaryRow::read(&key, &before).ok());
    let has_ended = before.as_ref().is_some_and(|before| {
        before.verdict != CanaryVerdict::Running && before.began >= row.began
    });
    if has_ended && row.verdict == CanaryVerdict::Running {
        return Ok(());
    }
    if before.is_none() {
        make_room(rows, &row.handler)?;
    }
    rows.put(Kept::Canaries, key, Some(row.write()));
    Ok(())
}

/// Removes the oldest of a handler that has as many as it may.
fn make_room(rows: &mut impl Rows, handler: &Name) -> Result<(), Failure> {
    let first = prefix(handler);
    let last = [&first[..], &[u8::MAX]].concat();
    let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
    for (key, row) in rows.within(Kept::Canaries, &first, &last)? {
        // One that can't be read is the oldest.
        let at = CanaryRow::read(&key, &row).map_or(0, |row| row.at.0);
        found.push((at, key));
    }
    found.sort();
    let over = (found.len() + 1).saturating_sub(ROWS_MAX);
    for (_, key) in found.into_iter().take(over) {
        rows.put(Kept::Canaries, key, None);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::access::memory::Memory;

    fn row(handler: &str, digest: &str) -> CanaryRow {
        CanaryRow {
            handler: handler.parse().unwrap(),
            digest: digest.to_owned(),
            version: "2".to_owned(),
            live_digest: "d0".to_owned(),
            live_version: "1".to_owned(),
            began: Timestamp(5),
            canary: Tally { runs: 25, failures: 3, time_us: 300, effects: 26 },
            live: Tally { runs: 500, failures: 1, time_us: 4_000, effects: 500 },
            verdict: CanaryVerdict::Running,
            at: Timestamp(7),
            by: String::new(),
            p: Some(0.5),
        }
    }

    fn read(rows: &Memory) -> Vec<CanaryRow> {
        let rows = rows.rows(Kept::Canaries).unwrap();
        rows.iter().map(|(key, row)| CanaryRow::read(key, row).unwrap()).collect()
    }

    /// Without the look at what was there, a dropped version is a canary again after a restart.
    #[test]
    fn counts_that_come_late_change_no_verdict_and_a_new_beginning_does() {
        let mut rows = Memory::default();
        let running = row("dunning", "d1");
        let dropped = CanaryRow { verdict: CanaryVerdict::DroppedByTest, ..running.clone() };
        note(&mut rows, &running).unwrap();
        note(&mut rows, &dropped).unwrap();
        note(&mut rows, &running).unwrap();
        assert_eq!(read(&rows), [dropped]);

        let again = CanaryRow { began: Timestamp(9), ..running };
        note(&mut rows, &again).unwrap();
        assert_eq!(read(&rows), [again]);
    }

    #[test]
    fn a_handler_has_so_many_rows_and_the_oldest_gives_way_to_the_next() {
        let mut rows = Memory::default();
        note(&mut rows, &row("dunning-too", "d0")).unwrap();
        for number in 0..ROWS_MAX as u64 + 2 {
            let at = Timestamp(1_000 - number);
            note(&mut rows, &CanaryRow { at, ..row("dunning", &format!("d{number}")) }).unwrap();
        }
        let of = |name: &str| read(&rows).iter().filter(|it| it.handler.as_str() == name).count();
        assert_eq!((of("dunning"), of("dunning-too")), (ROWS_MAX, 1));
        let newest = format!("d{}", ROWS_MAX + 1);
        assert!(read(&rows).iter().any(|row| row.digest == newest), "it is the one that was put");
    }

    /// The bytes as another version reads them: a change here is another format.
    #[test]
    fn a_row_is_spelled_as_it_was_by_the_version_before() {
        let row =
            CanaryRow { verdict: CanaryVerdict::Removed, by: "x".to_owned(), ..row("a", "d1") };
        assert_eq!(row.key(), b"\0a\0d1");
        let text = [&[0, 1][..], b"2", &[2], b"d0", &[1], b"1", &[5]].concat();
        let tallies = [25, 3, 0xac, 2, 26, 0xf4, 3, 1, 0xa0, 0x1f, 0xf4, 3];
        let rest = [5, 7, 1, b'x', 1, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f];
        assert_eq!(row.write()[..], [&text[..], &tallies, &rest].concat());
        assert_eq!(CanaryRow::read(&row.key(), &row.write()).unwrap(), row);
        for length in 0..row.write().len() {
            assert!(CanaryRow::read(&row.key(), &row.write()[..length]).is_err(), "{length} bytes");
        }
        for key in [&b""[..], b"\0", b"\0a", b"\0A\0d1", b"\0\xff\0d1"] {
            assert!(CanaryRow::read(key, &row.write()).is_err(), "{key:?}");
        }
    }

    #[test]
    fn each_verdict_has_its_number_and_its_name() {
        for (number, verdict) in (0..).zip(CanaryVerdict::ALL) {
            assert_eq!(verdict.number(), number);
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
        }
    }
}
