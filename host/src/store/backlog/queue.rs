//! The works of one kind: what is ready by group, what waits for a time, what is in flight.
//!
//! Pure. Groups (sources, handlers, endpoints) take turns, so that a long queue of one delays no
//! other, and none has more in flight than its limit. Within a group it is first come, first served.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::Entry;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::stats::KindStats;

/// One kind of work.
#[derive(Debug, Default)]
pub(super) struct Queue {
    groups: Vec<Group>,
    by_name: HashMap<Name, u32>,
    /// The groups with something ready, each once.
    turns: VecDeque<u32>,
    /// What waits for a time, by that and position.
    timers: BTreeMap<(Timestamp, u64), (u32, Entry)>,
    /// How many works wait in a lane.
    blocked: usize,
}

#[derive(Debug)]
struct Group {
    name: Name,
    ready: VecDeque<Entry>,
    in_flight: usize,
    /// Whether it stands in the queue's `turns`.
    has_turn: bool,
    /// Whether its limit was zero when it was last asked for: it is switched off for now.
    held: bool,
}

impl Queue {
    /// The number of the group of this name.
    pub(super) fn group(&mut self, name: &Name) -> u32 {
        if let Some(group) = self.by_name.get(name) {
            return *group;
        }
        let group = u32::try_from(self.groups.len()).expect("names are configured, not posted");
        self.by_name.insert(name.clone(), group);
        self.groups.push(Group {
            name: name.clone(),
            ready: VecDeque::new(),
            in_flight: 0,
            has_turn: false,
            held: false,
        });
        group
    }

    /// Adds a work that may go at `due`; zero is at once.
    pub(super) fn push(&mut self, group: u32, entry: Entry, due: Timestamp) {
        if due == Timestamp(0) {
            self.groups[group as usize].ready.push_back(entry);
            self.take_turn(group);
        } else {
            self.timers.insert((due, entry.position), (group, entry));
        }
    }

    /// Makes ready what is due at `now`.
    pub(super) fn wake(&mut self, now: Timestamp) {
        while let Some(timer) = self.timers.first_entry() {
            if timer.key().0 > now {
                break;
            }
            let (group, entry) = timer.remove();
            self.push(group, entry, Timestamp(0));
        }
    }

    /// Makes ready the work at this position, which waits for `due`.
    pub(super) fn hasten(&mut self, position: u64, due: Timestamp) {
        // It stands elsewhere only if it was pulled forward, which is rare.
        let elsewhere = || self.timers.keys().find(|(_, other)| *other == position).copied();
        let exact = self.timers.contains_key(&(due, position)).then_some((due, position));
        if let Some(key) = exact.or_else(elsewhere)
            && let Some((group, entry)) = self.timers.remove(&key)
        {
            self.push(group, entry, Timestamp(0));
        }
    }

    /// What waits for a time later than this waits for this.
    pub(super) fn pull_forward(&mut self, latest: Timestamp) {
        while let Some(timer) = self.timers.last_entry() {
            let (due, position) = *timer.key();
            if due <= latest {
                break;
            }
            let waiting = timer.remove();
            self.timers.insert((latest, position), waiting);
        }
    }

    /// Takes up to `max` ready works, one of a group at a time.
    pub(super) fn claim(
        &mut self,
        max: usize,
        limit: &dyn Fn(&Name) -> usize,
    ) -> Vec<(u32, Entry)> {
        let mut claimed = Vec::new();
        let mut refused_in_a_row = 0;
        while claimed.len() < max && refused_in_a_row < self.turns.len() {
            let Some(number) = self.turns.pop_front() else { break };
            let group = &mut self.groups[number as usize];
            let limit = limit(&group.name);
            group.held = limit == 0;
            refused_in_a_row += 1;
            if group.in_flight < limit
                && let Some(entry) = group.ready.pop_front()
            {
                group.in_flight += 1;
                claimed.push((number, entry));
                refused_in_a_row = 0;
            }
            group.has_turn = !group.ready.is_empty();
            if group.has_turn {
                self.turns.push_back(number);
            }
        }
        claimed
    }

    /// Puts a claimed work back in front.
    pub(super) fn give_back(&mut self, group: u32, entry: Entry) {
        self.release(group);
        self.groups[group as usize].ready.push_front(entry);
        self.take_turn(group);
    }

    /// A claimed work is no longer in flight.
    pub(super) fn release(&mut self, group: u32) {
        let in_flight = &mut self.groups[group as usize].in_flight;
        *in_flight = in_flight.checked_sub(1).expect("a claim is released once");
    }

    pub(super) fn block(&mut self) {
        self.blocked += 1;
    }

    pub(super) fn unblock(&mut self) {
        self.blocked -= 1;
    }

    /// When the next timer is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.timers.keys().next().map(|(due, _)| *due)
    }

    /// Whether nothing is in flight and nothing could be claimed at `now`.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        let rests = |group: &Group| group.in_flight == 0 && (group.ready.is_empty() || group.held);
        self.next_due().is_none_or(|due| due > now) && self.groups.iter().all(rests)
    }

    pub(super) fn stats(&self) -> KindStats {
        KindStats {
            ready: self.groups.iter().map(|group| group.ready.len()).sum(),
            in_flight: self.groups.iter().map(|group| group.in_flight).sum(),
            retrying: self.timers.len(),
            blocked: self.blocked,
            parked: 0,
            dead: 0,
        }
    }

    fn take_turn(&mut self, number: u32) {
        let group = &mut self.groups[number as usize];
        if !group.has_turn {
            group.has_turn = true;
            self.turns.push_back(number);
        }
    }
}
