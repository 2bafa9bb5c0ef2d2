//! Which sources are not worth an early parse for now.
//!
//! An early parse that comes to nothing costs a source the time of it, and its receipt is parsed
//! all the same. One that is dear makes those wait whose claims are next, who would be answered at
//! once if it was made later. So a source of which too many were rests. Never ends a parse, and
//! never holds up one of a receipt that is stored.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Moment};
use crate::ids::Name;
use crate::lock::lock;

/// One that was not worth it strains its source by so much, and one that was relieves it by one:
/// whose parses are not worth it one time in three rests.
const STRAIN: u32 = 2;
/// A source rests that is strained by so much.
const STRAIN_MAX: u32 = 6;
/// Then one more is tried.
const REST: Duration = Duration::from_secs(5);

/// How the early parses of each source went lately.
#[derive(Debug, Default)]
pub(super) struct Patience {
    sources: Mutex<BTreeMap<Name, Strain>>,
    /// How many there are, so that nothing is locked while all goes well.
    known: AtomicUsize,
}

#[derive(Debug)]
struct Strain {
    /// The digest of the plugin that it is about.
    digest: String,
    strain: u32,
    rests_until: Option<Moment>,
}

impl Patience {
    /// Whether an early parse of a source is worth it, by the plugin with this digest.
    pub(super) fn is_left(&self, source: &Name, digest: &str, clock: &Clock) -> bool {
        if self.known.load(Ordering::Acquire) == 0 {
            return true;
        }
        let sources = lock(&self.sources);
        let strain = sources.get(source).filter(|strain| strain.digest == digest);
        let rests_until = strain.and_then(|strain| strain.rests_until);
        rests_until.is_none_or(|until| clock.has_come(until))
    }

    /// An early parse has ended, and was worth it or was not.
    pub(super) fn ended(&self, source: &Name, digest: &str, was_worth_it: bool, clock: &Clock) {
        if was_worth_it && self.known.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut sources = lock(&self.sources);
        if was_worth_it {
            if let Some(known) = sources.get_mut(source) {
                known.strain = known.strain.saturating_sub(1);
                known.rests_until = None;
                if known.strain == 0 {
                    sources.remove(source);
                }
            }
        } else {
            let new = || Strain { digest: digest.to_owned(), strain: 0, rests_until: None };
            let known = sources.entry(source.clone()).or_insert_with(new);
            if known.digest != digest {
                *known = new();
            }
            known.strain = (known.strain + STRAIN).min(STRAIN_MAX);
            if known.strain == STRAIN_MAX {
                known.rests_until = Some(clock.moment(REST));
            }
        }
        self.known.store(sources.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;

    #[test]
    fn a_source_rests_whose_parses_are_too_often_not_worth_it() {
        let clock = Clock::manual(Timestamp(1_700_000_000_000));
        let patience = Patience::default();
        let (one, other): (Name, Name) = ("one".parse().unwrap(), "other".parse().unwrap());
        let ends = |worth_it| patience.ended(&one, "d1", worth_it, &clock);
        let is_left = |name| patience.is_left(name, "d1", &clock);

        for worth_it in [false, true, true, true, false, false] {
            assert!(is_left(&one));
            ends(worth_it);
        }
        assert!(is_left(&one));
        ends(false);
        assert!(!is_left(&one) && is_left(&other));
        assert!(patience.is_left(&one, "d2", &clock), "another version of the plugin");

        clock.advance(REST);
        assert!(is_left(&one));
        ends(false);
        assert!(!is_left(&one), "it is tried once");
        clock.advance(REST);
        (0..6).for_each(|_| ends(true));
        assert_eq!(patience.known.load(Ordering::Acquire), 0, "all is forgiven");
    }
}
