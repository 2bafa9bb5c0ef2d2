//! What a handler remembered at each of its tries: rebuilt from the writes that are recorded.
//!
//! One thread notes the writes in their order while others read for tries before that: so each
//! value is kept with the position of its try for as long as anybody may read there. Bounded; what
//! does not fit is not known. What a rehearsal itself sets is in here never, and no value is shown.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::causes::chain;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::{Past, PastTry};

/// Most bytes of keys and values.
const BYTES_MAX: usize = 256 << 20;
/// What a value takes beside its key and itself, and a scope beside its name.
const OVERHEAD_BYTES: usize = 96;

/// What a handler remembered.
pub(super) struct Remembered {
    /// After which time a key goes that nobody sets again.
    term: Option<Duration>,
    bytes_max: usize,
    memory: RwLock<Memory>,
}

#[derive(Default)]
struct Memory {
    scopes: FxHashMap<String, Scope>,
    bytes: usize,
    /// From this position on nothing more is remembered: there was no room.
    full_from: Option<u64>,
    /// From this position on it is not sure that all earlier writes are noted.
    cut_from: Option<u64>,
    /// Where something can't be read that may have been a write, in order.
    damaged: Vec<u64>,
}

#[derive(Default)]
struct Scope {
    keys: FxHashMap<String, VecDeque<Version>>,
    /// From this position on its values are not those that were set last.
    stale_from: Option<u64>,
}

/// A value, or that it was deleted.
struct Version {
    /// Of the try that set it.
    position: u64,
    at: Timestamp,
    value: Option<Bytes>,
}

/// What is known of a key at a try.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// It was this.
    Known(Option<Bytes>),
    /// It was this, if nobody has changed it since.
    Doubtful(Option<Bytes>),
    /// No try before has set it that is recorded; if that is sure, it was not there.
    Nothing { is_sure: bool },
}

impl Remembered {
    /// Nothing yet, at the beginning of what is recorded; whether something before it is gone.
    pub(super) fn new(is_cut: bool, term: Option<Duration>) -> Self {
        let memory = Memory { cut_from: is_cut.then_some(0), ..Memory::default() };
        Self { term, bytes_max: BYTES_MAX, memory: RwLock::new(memory) }
    }

    /// Notes what a try set or deleted. Nobody reads any more for a try before `oldest`.
    pub(super) fn note(&self, tried: &PastTry, oldest: u64) {
        let PastTry { position, counted, scope, writes, .. } = tried;
        self.put((*position, *counted), scope, writes, oldest);
    }

    fn put(
        &self,
        (position, at): (u64, Timestamp),
        scope: &str,
        writes: &[(String, Option<Bytes>)],
        oldest: u64,
    ) {
        if writes.is_empty() {
            return;
        }
        let mut memory = self.write();
        if memory.bytes >= self.bytes_max {
            memory.full_from.get_or_insert(position);
        }
        for (key, value) in writes {
            let version = Version { position, at, value: value.clone() };
            memory.set(scope, key, version, oldest);
        }
    }

    /// Something at this position can't be read, and may have been a write.
    pub(super) fn doubt(&self, position: u64) {
        let mut memory = self.write();
        memory.cut_from.get_or_insert(position);
        memory.damaged.push(position);
    }

    /// What is read from this position on is read of a past whose beginning is gone.
    pub(super) fn cut(&self, position: u64) {
        self.write().cut_from.get_or_insert(position);
    }

    /// What is known of a key at the try at this position and time.
    fn find(&self, scope: &str, key: &str, (position, at): (u64, Timestamp)) -> Found {
        let memory = self.read();
        let is_before = |from: Option<u64>| from.is_none_or(|from| position <= from);
        let scope = memory.scopes.get(scope);
        let versions = scope.and_then(|scope| scope.keys.get(key));
        let mut versions = versions.into_iter().flatten().rev();
        let Some(version) = versions.find(|version| version.position < position) else {
            let is_there = scope.is_some_and(|scope| is_before(scope.stale_from));
            let has_room = is_there || is_before(memory.full_from);
            let is_sure = has_room && is_before(memory.cut_from) && self.term.is_none();
            return Found::Nothing { is_sure };
        };
        let may_be_gone =
            version.value.is_some() && self.term.is_some_and(|term| at.since(version.at) >= term);
        let damaged = memory.damaged.partition_point(|damaged| *damaged < position);
        let is_lost = memory.damaged[..damaged].last().is_some_and(|it| *it > version.position);
        let is_stale = scope.is_some_and(|scope| !is_before(scope.stale_from));
        let value = version.value.clone();
        if may_be_gone || is_lost || is_stale {
            Found::Doubtful(value)
        } else {
            Found::Known(value)
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn set(&mut self, name: &str, key: &str, version: Version, oldest: u64) {
        if self.full_from.is_some() {
            if let Some(scope) = self.scopes.get_mut(name) {
                scope.stale_from.get_or_insert(version.position);
            }
            return;
        }
        if !self.scopes.contains_key(name) {
            self.bytes += OVERHEAD_BYTES + name.len();
            self.scopes.insert(name.to_owned(), Scope::default());
        }
        let Some(scope) = self.scopes.get_mut(name) else { return };
        let weight = |version: &Version| {
            OVERHEAD_BYTES + key.len() + version.value.as_ref().map_or(0, Bytes::len)
        };
        self.bytes += weight(&version);
        let versions = scope.keys.entry(key.to_owned()).or_default();
        // Whoever still reads sees the second, or a later one.
        while versions.get(1).is_some_and(|second| second.position < oldest)
            && let Some(first) = versions.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(weight(&first));
        }
        versions.push_back(version);
    }
}

/// Reads the state of one subject, as it was at one try.
pub(super) struct Reader {
    pub(super) past: Arc<Past>,
    pub(super) remembered: Arc<Remembered>,
    pub(super) handler: Name,
    pub(super) scope: String,
    /// The position of the try, and when it began as the store counts.
    pub(super) at: (u64, Timestamp),
    /// Whether it gave something of which it is not sure.
    pub(super) has_assumed: AtomicBool,
}

impl Reader {
    /// The value of a key; an error says why the store can't be read.
    pub(super) fn read(&self, key: &str) -> Result<Option<Bytes>, String> {
        let Self { past, remembered, handler, scope, at, .. } = self;
        let (assumed, is_sure) = match remembered.find(scope, key, *at) {
            Found::Known(value) => return Ok(value),
            Found::Doubtful(value) => (value, false),
            Found::Nothing { is_sure } => (None, is_sure),
        };
        let now = past.state_now(handler, scope, key).map_err(|error| chain(&error))?;
        match now {
            // Nobody has set it since.
            Some((set_at, value)) if set_at < at.1 => Ok(Some(value)),
            _ => {
                if !is_sure {
                    self.has_assumed.store(true, Ordering::Relaxed);
                }
                Ok(assumed)
            }
        }
    }

    /// Whether it gave something of which it is not sure.
    pub(super) fn has_assumed(&self) -> bool {
        self.has_assumed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEN: Timestamp = Timestamp(1_700_000_000_000);

    fn at(position: u64) -> (u64, Timestamp) {
        (position, THEN.after(Duration::from_secs(position)))
    }

    fn value(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    /// A try at this position sets `count` of `pi_1`, or deletes it.
    fn put(remembered: &Remembered, position: u64, value: Option<Bytes>, oldest: u64) {
        remembered.put(at(position), "pi_1", &[("count".to_owned(), value)], oldest);
    }

    fn find(remembered: &Remembered, position: u64) -> Found {
        remembered.find("pi_1", "count", at(position))
    }

    #[test]
    fn a_value_is_known_at_the_tries_behind_the_one_that_set_it() {
        let remembered = Remembered::new(false, None);
        put(&remembered, 10, value("1"), 10);
        put(&remembered, 20, None, 10);

        assert_eq!(find(&remembered, 10), Found::Nothing { is_sure: true });
        assert_eq!(find(&remembered, 11), Found::Known(value("1")));
        assert_eq!(find(&remembered, 20), Found::Known(value("1")));
        assert_eq!(find(&remembered, 21), Found::Known(None));
        let other = remembered.find("pi_2", "count", at(30));
        assert_eq!(other, Found::Nothing { is_sure: true });
    }

    #[test]
    fn what_somebody_may_still_read_stays_and_all_else_goes() {
        let remembered = Remembered::new(false, None);
        for position in [10, 20, 30] {
            put(&remembered, position, value("1"), 15);
        }
        assert_eq!(find(&remembered, 16), Found::Known(value("1")));
        let bytes = remembered.read().bytes;
        for position in 40..1_000 {
            put(&remembered, position, value("2"), position - 1);
        }
        assert_eq!(find(&remembered, 999), Found::Known(value("2")));
        assert!(remembered.read().bytes <= bytes, "{} bytes", remembered.read().bytes);
    }

    #[test]
    fn without_the_beginning_of_the_log_nothing_is_sure_to_be_absent() {
        for (is_cut, term) in [(true, None), (false, Some(Duration::from_secs(3_600)))] {
            let remembered = Remembered::new(is_cut, term);
            assert_eq!(find(&remembered, 10), Found::Nothing { is_sure: false });
            put(&remembered, 10, value("1"), 10);
            assert_eq!(find(&remembered, 11), Found::Known(value("1")));
        }
        let remembered = Remembered::new(false, None);
        remembered.cut(20);
        assert_eq!(find(&remembered, 20), Found::Nothing { is_sure: true });
        assert_eq!(find(&remembered, 21), Found::Nothing { is_sure: false });
    }

    #[test]
    fn behind_what_is_damaged_only_what_is_set_later_is_known() {
        let remembered = Remembered::new(false, None);
        put(&remembered, 10, value("1"), 10);
        remembered.doubt(20);

        assert_eq!(find(&remembered, 20), Found::Known(value("1")));
        assert_eq!(find(&remembered, 21), Found::Doubtful(value("1")));
        let other = remembered.find("pi_2", "count", at(21));
        assert_eq!(other, Found::Nothing { is_sure: false });
        put(&remembered, 30, value("2"), 10);
        assert_eq!(find(&remembered, 31), Found::Known(value("2")));
    }

    #[test]
    fn a_value_whose_term_is_over_may_be_gone() {
        let remembered = Remembered::new(false, Some(Duration::from_secs(5)));
        put(&remembered, 10, value("1"), 10);
        assert_eq!(find(&remembered, 14), Found::Known(value("1")));
        assert_eq!(find(&remembered, 15), Found::Doubtful(value("1")));
        put(&remembered, 20, None, 10);
        assert_eq!(find(&remembered, 99), Found::Known(None));
    }

    #[test]
    fn what_does_not_fit_is_not_known_and_what_did_stays() {
        let remembered = Remembered { bytes_max: 1, ..Remembered::new(false, None) };
        put(&remembered, 10, value("1"), 10);
        put(&remembered, 20, value("2"), 10);
        remembered.put(at(30), "pi_2", &[("count".to_owned(), value("3"))], 10);

        assert_eq!(find(&remembered, 20), Found::Known(value("1")));
        assert_eq!(find(&remembered, 21), Found::Doubtful(value("1")));
        let other = |position| remembered.find("pi_2", "count", at(position));
        assert_eq!(other(20), Found::Nothing { is_sure: true });
        assert_eq!(other(31), Found::Nothing { is_sure: false });
    }
}
