//! The erasures of subjects: a row for each that was asked for, in a table of which the log of the
//! store says nothing.
//!
//! The id of an erasure is a digest of the subject, keyed by a random number of the store: whoever
//! knows a subject and has the store can tell that it was erased, and nobody reads the subject in
//! it. The row of one that goes on names the subject; at its end only the counts stay. Decides what
//! the rows say, wherever they are. Never erases anything.

use std::io;

use bytes::Bytes;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::access::Rows;
use super::error::{Damaged, Error, Failure};
use super::file::kept_rows::{Kept, KeptRows};
use crate::event::Timestamp;
use crate::tenant::Tenant;

/// Most erasures that are not finished.
pub const ERASURES_OPEN_MAX: usize = 1000;
/// Of one tenant: none has all places of the others.
const OF_TENANT_OPEN_MAX: usize = 100;
/// Rows of finished erasures that are kept; the audit log has all.
const FINISHED_MAX: usize = 1000;

/// The key of the row with the random number, and what the key of each other row begins with.
const SALT: u8 = 0;
const ERASURE: u8 = 1;

/// Bytes of the random number.
pub(in crate::store) const SALT_BYTES: usize = 32;
/// Bytes of the digest that are in an id.
const DIGEST_BYTES: usize = 16;
/// What an id begins with.
const PREFIX: &str = "ers_";

/// How far an erasure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// It waits, or is under way in the store.
    Erasing,
    /// Nothing shows the subject any more; free pages of the file are overwritten.
    Overwriting,
    /// It is done.
    Done,
}

/// The erasure of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// `ers_` and 32 hexadecimal digits: always the same of one subject and tenant.
    pub id: String,
    /// How far it is.
    pub state: ErasureState,
    /// Whose events it is for; `None` is everybody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
    /// When somebody asked for it, for the last time.
    pub requested_at: Timestamp,
    /// When it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Events that were blanked, with those that handlers made of them.
    pub events: u64,
    /// Records that were blanked: these events, their receipts, parcels, tries and attempts.
    pub records: u64,
    /// Works that were open and are dead letters now.
    pub ended: u64,
    /// Keys that handlers remembered.
    pub states: u64,
    /// Records that can't be read, and so may hold something still.
    pub damaged: u64,
    /// Whether what handlers remember of the subject was left, because it may be of other tenants.
    pub state_kept: bool,
    /// The subject, as long as it is needed.
    #[serde(skip)]
    pub(in crate::store) subject: Option<String>,
    /// Events from this position on came later, and stay.
    #[serde(skip)]
    pub(in crate::store) until: u64,
}

/// The row of an erasure, in postcard. One that says more is another variant, at the end.
#[derive(Serialize, Deserialize)]
enum Spelled {
    V1 {
        state: u8,
        tenant: Option<String>,
        requested_at: u64,
        finished_at: Option<u64>,
        counts: [u64; 5],
        state_kept: bool,
        subject: Option<String>,
        until: u64,
    },
}

const STATES: [ErasureState; 3] =
    [ErasureState::Erasing, ErasureState::Overwriting, ErasureState::Done];

impl Erasure {
    /// One that begins now, or begins anew.
    fn begun(id: String, subject: &str, tenant: Option<&Tenant>, at: Timestamp, end: u64) -> Self {
        Self {
            id,
            state: ErasureState::Erasing,
            tenant: tenant.cloned(),
            requested_at: at,
            finished_at: None,
            events: 0,
            records: 0,
            ended: 0,
            states: 0,
            damaged: 0,
            state_kept: false,
            subject: Some(subject.to_owned()),
            until: end,
        }
    }

    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        self.state == ErasureState::Done
    }

    fn is_of(&self, tenant: &Tenant) -> bool {
        self.tenant.as_ref() == Some(tenant)
    }

    fn key(&self) -> Vec<u8> {
        key(&self.id)
    }

    fn write(&self) -> Bytes {
        let state = STATES.iter().position(|state| *state == self.state).unwrap_or_default();
        let spelled = Spelled::V1 {
            state: u8::try_from(state).unwrap_or_default(),
            tenant: self.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()),
            requested_at: self.requested_at.0,
            finished_at: self.finished_at.map(|at| at.0),
            counts: [self.events, self.records, self.ended, self.states, self.damaged],
            state_kept: self.state_kept,
            subject: self.subject.clone(),
            until: self.until,
        };
        postcard::to_stdvec(&spelled).expect("a row can be written to memory").into()
    }

    fn read(key: &[u8], row: &[u8]) -> Result<Self, Damaged> {
        let damaged = Damaged { position: 0 };
        let id = std::str::from_utf8(key.get(1..).ok_or(damaged)?).map_err(|_| damaged)?;
        let Spelled::V1 {
            state,
            tenant,
            requested_at,
            finished_at,
            counts: [events, records, ended, states, damaged_records],
            state_kept,
            subject,
            until,
        } = postcard::from_bytes(row).map_err(|_| damaged)?;
        let tenant = tenant.map(|tenant| tenant.parse().map_err(|_| damaged)).transpose()?;
        Ok(Self {
            id: id.to_owned(),
            state: *STATES.get(usize::from(state)).ok_or(damaged)?,
            tenant,
            requested_at: Timestamp(requested_at),
            finished_at: finished_at.map(Timestamp),
            events,
            records,
            ended,
            states,
            damaged: damaged_records,
            state_kept,
            subject,
            until,
        })
    }
}

fn key(id: &str) -> Vec<u8> {
    [&[ERASURE][..], id.as_bytes()].concat()
}

/// The id of the erasure of a subject.
fn id_of(salt: &[u8], subject: &str, tenant: Option<&Tenant>) -> String {
    let mut signing = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, salt));
    // No tenant has a zero byte in it, so no two pairs are written alike.
    signing.update(tenant.map_or(&b""[..], |tenant| tenant.as_str().as_bytes()));
    signing.update(&[0]);
    signing.update(subject.as_bytes());
    format!("{PREFIX}{}", hex::encode(&signing.sign().as_ref()[..DIGEST_BYTES]))
}

/// A random number, for a store that has none yet.
pub(in crate::store) fn new_salt() -> Result<[u8; SALT_BYTES], Failure> {
    let mut salt = [0; SALT_BYTES];
    let filled = SystemRandom::new().fill(&mut salt);
    filled.map_err(|_| io::Error::other("the system has no random bytes"))?;
    Ok(salt)
}

/// Puts the row of an erasure that begins; of one that goes on, it covers from then on what has
/// come meanwhile too. `salt` is used if the store has none yet.
pub(in crate::store) fn begin(
    rows: &mut impl Rows,
    (subject, tenant): (&str, Option<&Tenant>),
    salt: &[u8; SALT_BYTES],
    (now, end): (Timestamp, u64),
) -> Result<Result<Erasure, Error>, Failure> {
    let salt = match rows.row(Kept::Erasures, &[SALT])? {
        Some(salt) => salt,
        None => {
            let salt = Bytes::copy_from_slice(salt);
            rows.put(Kept::Erasures, vec![SALT], Some(salt.clone()));
            salt
        }
    };
    let begun = Erasure::begun(id_of(&salt, subject, tenant), subject, tenant, now, end);
    let known = all_of(rows)?;
    let goes_on = known.iter().any(|it| it.id == begun.id && !it.is_done());
    let open = || known.iter().filter(|it| !it.is_done());
    let of_tenant = tenant.map_or(0, |own| open().filter(|it| it.is_of(own)).count());
    for (open, most) in [(of_tenant, OF_TENANT_OPEN_MAX), (open().count(), ERASURES_OPEN_MAX)] {
        if !goes_on && open >= most {
            return Ok(Err(Error::TooManyErasures { open }));
        }
    }
    rows.put(Kept::Erasures, begun.key(), Some(begun.write()));
    Ok(Ok(begun))
}

/// Notes how far an erasure is. Says whether it was: one that was asked for again since stays as it
/// is, and goes on from its beginning.
pub(in crate::store) fn note(rows: &mut impl Rows, erasure: &Erasure) -> Result<bool, Failure> {
    let key = erasure.key();
    let before = rows.row(Kept::Erasures, &key)?;
    let before = before.and_then(|row| Erasure::read(&key, &row).ok());
    if before.is_some_and(|before| before.until != erasure.until) {
        return Ok(false);
    }
    rows.put(Kept::Erasures, key, Some(erasure.write()));
    if erasure.is_done() {
        let mut done = all_of(rows)?;
        done.retain(|it| it.is_done() && it.id != erasure.id);
        done.sort_by_key(|it| it.finished_at);
        let excess = (done.len() + 1).saturating_sub(FINISHED_MAX);
        for oldest in done.iter().take(excess) {
            rows.put(Kept::Erasures, oldest.key(), None);
        }
    }
    Ok(true)
}

/// All erasures, without those that can't be read.
fn all_of(rows: &impl Rows) -> Result<Vec<Erasure>, Failure> {
    Ok(readable(rows.rows(Kept::Erasures)?))
}

/// The same, the oldest request first.
pub(in crate::store) fn all(rows: &KeptRows) -> Result<Vec<Erasure>, Failure> {
    let mut all = readable(rows.all()?);
    all.sort_by(|a, b| (a.requested_at, &a.id).cmp(&(b.requested_at, &b.id)));
    Ok(all)
}

fn readable(rows: impl IntoIterator<Item = (Vec<u8>, Bytes)>) -> Vec<Erasure> {
    let rows = rows.into_iter().filter(|(key, _)| key.as_slice() != [SALT]);
    rows.filter_map(|(key, row)| Erasure::read(&key, &row).ok()).collect()
}

/// The erasure with this id.
pub(in crate::store) fn find(rows: &KeptRows, id: &str) -> Result<Option<Erasure>, Failure> {
    let key = key(id);
    Ok(rows.get(&key)?.map(|row| Erasure::read(&key, &row)).transpose()?)
}

/// How many of these rows can't be read.
pub(in crate::store) fn unread(rows: &KeptRows) -> Result<usize, Failure> {
    let unread = |(key, row): &(&Vec<u8>, &Bytes)| match key.as_slice() {
        [SALT] => row.len() != SALT_BYTES,
        key => Erasure::read(key, row).is_err(),
    };
    Ok(rows.all()?.iter().filter(unread).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::access::memory::Memory;

    const THEN: Timestamp = Timestamp(1_700_000_000_000);

    fn begin_for(rows: &mut Memory, subject: &str, end: u64) -> Erasure {
        begin(rows, (subject, None), &[7; SALT_BYTES], (THEN, end)).unwrap().unwrap()
    }

    #[test]
    fn a_row_reads_back_and_names_its_subject_only_while_that_is_needed() {
        let mut rows = Memory::default();
        let begun = begin_for(&mut rows, "cus_1", 9);
        assert!(begun.id.starts_with(PREFIX) && !begun.id.contains("cus_1"), "{}", begun.id);
        let done = Erasure {
            state: ErasureState::Done,
            finished_at: Some(THEN),
            subject: None,
            events: 3,
            ..begun.clone()
        };
        assert!(note(&mut rows, &done).unwrap());
        assert_eq!(all_of(&rows).unwrap(), std::slice::from_ref(&done));
        let shown = serde_json::to_string(&done).unwrap();
        assert!(!shown.contains("until") && !shown.contains("subject"), "{shown}");

        assert_eq!(begin_for(&mut rows, "cus_1", 20).id, begun.id, "one subject has one id");
        assert_ne!(begin_for(&mut rows, "cus_2", 20).id, begun.id);
    }

    /// Leave out `OF_TENANT_OPEN_MAX`, and one tenant keeps all others from asking.
    #[test]
    fn no_tenant_has_all_places_of_the_others() {
        let mut rows = Memory::default();
        let [acme, globex]: [Tenant; 2] = ["acme", "globex"].map(|text| text.parse().unwrap());
        let mut begin_of = |tenant: Option<&Tenant>, number: usize| {
            let subject = format!("cus_{number}");
            begin(&mut rows, (subject.as_str(), tenant), &[7; SALT_BYTES], (THEN, 9)).unwrap()
        };
        for number in 0..OF_TENANT_OPEN_MAX {
            begin_of(Some(&acme), number).unwrap();
        }
        let full = begin_of(Some(&acme), OF_TENANT_OPEN_MAX);
        assert!(matches!(full, Err(Error::TooManyErasures { open: OF_TENANT_OPEN_MAX })));
        assert!(begin_of(Some(&acme), 0).is_ok(), "it goes on already");
        assert!(begin_of(Some(&globex), 0).is_ok() && begin_of(None, 0).is_ok());
    }

    /// Leave out the look at `until` in `note`, and what came since is never erased.
    #[test]
    fn one_that_was_asked_for_again_begins_anew() {
        let mut rows = Memory::default();
        let first = begin_for(&mut rows, "cus_1", 9);
        let again = begin_for(&mut rows, "cus_1", 20);
        let done = Erasure { state: ErasureState::Done, subject: None, ..first };
        assert!(!note(&mut rows, &done).unwrap());
        assert_eq!(all_of(&rows).unwrap(), [again]);
    }
}
