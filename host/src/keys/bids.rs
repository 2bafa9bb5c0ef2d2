//! The keys that were asked for in vain, and how often each was.
//!
//! A provider names the same key in everything that it sends, and sends it again when it is
//! refused; a forger who wants to use up the look-ups has to name others all the time. So what is
//! asked for most often is looked up next, and of two it is the genuine key in the end. Never looks
//! anything up.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::wanted::Wanted;
use crate::event::Timestamp;

/// Most keys that are remembered.
const REMEMBERED_MAX: usize = 4096;
/// Whoever was not asked for within this time holds nobody up.
const RECENT: Duration = Duration::from_secs(60);

/// How often keys were asked for.
#[derive(Debug, Default)]
pub(super) struct Bids {
    hasher: RandomState,
    bids: HashMap<u64, Bid>,
}

#[derive(Debug, Clone, Copy)]
struct Bid {
    times: u32,
    last: Timestamp,
}

impl Bids {
    /// Counts that a key was asked for in vain, and says whether it is the next to be looked up:
    /// one that was asked for before, and none more often.
    pub(super) fn bid(&mut self, wanted: &Wanted, now: Timestamp) -> bool {
        let key = self.hasher.hash_one(wanted);
        if self.bids.len() >= REMEMBERED_MAX && !self.bids.contains_key(&key) {
            let least =
                self.bids.iter().min_by_key(|(_, bid)| (bid.times, bid.last)).map(|(key, _)| *key);
            least.and_then(|least| self.bids.remove(&least));
        }
        let bid = self.bids.entry(key).or_insert(Bid { times: 0, last: now });
        *bid = Bid { times: bid.times.saturating_add(1), last: now };
        let times = bid.times;
        let recent = |bid: &&Bid| now.since(bid.last) < RECENT;
        times > 1 && self.bids.values().filter(recent).all(|other| other.times <= times)
    }

    /// Forgets a key that is looked up.
    pub(super) fn forget(&mut self, wanted: &Wanted) {
        self.bids.remove(&self.hasher.hash_one(wanted));
    }
}

#[cfg(test)]
mod tests {
    use super::super::cache::tests::wanted;
    use super::*;

    #[test]
    fn what_is_asked_for_most_often_is_next() {
        let mut bids = Bids::default();
        let now = Timestamp(0);
        for number in 0..5_000 {
            assert!(!bids.bid(&wanted(number), now), "each for the first time");
        }
        assert!(!bids.bid(&wanted(9_000), now));
        assert!(bids.bid(&wanted(9_000), now));
        for _ in 0..10 {
            bids.bid(&wanted(9_001), now);
        }
        assert!(!bids.bid(&wanted(9_000), now), "another is asked for more often");
        for number in 10_000..15_000 {
            bids.bid(&wanted(number), now);
        }
        assert!(bids.bid(&wanted(9_001), now), "a flood makes nobody forget it");
        assert!(bids.bid(&wanted(9_000), now.after(RECENT)), "who has given up holds nobody up");
        bids.forget(&wanted(9_000));
        assert!(!bids.bid(&wanted(9_000), now.after(RECENT)));
        assert!(bids.bids.len() <= REMEMBERED_MAX);
    }
}
