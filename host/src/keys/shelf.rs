//! The keys of one source that are kept, and how many more may be fetched.
//!
//! A flood of made-up names must neither push out a key that is in use nor reach the provider: so many
//! look-ups run at a time, so many begin in a minute, and so many names are remembered, those without
//! a key being forgotten first. Never fetches.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::certificate::Trust;
use super::{Key, KeyError};
use crate::claims::{KeyFormat, KeyLookup};
use crate::event::Timestamp;

/// Most look-ups at a time.
const AT_A_TIME: usize = 4;
/// Most look-ups that begin within [`WINDOW`].
pub(super) const IN_A_WINDOW: usize = 30;
const WINDOW: Duration = Duration::from_secs(60);
/// Most names that are remembered.
const SLOTS_MAX: usize = 256;

/// A JSON Web Key is asked for again after so long, because it may have expired.
const JWK_KEPT: Duration = Duration::from_secs(3_600);
/// A certificate that was good is not checked again for so long.
const TRUST_KEPT: Duration = Duration::from_secs(60);
/// That there is no such key is believed for so long.
const ABSENCE_KEPT: Duration = Duration::from_secs(60);
/// A look-up that failed is not tried again for so long.
const FAILURE_KEPT: Duration = Duration::from_secs(5);

/// What is looked up, and what it must come as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    pub(super) lookup: KeyLookup,
    pub(super) format: KeyFormat,
}

/// How a look-up ended, and until when that counts.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) found: Result<Key, KeyError>,
    pub(super) until: Timestamp,
}

/// Locked while somebody looks it up.
pub(super) type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// What is kept for one source.
#[derive(Debug)]
pub(super) struct Shelf {
    slots: Mutex<BTreeMap<Wanted, Slot>>,
    /// When the last look-ups began.
    begun: Mutex<VecDeque<Timestamp>>,
    running: Semaphore,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            slots: Mutex::default(),
            begun: Mutex::default(),
            running: Semaphore::new(AT_A_TIME),
        }
    }
}

impl Kept {
    pub(super) fn new(found: Result<Key, KeyError>, now: Timestamp) -> Self {
        let kept = match &found {
            Ok(Key::Chain(_)) => TRUST_KEPT,
            Ok(Key::Jwk(_)) => JWK_KEPT,
            Err(error) if error.is_passing() => FAILURE_KEPT,
            Err(_) => ABSENCE_KEPT,
        };
        Self { until: now.after(kept), found }
    }

    /// Keeps a certificate for longer that is still good.
    pub(super) fn renew(&mut self, trust: &Trust, now: Timestamp) {
        if let Ok(Key::Chain(chain)) = &self.found
            && self.until <= now
            && chain.check(trust, now).is_ok()
        {
            self.until = now.after(TRUST_KEPT);
        }
    }
}

impl Shelf {
    /// Where this key is, or will be.
    pub(super) fn slot(&self, wanted: Wanted) -> Result<Slot, KeyError> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(&wanted) {
            return Ok(Arc::clone(slot));
        }
        if slots.len() >= SLOTS_MAX {
            let least = least(&slots).ok_or(KeyError::Busy)?;
            slots.remove(&least);
        }
        Ok(Arc::clone(slots.entry(wanted).or_default()))
    }

    /// Lets a look-up begin, and counts it until the permit is dropped.
    pub(super) fn admit(&self, now: Timestamp) -> Result<SemaphorePermit<'_>, KeyError> {
        let permit = self.running.try_acquire().map_err(|_| KeyError::Busy)?;
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        while begun.front().is_some_and(|first| first.after(WINDOW) <= now) {
            begun.pop_front();
        }
        if begun.len() >= IN_A_WINDOW {
            return Err(KeyError::Busy);
        }
        begun.push_back(now);
        Ok(permit)
    }
}

/// What is forgotten first: what was never found out, then what is no key, then the oldest key.
fn least(slots: &BTreeMap<Wanted, Slot>) -> Option<Wanted> {
    let worth = |slot: &Slot| {
        let kept = slot.try_lock().ok()?;
        Some(kept.as_ref().map(|kept| (kept.found.is_ok(), kept.until)))
    };
    let idle = slots.iter().filter_map(|(wanted, slot)| Some((worth(slot)?, wanted)));
    idle.min().map(|(_, wanted)| wanted.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(number: usize) -> Wanted {
        let url = format!("https://keys.example/{number}").parse().unwrap();
        Wanted { lookup: KeyLookup { url, post: None }, format: KeyFormat::Jwk }
    }

    #[test]
    fn a_flood_of_names_pushes_no_key_out() {
        let shelf = Shelf::default();
        let put = |number, found| {
            let slot = shelf.slot(wanted(number)).unwrap();
            *slot.try_lock().unwrap() = Some(Kept::new(found, Timestamp(0)));
        };
        let jwk = super::super::jwk::tests::example();
        put(0, Ok(Key::Jwk(jwk)));
        for number in 1..SLOTS_MAX {
            put(number, Err(KeyError::Unknown));
        }
        for number in SLOTS_MAX..3 * SLOTS_MAX {
            shelf.slot(wanted(number)).unwrap();
        }
        let slots = shelf.slots.lock().unwrap();
        assert_eq!(slots.len(), SLOTS_MAX);
        assert!(slots.contains_key(&wanted(0)), "the key is still there");
    }

    #[test]
    fn so_many_begin_at_a_time_and_in_a_minute() {
        let shelf = Shelf::default();
        let running: Vec<_> = (0..AT_A_TIME).map(|_| shelf.admit(Timestamp(0)).unwrap()).collect();
        assert!(matches!(shelf.admit(Timestamp(0)), Err(KeyError::Busy)));
        drop(running);
        for _ in AT_A_TIME..IN_A_WINDOW {
            drop(shelf.admit(Timestamp(1)).unwrap());
        }
        assert!(matches!(shelf.admit(Timestamp(59_999)), Err(KeyError::Busy)));
        assert!(shelf.admit(Timestamp(60_000)).is_ok());
    }
}
