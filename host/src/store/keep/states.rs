//! The sweep of state: keys that nobody has set for their handler's term go, and rows of an older
//! Hookgate are spelled anew.
//!
//! Looks through a part of the rows aside, and has the writer change what it found, in bounded
//! steps. A handler without a term is never looked through. Never counts what is there: the rows
//! say it.

use std::time::Duration;

use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::Store;
use crate::store::error::{Error, Failure};
use crate::store::file::view::View;
use crate::store::shared::Shared;
use crate::store::state::{self, ALL_OLD, Quota};
use crate::store::write::states::SweepStates;

/// Most rows that one step looks at.
const LOOKED_AT_MAX: usize = 8192;
/// Most rows that one step changes.
const CHANGED_MAX: usize = 512;
/// A step spells no more rows anew once it has this many bytes.
const RESPELLED_BYTES_MAX: usize = 1 << 20;

/// What to look through: all rows whose keys begin so.
#[derive(Debug, Clone)]
struct Part {
    prefix: Vec<u8>,
    /// From this key on.
    from: Vec<u8>,
    /// What was written then or earlier has expired; `None` if nothing has.
    expired_at: Option<Timestamp>,
    /// Whose rows these are, and when they are looked through; `None` if it is always done.
    looked_at: Option<(Name, Timestamp)>,
}

/// What a step found.
#[derive(Debug, Default)]
struct Found {
    expired: Vec<(Vec<u8>, Timestamp)>,
    old: Vec<Vec<u8>>,
    /// Where to go on; `None` at the end.
    next: Option<Vec<u8>>,
}

impl Part {
    /// Rows of an older Hookgate.
    fn old() -> Self {
        let prefix = ALL_OLD.to_vec();
        Self { from: prefix.clone(), prefix, expired_at: None, looked_at: None }
    }

    /// The rows of a handler whose keys have a term.
    fn of(handler: &Name, now: Timestamp, term: Duration) -> Self {
        let prefix = state::all_of(handler);
        let (expired_at, looked_at) = (before(now, term), Some((handler.clone(), now)));
        Self { from: prefix.clone(), prefix, expired_at, looked_at }
    }
}

impl Store {
    /// Removes the keys that have expired; gives how many.
    pub(super) async fn sweep_states(&self) -> Result<usize, Error> {
        let mut expired = 0;
        for mut part in self.handle.shared.due_states() {
            let mut next = Some(part.from.clone());
            while let Some(from) = next {
                part.from = from;
                let wanted = part.clone();
                let found = self.aside(move |shared| shared.find_states(&wanted)).await?;
                let Found { expired: gone, old, next: later } = found;
                next = later;
                expired += gone.len();
                if !(gone.is_empty() && old.is_empty()) {
                    self.ask(|reply| SweepStates { expired: gone, old, reply }).await?;
                }
            }
            // Not before it is done: what fails is done by the next sweep.
            self.handle.shared.states_swept().extend(part.looked_at);
        }
        Ok(expired)
    }
}

impl Shared {
    /// What there is to look through now: a handler comes again after a share of its term.
    fn due_states(&self) -> Vec<Part> {
        let now = self.clock.times().counted;
        let quotas = self.quotas.load();
        let mut looked_at = self.states_swept();
        looked_at.retain(|handler, _| quotas.quota(handler).term.is_some());
        let mut parts = vec![Part::old()];
        for (handler, term) in quotas.terms() {
            let is_due = |last: &Timestamp| now.since(*last) >= Quota::grain(term);
            if looked_at.get(handler).is_none_or(is_due) {
                parts.push(Part::of(handler, now, term));
            }
        }
        parts
    }

    fn find_states(&self, part: &Part) -> Result<Found, Error> {
        Ok(find(&self.file.read()?, part)?)
    }
}

/// A time that is earlier by this; `None` if there was none.
fn before(now: Timestamp, term: Duration) -> Option<Timestamp> {
    let term = u64::try_from(term.as_millis()).ok()?;
    now.0.checked_sub(term).map(Timestamp)
}

fn find(view: &View, part: &Part) -> Result<Found, Failure> {
    let mut found = Found::default();
    let is_old_part = part.prefix == ALL_OLD;
    let mut respelled_bytes = 0;
    let read = |key: &[u8], row: &[u8]| (key.to_vec(), state::written_at(key, row), row.len());
    for (looked_at, row) in view.states(&part.from, read)?.enumerate() {
        let (key, written_at, bytes) = row?;
        if !key.starts_with(&part.prefix) {
            break;
        }
        let changed = found.expired.len() + found.old.len();
        let is_full = changed == CHANGED_MAX || respelled_bytes >= RESPELLED_BYTES_MAX;
        if is_full || looked_at == LOOKED_AT_MAX {
            found.next = Some(key);
            break;
        }
        if is_old_part {
            respelled_bytes += bytes;
            found.old.push(key);
        } else if let (Some(at), Some(expired_at)) = (written_at, part.expired_at)
            && at <= expired_at
        {
            found.expired.push((key, at));
        }
    }
    Ok(found)
}
