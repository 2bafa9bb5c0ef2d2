//! Which endpoints have series of their own: the busiest, up to a number that the operator sets.
//!
//! Pure, and without a clock: who is busy shows in the last tens of thousands of attempts, of which
//! older ones count less and less. While there is room, an endpoint has series from when it may be
//! attempted. Never knows what a series is.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use crate::ids::Name;

/// How many endpoints have series of their own until somebody says how many.
const DEFAULT_MAX: usize = 200;
/// After so many attempts endpoints are ranked anew, and what was counted before counts half.
const RANKED_EACH: u32 = 16_384;

/// What is known of all endpoints that there are.
#[derive(Debug)]
pub(super) struct Ranks {
    most: usize,
    known: BTreeMap<Name, Rank>,
    shown: usize,
    /// Attempts since they were ranked last.
    counted: u32,
}

#[derive(Debug)]
struct Rank {
    /// Of the last ones; what is old counts less.
    attempts: u32,
    at_a_time: usize,
    is_shown: bool,
}

/// An endpoint gets series of its own, or loses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// With the attempts at a time.
    In(Name, usize),
    Out(Name),
}

impl Default for Ranks {
    fn default() -> Self {
        Self { most: DEFAULT_MAX, known: BTreeMap::new(), shown: 0, counted: 0 }
    }
}

impl Ranks {
    /// An endpoint was attempted; whether it has series of its own. One that is gone has none, and
    /// gets none by an attempt that ends later.
    pub(super) fn attempted(&mut self, endpoint: &Name) -> bool {
        self.counted = self.counted.saturating_add(1);
        let Some(rank) = self.known.get_mut(endpoint) else { return false };
        rank.attempts = rank.attempts.saturating_add(1);
        rank.is_shown
    }

    /// An endpoint gets this many attempts at a time; whether it has series of its own. One that is
    /// new has them if there is room.
    pub(super) fn allowed(&mut self, endpoint: &Name, at_a_time: usize) -> bool {
        if let Some(rank) = self.known.get_mut(endpoint) {
            rank.at_a_time = at_a_time;
            return rank.is_shown;
        }
        let is_shown = self.shown < self.most;
        self.shown += usize::from(is_shown);
        self.known.insert(endpoint.clone(), Rank { attempts: 0, at_a_time, is_shown });
        is_shown
    }

    /// An endpoint is gone.
    pub(super) fn remove(&mut self, endpoint: &Name) {
        if self.known.remove(endpoint).is_some_and(|rank| rank.is_shown) {
            self.shown -= 1;
        }
    }

    /// From now on this many have series of their own, at most.
    pub(super) fn show(&mut self, most: usize) -> Vec<Change> {
        self.most = most;
        self.seat()
    }

    /// Ranks them anew, if that is due.
    pub(super) fn rank_if_due(&mut self) -> Vec<Change> {
        if self.counted < RANKED_EACH {
            return Vec::new();
        }
        self.counted = 0;
        let changes = self.seat();
        self.known.values_mut().for_each(|rank| rank.attempts /= 2);
        changes
    }

    /// Shows the busiest. One that is shown already counts double: two that are about as busy do
    /// not take the place of each other again and again.
    fn seat(&mut self) -> Vec<Change> {
        let score = |rank: &Rank| u64::from(rank.attempts) * if rank.is_shown { 2 } else { 1 };
        let mut best: Vec<(Reverse<(u64, bool)>, &Name)> = self
            .known
            .iter()
            .map(|(name, rank)| (Reverse((score(rank), rank.is_shown)), name))
            .collect();
        // Whoever counts an attempt waits for this: a hundred thousand are not put in order.
        if best.len() > self.most {
            best.select_nth_unstable(self.most);
            best.truncate(self.most);
        }
        let best: HashSet<Name> = best.into_iter().map(|(_, name)| name.clone()).collect();
        self.shown = best.len();
        let mut changes = Vec::new();
        for (name, rank) in &mut self.known {
            let was_shown = std::mem::replace(&mut rank.is_shown, best.contains(name));
            match (was_shown, rank.is_shown) {
                (false, true) => changes.push(Change::In(name.clone(), rank.at_a_time)),
                (true, false) => changes.push(Change::Out(name.clone())),
                (true, true) | (false, false) => (),
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    /// Lets these be attempted, one at a time.
    fn allow(ranks: &mut Ranks, endpoints: &[&str]) {
        endpoints.iter().for_each(|endpoint| _ = ranks.allowed(&name(endpoint), 1));
    }

    fn attempt(ranks: &mut Ranks, endpoint: &str, times: u32) -> Vec<Change> {
        (0..times).for_each(|_| _ = ranks.attempted(&name(endpoint)));
        ranks.rank_if_due()
    }

    /// Guards [`Ranks::seat`]: with the first that came instead of the busiest, nothing changes.
    #[test]
    fn who_is_busier_takes_the_place_of_who_is_quiet() {
        let mut ranks = Ranks::default();
        assert_eq!(ranks.show(2), []);
        allow(&mut ranks, &["quiet", "slow"]);
        assert!(ranks.attempted(&name("quiet")) && ranks.attempted(&name("slow")));
        assert!(!ranks.allowed(&name("busy"), 16), "there is no room");
        assert_eq!(attempt(&mut ranks, "slow", 100), []);

        let changes = attempt(&mut ranks, "busy", RANKED_EACH);
        assert_eq!(changes, [Change::In(name("busy"), 16), Change::Out(name("quiet"))]);
        assert!(ranks.attempted(&name("busy")) && !ranks.attempted(&name("quiet")));
    }

    /// Guards the double score of those that are shown.
    #[test]
    fn two_that_are_about_as_busy_do_not_change_places() {
        let mut ranks = Ranks::default();
        ranks.show(1);
        allow(&mut ranks, &["one", "two"]);
        for _ in 0..8 {
            assert_eq!(attempt(&mut ranks, "one", RANKED_EACH / 2 - 1), []);
            assert_eq!(attempt(&mut ranks, "two", RANKED_EACH / 2 + 1), []);
        }
    }

    /// Guards that old attempts count less: else who was busy last year would be shown for ever.
    #[test]
    fn what_was_long_ago_hardly_counts() {
        let mut ranks = Ranks::default();
        ranks.show(1);
        allow(&mut ranks, &["past", "present"]);
        (0..10).for_each(|_| drop(attempt(&mut ranks, "past", RANKED_EACH)));
        let changes = (0..4).map(|_| attempt(&mut ranks, "present", RANKED_EACH));
        assert_eq!(changes.map(|changes| changes.len()).sum::<usize>(), 2);
        assert!(ranks.attempted(&name("present")));
    }

    /// Let `attempted` know an endpoint that nobody has allowed, and whoever makes endpoints and
    /// deletes them while they are attempted takes the series of all others.
    #[test]
    fn who_is_gone_gets_no_series_by_an_attempt_that_ends_later() {
        let mut ranks = Ranks::default();
        ranks.show(1);
        allow(&mut ranks, &["gone"]);
        ranks.remove(&name("gone"));
        assert_eq!(attempt(&mut ranks, "gone", RANKED_EACH), []);
        assert!(!ranks.attempted(&name("gone")) && ranks.known.is_empty());
        assert!(ranks.allowed(&name("new"), 1));
    }

    #[test]
    fn room_is_given_away_again() {
        let mut ranks = Ranks::default();
        ranks.show(1);
        assert!(ranks.allowed(&name("one"), 1) && !ranks.allowed(&name("two"), 2));
        ranks.remove(&name("one"));
        assert!(ranks.allowed(&name("three"), 3));
        assert_eq!(ranks.show(2), [Change::In(name("two"), 2)]);
        assert_eq!(ranks.show(0).len(), 2);
        assert!(!ranks.attempted(&name("two")));
    }
}
