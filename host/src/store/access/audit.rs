//! The audit log: who changed what, from where, and what became of it, for good.
//!
//! Each entry is hashed together with the hash of the one before it, and a row of its own says how
//! many there are and what the last one's hash is: so a look through all of them finds one that was
//! changed, removed or added. Whoever may write the file can make all of it anew; the hash of an
//! entry that is kept elsewhere, such as in the log, tells that. Nothing here removes an entry.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Rows;
use crate::event::Timestamp;
use crate::store::error::{Damaged, Failure};
use crate::store::file::kept_rows::{Kept, KeptRows};

/// Before everything that is hashed.
const SEED: &[u8] = b"hookgate audit 1\0";
/// Most bytes of what was before, and of what is after; more is left out.
const VALUE_BYTES_MAX: usize = 16 * 1024;
/// Most characters of a text.
const TEXT_CHARS_MAX: usize = 500;
/// Most entries that are looked at for a page.
const LOOKED_MAX: usize = 10_000;
/// Entries stand in the order in which they were added; somebody may have set the clock by this
/// much meanwhile.
const CLOCK_OFF_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Faults that are named; more are counted.
const FAULTS_MAX: usize = 1000;

/// The key of the row that says how many entries there are.
const HEAD: u8 = 0;
/// Before the number, `u64` BE, in the key of an entry.
const ENTRY: u8 = 1;

type Hash = [u8; 32];

/// What somebody did, without any secret.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Deed {
    /// Who did it: a token, this machine, the files, a user of this machine.
    pub who: String,
    /// From where.
    pub from: String,
    /// What.
    pub what: String,
    /// How it was before, as far as that says something.
    pub before: Value,
    /// How it is now.
    pub after: Value,
    /// What became of it, such as the status of the answer.
    pub outcome: String,
}

/// An entry as its row spells it, in JSON.
#[derive(Serialize, Deserialize)]
struct Spelled {
    number: u64,
    at: Timestamp,
    who: String,
    from: String,
    what: String,
    before: Value,
    after: Value,
    outcome: String,
    /// The hash of the entry before it, in hexadecimal.
    previous: String,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// From 1 on, without a gap.
    pub number: u64,
    /// Over the entry and the hash of the one before it, in hexadecimal.
    pub hash: String,
    /// All of it as JSON, with its hash.
    pub shown: Value,
}

/// Which entries somebody asks for.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only those of somebody in whose name this stands.
    pub actor: Option<String>,
    /// Only those of something in which this stands.
    pub operation: Option<String>,
    /// Only those of this time or later.
    pub since: Option<Timestamp>,
    /// Only those before this time.
    pub until: Option<Timestamp>,
}

/// How many entries there are, and the hash of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Head {
    count: u64,
    hash: Hash,
}

/// What a look through the audit log found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuditChecked {
    /// Entries that are there.
    pub entries: u64,
    /// The hash of the last, in hexadecimal.
    pub hash: String,
    /// How many faults there are.
    pub found: u64,
    /// The faults, but for those behind the first thousand.
    pub faults: Vec<AuditFault>,
}

/// Something in the audit log that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditFault {
    /// The number of the entry, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for AuditFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(number) = self.number {
            write!(f, "entry {number}: ")?;
        }
        f.write_str(&self.reason)
    }
}

fn key(number: u64) -> Vec<u8> {
    [&[ENTRY][..], &number.to_be_bytes()].concat()
}

fn number_of(key: &[u8]) -> Option<u64> {
    let (&ENTRY, number) = key.split_first()? else { return None };
    Some(u64::from_be_bytes(number.try_into().ok()?))
}

fn hash(previous: &Hash, text: &str) -> Hash {
    Sha256::new().chain_update(SEED).chain_update(previous).chain_update(text).finalize().into()
}

/// The hash and the text of an entry's row.
fn parts(row: &[u8]) -> Option<(Hash, &str)> {
    let (hash, text) = row.split_first_chunk()?;
    Some((*hash, std::str::from_utf8(text).ok()?))
}

impl Head {
    fn write(self) -> Bytes {
        [&self.count.to_be_bytes()[..], &self.hash].concat().into()
    }

    fn read(row: &[u8]) -> Option<Self> {
        let (count, hash) = row.split_first_chunk()?;
        Some(Self { count: u64::from_be_bytes(*count), hash: hash.try_into().ok()? })
    }
}

/// A text that is not longer than it may be.
fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// A value that is not larger than it may be.
fn bounded(value: &Value) -> Value {
    let bytes = value.to_string().len();
    match bytes > VALUE_BYTES_MAX {
        true => serde_json::json!({ "left_out_bytes": bytes }),
        false => value.clone(),
    }
}

impl AuditEntry {
    fn read(number: u64, row: &[u8]) -> Result<Self, Damaged> {
        let damaged = Damaged { position: 0 };
        let (hash, text) = parts(row).ok_or(damaged)?;
        let mut shown: Value = serde_json::from_str(text).map_err(|_| damaged)?;
        let hash = hex::encode(hash);
        if !shown.is_object() {
            return Err(damaged);
        }
        shown["hash"] = hash.as_str().into();
        Ok(Self { number, hash, shown })
    }
}

/// Adds an entry. Where nobody can tell any more where the log ends, nothing is added.
pub(in crate::store) fn append(
    rows: &mut impl Rows,
    deed: &Deed,
    now: Timestamp,
) -> Result<AuditEntry, Failure> {
    let damaged = Damaged { position: 0 };
    let head = match rows.row(Kept::Audit, &[HEAD])? {
        Some(row) => Head::read(&row).ok_or(damaged)?,
        None => Head::default(),
    };
    let number = head.count + 1;
    let spelled = Spelled {
        number,
        at: now,
        who: cut(&deed.who),
        from: cut(&deed.from),
        what: cut(&deed.what),
        before: bounded(&deed.before),
        after: bounded(&deed.after),
        outcome: cut(&deed.outcome),
        previous: hex::encode(head.hash),
    };
    let text = serde_json::to_string(&spelled).expect("an entry can be written to memory");
    let hash = hash(&head.hash, &text);
    let row: Bytes = [&hash[..], text.as_bytes()].concat().into();
    let entry = AuditEntry::read(number, &row)?;
    rows.put(Kept::Audit, key(number), Some(row));
    rows.put(Kept::Audit, vec![HEAD], Some(Head { count: number, hash }.write()));
    Ok(entry)
}

impl AuditFilter {
    fn matches(&self, entry: &AuditEntry, at: Option<Timestamp>) -> bool {
        let has = |member: &str, part: &Option<String>| {
            let text = entry.shown[member].as_str().unwrap_or_default();
            part.as_deref().is_none_or(|part| text.contains(part))
        };
        has("who", &self.actor)
            && has("what", &self.operation)
            && self.since.is_none_or(|since| at.is_some_and(|at| at >= since))
            && self.until.is_none_or(|until| at.is_some_and(|at| at < until))
    }

    /// Whether what comes behind an entry of this time can't match any more.
    fn is_over(&self, at: Timestamp, is_oldest_first: bool) -> bool {
        match is_oldest_first {
            true => self.until.is_some_and(|until| at >= until.after(CLOCK_OFF_MAX)),
            false => self.since.is_some_and(|since| at.after(CLOCK_OFF_MAX) < since),
        }
    }
}

/// Entries in order, oldest or newest first, behind the one with this number; and behind which to
/// go on. Where few match, a page is short.
pub(in crate::store) fn page(
    rows: &KeptRows,
    filter: &AuditFilter,
    behind: Option<u64>,
    limit: usize,
    is_oldest_first: bool,
) -> Result<(Vec<AuditEntry>, Option<u64>), Failure> {
    let (first, last) = match is_oldest_first {
        true => (behind.map_or(Some(1), |it| it.checked_add(1)), u64::MAX),
        false => (Some(1), behind.map_or(u64::MAX, |it| it.saturating_sub(1))),
    };
    let Some(first) = first.filter(|first| *first <= last) else { return Ok((Vec::new(), None)) };
    let mut found = rows.within(&key(first), &key(last))?;
    let (mut entries, mut last, mut looked) = (Vec::new(), None, 0);
    loop {
        let next = if is_oldest_first { found.next() } else { found.next_back() };
        let Some(row) = next else { return Ok((entries, None)) };
        if entries.len() == limit || looked == LOOKED_MAX {
            return Ok((entries, last));
        }
        let (key, row) = row?;
        let number = number_of(&key).ok_or(Damaged { position: 0 })?;
        let entry = AuditEntry::read(number, &row)?;
        let at = entry.shown["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        if at.is_some_and(|at| filter.is_over(at, is_oldest_first)) {
            return Ok((entries, None));
        }
        if filter.matches(&entry, at) {
            entries.push(entry);
        }
        (last, looked) = (Some(number), looked + 1);
    }
}

/// Looks through the whole log. `known` is the hash that an entry is known to have had, by its
/// number.
pub(in crate::store) fn check(
    rows: &KeptRows,
    known: Option<(u64, &str)>,
) -> Result<AuditChecked, Failure> {
    let mut checked = AuditChecked::default();
    let (mut number, mut previous) = (0, Hash::default());
    // All but the row that says how many there are, whatever its key.
    for row in rows.within(&[HEAD, 0], &[u8::MAX; 16])? {
        let (key, row) = row?;
        let Some(found) = number_of(&key) else {
            checked.tell(None, "a row is of no entry: it was added");
            continue;
        };
        checked.entries += 1;
        if found != number + 1 {
            let reason = format!("the entry before this one is {number}: entries were removed");
            checked.tell(Some(found), reason);
        }
        let parted = parts(&row);
        if let Err(reason) = looks_right(found, parted, &previous) {
            checked.tell(Some(found), reason);
        }
        (number, previous) = (found, parted.map_or(Hash::default(), |(hash, _)| hash));
        if let Some((_, known)) = known.filter(|(of, _)| *of == found)
            && !known.eq_ignore_ascii_case(&hex::encode(previous))
        {
            checked.tell(Some(found), "the hash is not the one that it is known to have had");
        }
    }
    if known.is_some_and(|(of, _)| of > number) {
        checked.tell(known.map(|(of, _)| of), "the entry is known and is not there any more");
    }
    let head = rows.get(&[HEAD])?.map(|row| Head::read(&row));
    let is_right = match head {
        None => number == 0,
        Some(head) => head == Some(Head { count: number, hash: previous }),
    };
    if !is_right {
        let said = head.flatten().map_or("nothing".to_owned(), |head| head.count.to_string());
        let reason = format!(
            "the last entry is {number}, and the row that says where the log ends says {said}: \
             entries were removed from the end, or added to it, or the last one was changed"
        );
        checked.tell(None, reason);
    }
    checked.hash = hex::encode(previous);
    Ok(checked)
}

/// Whether an entry is as it was written, behind one with this hash.
fn looks_right(number: u64, parts: Option<(Hash, &str)>, previous: &Hash) -> Result<(), String> {
    let changed = || "it was changed".to_owned();
    let (said, text) = parts.ok_or_else(changed)?;
    let spelled: Spelled = serde_json::from_str(text).map_err(|_| changed())?;
    let mut before = Hash::default();
    hex::decode_to_slice(&spelled.previous, &mut before).map_err(|_| changed())?;
    if spelled.number != number || hash(&before, text) != said {
        return Err(changed());
    }
    if before != *previous {
        return Err("it does not follow the entry before it, which was changed, or between them \
                    one was removed or added"
            .to_owned());
    }
    Ok(())
}

impl AuditChecked {
    fn tell(&mut self, number: Option<u64>, reason: impl Into<String>) {
        self.found += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(AuditFault { number, reason: reason.into() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that a page of a long log ends where nothing can match any more, and no sooner than a
    /// clock that was set back allows.
    #[test]
    fn a_look_is_over_a_day_behind_the_times_that_are_asked_for() {
        let day = CLOCK_OFF_MAX;
        let at = |days: u32| Timestamp(1_700_000_000_000).after(day * days);
        let filter =
            AuditFilter { since: Some(at(5)), until: Some(at(7)), ..AuditFilter::default() };
        let over =
            |is_oldest_first| [3, 4, 5, 6, 7, 8].map(|it| filter.is_over(at(it), is_oldest_first));
        assert_eq!(over(false), [true, false, false, false, false, false]);
        assert_eq!(over(true), [false, false, false, false, false, true]);
        assert!(!AuditFilter::default().is_over(at(0), false));
    }
}
