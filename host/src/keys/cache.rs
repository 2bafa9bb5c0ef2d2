//! The keys of one source that are kept, and how many more may be fetched.
//!
//! A flood of made-up names must neither push out a key that is in use, nor use up the look-ups
//! with which known keys are refreshed, nor reach the provider, nor hold up a new key for ever: so
//! there are look-ups for keys that are known, for others, and a few for those that are asked for
//! again and again. So many names are remembered, those without a key being forgotten first. Never
//! fetches.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit};

use super::bids::Bids;
use super::budget::Budget;
use super::certificate::Trust;
use super::wanted::Wanted;
use super::{Key, KeyError};
use crate::event::Timestamp;
use crate::lock::lock;

/// Most look-ups at once of keys that were never seen; then one a second.
pub(super) const NEW_MAX: u32 = 60;
const NEW_REFILL: Duration = Duration::from_secs(1);
const NEW_AT_A_TIME: usize = 4;
/// Most look-ups at once of those among them that are asked for again and again, beside the others.
const AGAIN_MAX: u32 = 5;
const AGAIN_REFILL: Duration = Duration::from_secs(6);
/// Most look-ups at once of keys that are known.
const KNOWN_MAX: u32 = 30;
const KNOWN_REFILL: Duration = Duration::from_secs(2);
const KNOWN_AT_A_TIME: usize = 2;
/// Most names that are remembered.
const ENTRIES_MAX: usize = 256;

/// A key without a chain of certificates counts for so long, because it may have expired then.
const KEY_KEPT: Duration = Duration::from_secs(3_600);
/// From this age on it is asked for again, and counts meanwhile.
const KEY_AGEING: Duration = Duration::from_secs(2_700);
/// While its server is out of reach it counts for so long.
const KEY_GRACE: Duration = Duration::from_secs(86_400);
/// A known key that could not be had is not asked for again for so long.
const KNOWN_RETRY: Duration = Duration::from_secs(60);
/// A certificate that was good is not checked again for so long.
const TRUST_KEPT: Duration = Duration::from_secs(60);
/// That there is no such key is believed for so long.
const ABSENCE_KEPT: Duration = Duration::from_secs(60);
/// A look-up that failed is not tried again for so long.
const FAILURE_KEPT: Duration = Duration::from_secs(5);

/// How a look-up ended, and when.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) found: Result<Key, KeyError>,
    at: Timestamp,
    /// When it was last tried to have it again.
    tried: Timestamp,
    /// The id of the key that was wanted, if that may be one of a set.
    wanted_id: Option<String>,
}

/// How fresh a look-up is by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It counts.
    Fresh,
    /// It counts, and is to be made again.
    Ageing,
    /// It has to be made again; it counts where that can't be done.
    Stale,
    /// Nothing.
    Gone,
}

/// Locked while somebody looks it up.
pub(super) type Entry = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// Where a key is or will be.
pub(super) enum Entered {
    /// It has been asked for before.
    There(Entry),
    /// It has not, and may be looked up now.
    New(OwnedMutexGuard<Option<Kept>>, OwnedSemaphorePermit),
}

/// What is kept for one source.
#[derive(Debug)]
pub(super) struct KeyCache {
    entries: Mutex<BTreeMap<Wanted, Entry>>,
    new: Budget,
    again: Budget,
    bids: Mutex<Bids>,
    known: Budget,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            new: Budget::new(NEW_AT_A_TIME, NEW_MAX, NEW_REFILL),
            again: Budget::new(1, AGAIN_MAX, AGAIN_REFILL),
            bids: Mutex::default(),
            known: Budget::new(KNOWN_AT_A_TIME, KNOWN_MAX, KNOWN_REFILL),
        }
    }
}

impl Kept {
    /// A look-up that ended now, made for the key of this id.
    pub(super) fn new(
        found: Result<Key, KeyError>,
        wanted_id: Option<String>,
        now: Timestamp,
    ) -> Self {
        Self { found, at: now, tried: now, wanted_id }
    }

    /// Whether it was made for the key of this id.
    pub(super) fn was_for(&self, id: &str) -> bool {
        self.wanted_id.as_deref() == Some(id)
    }

    /// Keeps a certificate for longer that is still good.
    pub(super) fn renew(&mut self, trust: &Trust, now: Timestamp) {
        // A clock that was set back makes nothing younger than it is: the time is counted from now.
        (self.at, self.tried) = (self.at.min(now), self.tried.min(now));
        if let Ok(Key::Named(certificate)) = &self.found
            && now.since(self.at) >= TRUST_KEPT
            && certificate.check(trust, now).is_ok()
        {
            self.at = now;
        }
    }

    pub(super) fn freshness(&self, now: Timestamp) -> Freshness {
        let age = now.since(self.at);
        let kept = match &self.found {
            Ok(Key::Named(_)) => TRUST_KEPT,
            Ok(_) if age < KEY_AGEING => return Freshness::Fresh,
            Ok(_) if age < KEY_KEPT => return Freshness::Ageing,
            Ok(_) if age < KEY_GRACE => return Freshness::Stale,
            Ok(_) => return Freshness::Gone,
            Err(error) if error.is_passing() => FAILURE_KEPT,
            Err(_) => ABSENCE_KEPT,
        };
        if age < kept { Freshness::Fresh } else { Freshness::Gone }
    }

    /// Whether it was looked up longer ago than this.
    pub(super) fn is_older_than(&self, age: Duration, now: Timestamp) -> bool {
        now.since(self.at) >= age
    }

    /// Whether it may be tried again to have this known key, and if so, that it was tried now.
    pub(super) fn may_try(&mut self, now: Timestamp) -> bool {
        let pause = if self.freshness(now) == Freshness::Gone { FAILURE_KEPT } else { KNOWN_RETRY };
        let may = self.tried == self.at || now.since(self.tried) >= pause;
        if may {
            self.tried = now;
        }
        may
    }
}

impl KeyCache {
    /// Where this key is, or will be: a key that was never asked for only if it may be looked up.
    pub(super) fn enter(&self, wanted: &Wanted, now: Timestamp) -> Result<Entered, KeyError> {
        let mut entries = self.entries();
        if let Some(entry) = entries.get(wanted) {
            return Ok(Entered::There(Arc::clone(entry)));
        }
        let permit = self.admit(wanted, now)?;
        if entries.len() >= ENTRIES_MAX {
            let evicted = least_needed(&entries).ok_or(KeyError::Busy)?;
            entries.remove(&evicted);
        }
        let entry = Entry::default();
        let locked = Arc::clone(&entry).try_lock_owned().map_err(|_| KeyError::Busy)?;
        entries.insert(wanted.clone(), entry);
        Ok(Entered::New(locked, permit))
    }

    /// Lets a look-up of a key begin that is not known.
    pub(super) fn admit(
        &self,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<OwnedSemaphorePermit, KeyError> {
        if let Ok(permit) = self.new.admit(now) {
            return Ok(permit);
        }
        let mut bids = lock(&self.bids);
        if !bids.bid(wanted, now) {
            return Err(KeyError::Busy);
        }
        let permit = self.again.admit(now)?;
        bids.forget(wanted);
        Ok(permit)
    }

    /// Lets a look-up of a known key begin.
    pub(super) fn admit_known(&self, now: Timestamp) -> Result<OwnedSemaphorePermit, KeyError> {
        self.known.admit(now)
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Wanted, Entry>> {
        lock(&self.entries)
    }
}

/// What is forgotten first: what was never found out, then what is no key, then the oldest key.
fn least_needed(entries: &BTreeMap<Wanted, Entry>) -> Option<Wanted> {
    let need = |entry: &Entry| {
        let kept = entry.try_lock().ok()?;
        Some(kept.as_ref().map(|kept| (kept.found.is_ok(), kept.at)))
    };
    let idle = entries.iter().filter_map(|(wanted, entry)| Some((need(entry)?, wanted)));
    idle.min().map(|(_, wanted)| wanted.clone())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::provider::{KeyFormat, KeyLookup};

    pub(in super::super) fn wanted(number: usize) -> Wanted {
        let url = format!("https://keys.example/{number}").parse().unwrap();
        Wanted { lookup: KeyLookup { url, post: None, id: None }, format: KeyFormat::Jwk }
    }

    #[test]
    fn a_flood_of_names_pushes_no_key_out() {
        let cache = KeyCache::default();
        let put = |number: usize, found| {
            let now = Timestamp(number as u64 * 10_000);
            let Entered::New(mut entry, _) = cache.enter(&wanted(number), now).unwrap() else {
                panic!("{number} has never been asked for");
            };
            *entry = Some(Kept::new(found, None, now));
        };
        let jwk = super::super::jwk::tests::example();
        put(0, Ok(Key::Jwk(jwk)));
        for number in 1..3 * ENTRIES_MAX {
            put(number, Err(KeyError::Unknown));
        }
        let entries = cache.entries();
        assert_eq!(entries.len(), ENTRIES_MAX);
        assert!(entries.contains_key(&wanted(0)), "the key is still there");
    }

    #[test]
    fn what_is_not_looked_up_takes_no_place() {
        let cache = KeyCache::default();
        let now = Timestamp(0);
        let entered = (0..1_000).filter(|number| cache.enter(&wanted(*number), now).is_ok());
        assert_eq!(entered.count(), NEW_MAX as usize);
        assert_eq!(cache.entries().len(), NEW_MAX as usize);
        assert!(cache.admit_known(now).is_ok(), "known keys have look-ups of their own");
    }
}
