//! Works of a group that are taken out of their turn, wherever they wait.
//!
//! Pure. They are in flight, and take neither slots nor places. Behind the window there is only the
//! one that somebody names. Never says why one is taken.

use super::super::OrderKey;
use super::super::window::{Found, Key};
use super::{Entry, Queue};
use crate::ids::Name;

impl Queue {
    /// The number of the group of this name, if there is one.
    pub(in crate::store::owed::backlog) fn number(&self, name: &Name) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// How many works of a group wait, in memory or not.
    pub(in crate::store::owed::backlog) fn waiting(&self, number: u32) -> usize {
        let group = &self.groups[number as usize];
        let (ready, waiting) = group.window.beyond();
        group.ready.len() + group.timed.len() + group.blocked + ready + waiting
    }

    /// Whether a group is switched off.
    pub(in crate::store::owed::backlog) fn is_off(&self, number: u32) -> bool {
        self.groups[number as usize].is_off()
    }

    /// Whether a group may have more than the half of all slots that is for others.
    pub(in crate::store::owed::backlog) fn is_trusted(&self, number: u32) -> bool {
        self.groups[number as usize].is_trusted()
    }

    /// Whether works of a group wait behind others of their subject.
    pub(in crate::store::owed::backlog) fn has_blocked(&self, number: u32) -> bool {
        self.groups[number as usize].blocked > 0
    }

    /// Whether more of a group comes into memory by itself: it is being read, or is to be.
    pub(in crate::store::owed::backlog) fn is_coming(&self, number: u32) -> bool {
        self.lanes.is_wanted(number)
    }

    /// Whether works of a group are to end: then it is read although it may be switched off.
    pub(in crate::store::owed::backlog) fn set_ending(&mut self, number: u32, is_ending: bool) {
        self.groups[number as usize].is_ending = is_ending;
        self.weigh(number);
    }

    /// Takes the older of the first that is ready and the first that waits for a time.
    pub(in crate::store::owed::backlog) fn draw(&mut self, number: u32) -> Option<Entry> {
        let group = &mut self.groups[number as usize];
        let ready = group.ready.first().map(|first| first.position);
        let timed = group.timed.first_key_value().map(|(key, _)| *key);
        let entry = match timed.filter(|key| ready.is_none_or(|ready| key.1 < ready)) {
            Some(key) => {
                let (_, entry) = self.stop_timer(number, key)?;
                self.lanes.fires(&mut self.groups[number as usize].window, key);
                entry
            }
            None => {
                let entry = group.ready.pop()?;
                self.lanes.ready -= 1;
                entry
            }
        };
        self.groups[number as usize].in_flight += 1;
        self.weigh(number);
        Some(entry)
    }

    /// Takes the work of a group at this position, if it is in memory and waits behind no other;
    /// with the order that it has not entered yet, if there is one.
    pub(in crate::store::owed::backlog) fn take_out(
        &mut self,
        number: u32,
        position: u64,
    ) -> Option<(Entry, Option<OrderKey>)> {
        let group = &mut self.groups[number as usize];
        let timed = group.timed.keys().find(|key| key.1 == position).copied();
        let found = if let Some(entry) = group.ready.take_out(position) {
            self.lanes.ready -= 1;
            (entry, None)
        } else if let Some(key) = timed {
            let (_, entry) = self.stop_timer(number, key)?;
            self.lanes.fires(&mut self.groups[number as usize].window, key);
            (entry, None)
        } else {
            let key = group.window.later_at(position)?;
            let Found::Later(entry) = self.find(number, key) else { return None };
            // It may get a row while it is in flight.
            self.bars(number, position);
            // None of its subject may go because it ends: others are before it.
            (Entry { order: None, ..entry }, entry.order)
        };
        self.groups[number as usize].in_flight += 1;
        self.weigh(number);
        Some(found)
    }

    /// Takes the work of a group with this key, if it is on disk only; whether it was.
    pub(in crate::store::owed::backlog) fn take_far(
        &mut self,
        number: u32,
        key: Key,
        waits: bool,
    ) -> bool {
        let is_rowed = self.is_rowed(key.1);
        let group = &mut self.groups[number as usize];
        let is_far = is_rowed && group.window.take_far(key, waits);
        if is_far {
            group.in_flight += 1;
            self.weigh(number);
        }
        is_far
    }

    /// So many that waited behind another of their subject are taken.
    pub(in crate::store::owed::backlog) fn draw_blocked(&mut self, number: u32, works: usize) {
        let group = &mut self.groups[number as usize];
        group.blocked -= works;
        group.in_flight += works;
        self.weigh(number);
    }
}
