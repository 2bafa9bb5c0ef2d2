//! Works of a group that are taken out of their turn, wherever they wait in memory.
//!
//! Pure. They are in flight, and take neither slots nor places. Never looks behind the window.

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

    /// The same of so many that wait behind another of their subject.
    pub(in crate::store::owed::backlog) fn draw_blocked(&mut self, number: u32, works: usize) {
        let group = &mut self.groups[number as usize];
        group.blocked -= works;
        group.in_flight += works;
        self.weigh(number);
    }
}
