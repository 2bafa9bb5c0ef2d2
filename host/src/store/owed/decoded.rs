//! What was read in the log and decoded, for all others who ask for it.
//!
//! An event may be owed to ten thousand endpoints: after a start it is decoded once and not once
//! for each. Pure. Bounded by bytes, of which routes that are alike count once; the oldest goes
//! first. Holds only what is committed, and nothing that was read before the log changed.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::works::Stored;
use crate::ids::Name;
use crate::store::facts::{Routes, StoredEvent};

/// What was decoded last.
#[derive(Debug)]
pub(in crate::store) struct Decoded {
    bytes_max: usize,
    bytes: usize,
    found: FxHashMap<u64, Stored>,
    oldest_first: VecDeque<u64>,
    /// The routes of what is in here, and how many events have them.
    routes: FxHashMap<Arc<Routes>, usize>,
    age: Age,
}

/// How often the log had changed when something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::store) struct Age(u64);

impl Decoded {
    pub(in crate::store) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            found: FxHashMap::default(),
            oldest_first: VecDeque::new(),
            routes: FxHashMap::default(),
            age: Age::default(),
        }
    }

    pub(in crate::store) fn get(&self, position: u64) -> Option<Stored> {
        self.found.get(&position).cloned()
    }

    /// The age of what is read from now on.
    pub(in crate::store) fn age(&self) -> Age {
        self.age
    }

    /// Keeps what was read at this age, if it is not out of date and not too large, and gives it to
    /// work with.
    pub(in crate::store) fn keep(&mut self, mut stored: Stored, age: Age) -> Stored {
        let position = stored.id().position;
        if let Some(kept) = self.get(position) {
            return kept;
        }
        // One that has no room would only drive out all others.
        if age != self.age || stored.own_bytes() + routes_bytes_of(&stored) > self.bytes_max {
            return stored;
        }
        if let Stored::Event(event) = &mut stored {
            self.share_routes(event);
        }
        self.bytes += stored.own_bytes();
        self.found.insert(position, stored.clone());
        self.oldest_first.push_back(position);
        self.make_room();
        stored
    }

    /// Forgets everything, because the log has changed. What is being read now will not be kept.
    pub(in crate::store) fn clear(&mut self) {
        let age = Age(self.age.0 + 1);
        *self = Self { age, ..Self::new(self.bytes_max) };
    }

    fn make_room(&mut self) {
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.oldest_first.pop_front() else { break };
            let gone = self.found.remove(&oldest).expect("each is kept once");
            self.bytes -= gone.own_bytes();
            if let Stored::Event(event) = gone {
                self.release_routes(&event.routes);
            }
        }
    }

    /// Gives an event the routes of another, if they are alike.
    fn share_routes(&mut self, event: &mut Arc<StoredEvent>) {
        match self.routes.get_key_value(&event.routes) {
            Some((routes, _)) => Arc::make_mut(event).routes = Arc::clone(routes),
            None => self.bytes += routes_bytes(&event.routes),
        }
        *self.routes.entry(Arc::clone(&event.routes)).or_default() += 1;
    }

    /// An event with these routes has gone.
    fn release_routes(&mut self, routes: &Arc<Routes>) {
        let users = self.routes.get_mut(routes).expect("what is kept has its routes in here");
        *users -= 1;
        if *users == 0 {
            self.routes.remove(routes);
            self.bytes -= routes_bytes(routes);
        }
    }
}

fn routes_bytes_of(stored: &Stored) -> usize {
    match stored {
        Stored::Event(event) => routes_bytes(&event.routes),
        Stored::Receipt(_) | Stored::Parcel(_) => 0,
    }
}

/// What the counters of a shared text take.
const COUNTERS_BYTES: usize = 16;

/// About as much memory as routes take whose names nobody else has.
fn routes_bytes(routes: &Routes) -> usize {
    let names = routes.handlers.iter().chain(&routes.endpoints);
    names.map(|name| size_of::<Name>() + COUNTERS_BYTES + name.as_str().len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::samples::event;

    /// An event at this position, with routes of its own.
    fn to(position: u64, endpoints: &[&str]) -> Stored {
        Stored::Event(Arc::new(event("evt_1", "").to(&["ledger"], endpoints).stored(position)))
    }

    fn routes(stored: &Stored) -> Arc<Routes> {
        let Stored::Event(event) = stored else { panic!("an event") };
        Arc::clone(&event.routes)
    }

    #[test]
    fn the_oldest_goes_when_the_room_is_full() {
        let (one, its_routes) = (to(1, &["crm"]), routes_bytes_of(&to(1, &["crm"])));
        let mut decoded = Decoded::new(its_routes + 3 * one.own_bytes());
        for position in 1..=4 {
            decoded.keep(to(position, &["crm"]), Age::default());
        }
        assert!(decoded.get(1).is_none());
        assert!((2..=4).all(|position| decoded.get(position).is_some()));
        assert_eq!(decoded.bytes, decoded.bytes_max, "the routes count once");
    }

    #[test]
    fn routes_that_are_alike_are_kept_once_and_go_with_the_last() {
        let endpoints = ["crm", "erp"];
        let its_routes = routes_bytes_of(&to(1, &endpoints));
        let mut decoded = Decoded::new(its_routes + 2 * to(1, &endpoints).own_bytes());

        let first = decoded.keep(to(1, &endpoints), Age::default());
        let second = decoded.keep(to(2, &endpoints), Age::default());
        assert!(Arc::ptr_eq(&routes(&first), &routes(&second)));
        let alike = routes(&decoded.get(2).unwrap());
        assert!(Arc::ptr_eq(&routes(&first), &alike));

        for position in 3..=4 {
            decoded.keep(to(position, &["crm"]), Age::default());
        }
        assert_eq!(decoded.routes.len(), 1, "nobody has the other routes any more");
        let kept = [to(3, &["crm"]), to(4, &["crm"])].map(|stored| stored.own_bytes());
        let its_routes = routes_bytes_of(&to(3, &["crm"]));
        assert_eq!(decoded.bytes, its_routes + kept.iter().sum::<usize>());
    }

    #[test]
    fn what_is_too_large_drives_out_nothing() {
        let mut decoded = Decoded::new(to(1, &[]).own_bytes() + routes_bytes_of(&to(1, &["crm"])));
        decoded.keep(to(1, &["crm"]), Age::default());
        let large = decoded.keep(to(2, &["crm", "erp"]), Age::default());

        assert_eq!(large.id().position, 2, "it is there to work with");
        assert!(decoded.get(1).is_some() && decoded.get(2).is_none());
    }

    #[test]
    fn what_was_read_before_the_log_changed_is_not_kept() {
        let mut decoded = Decoded::new(1 << 20);
        let before = decoded.age();
        decoded.keep(to(1, &["crm"]), before);
        decoded.clear();
        decoded.keep(to(2, &["crm"]), before);
        assert!(decoded.get(1).is_none() && decoded.get(2).is_none());
        assert_eq!((decoded.bytes, decoded.routes.len()), (0, 0));

        decoded.keep(to(2, &["crm"]), decoded.age());
        assert!(decoded.get(2).is_some());
    }
}
