//! The lanes of one kind: a group's works in the order in which the disk has them, of which a
//! window is in memory.
//!
//! Says which lanes want to be read, and how much of each, and takes in what was read. The windows
//! share what there is of memory. Runs are read in the order of their positions alone, and those
//! that wait for a retry stay in memory: who waits behind whom is known there only. So are the
//! deliveries to an endpoint that has an order. Never reads.

use std::collections::BTreeSet;

use super::super::LaneRead;
use super::super::order::lets_pass;
use super::super::window::{Entering, Found, Key, When, Window, Windows};
use super::{Entry, Queue};
use crate::endpoint::Order;
use crate::event::Timestamp;
use crate::ids::Name;

/// What is known of all lanes of a kind together.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    windows: Windows,
    /// Whether their works are runs.
    are_runs: bool,
    /// Works before this position have rows.
    mark: u64,
    /// The latest time that the store is known to have counted.
    latest: Timestamp,
    /// Works that are ready in memory.
    pub(super) ready: usize,
    /// Works in memory behind the windows.
    aside: usize,
    /// Those with works behind the window.
    beyond: BTreeSet<u32>,
    /// Those of which little is in memory and more on disk.
    low: BTreeSet<u32>,
    /// Those of which little is ready, and more waits in memory behind the window.
    short: BTreeSet<u32>,
    /// Those that are being read.
    read: BTreeSet<u32>,
    /// Where the next reading begins, so that each has its turn.
    next: u32,
}

/// How a lane counts in what is known of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Weighed {
    aside: usize,
    is_beyond: bool,
    is_read: bool,
    is_low: bool,
    is_short: bool,
}

/// What to read of a lane.
#[derive(Debug, Clone)]
pub(in crate::store) struct Wanted {
    /// The number of the group.
    pub(in crate::store) number: u32,
    pub(in crate::store) group: Name,
    /// The key to begin with.
    pub(in crate::store) from: Key,
    /// So many works.
    pub(in crate::store) works: usize,
}

/// How much to read at a time.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Most {
    pub(in crate::store) lanes: usize,
    /// Of all of them together, but at least one of each.
    pub(in crate::store) works: usize,
}

impl Lanes {
    /// The store has counted so far.
    pub(super) fn seen(&mut self, counted: Timestamp) {
        self.latest = self.latest.max(counted);
    }

    /// A work waited for a time and is ready. Of works that go by their positions those that waited
    /// are in no window.
    pub(super) fn fires(&self, window: &mut Window, key: Key) {
        if !self.are_runs && !window.is_early(key.1) {
            window.fires(key, self.latest);
        }
    }

    /// Whether something of a lane may come into memory.
    pub(super) fn is_wanted(&self, number: u32) -> bool {
        [&self.low, &self.short, &self.read].into_iter().any(|lanes| lanes.contains(&number))
    }

    /// The lanes of which something may come into memory.
    pub(super) fn wanted(&self) -> impl Iterator<Item = u32> {
        self.low.iter().chain(&self.short).chain(&self.read).copied()
    }
}

impl Queue {
    /// A queue of runs, or of others, of which so much is in memory.
    pub(in crate::store::owed::backlog) fn set_windows(&mut self, windows: Windows, runs: bool) {
        let least = windows.least.max(1);
        let (most, held) = (windows.most.max(least), windows.held.max(1));
        let windows = Windows { least, most, held, ..windows };
        (self.lanes.windows, self.lanes.are_runs) = (windows, runs);
    }

    /// The store has counted so far.
    pub(in crate::store::owed::backlog) fn seen(&mut self, counted: Timestamp) {
        self.lanes.seen(counted);
    }

    /// The latest time that the store is known to have counted.
    pub(in crate::store::owed::backlog) fn latest(&self) -> Timestamp {
        self.lanes.latest
    }

    /// Works before this position have rows from now on.
    pub(in crate::store::owed::backlog) fn set_mark(&mut self, mark: u64) {
        self.lanes.mark = mark;
    }

    /// A work before the mark has a row from now on, under this key.
    pub(in crate::store::owed::backlog) fn passed(&mut self, group: &Name, key: Key) {
        if let Some(number) = self.by_name.get(group).copied() {
            self.groups[number as usize].window.passed(key);
            self.weigh(number);
        }
    }

    /// Works of a group that a start found on disk.
    pub(in crate::store::owed::backlog) fn add_far(
        &mut self,
        number: u32,
        ready: usize,
        waiting: usize,
    ) {
        self.groups[number as usize].window.add_far(ready, waiting);
        self.weigh(number);
    }

    /// How many works are in memory behind the windows, because they have no rows.
    pub(in crate::store::owed::backlog) fn aside(&self) -> usize {
        self.lanes.aside
    }

    /// Whether a work that joins stays in memory: else it waits beyond the window. May put another
    /// there in its place.
    pub(in crate::store::owed::backlog) fn admit(
        &mut self,
        number: u32,
        entry: Entry,
        when: When,
    ) -> bool {
        let by_position = self.by_position(number);
        if by_position && !when.is_at_once() {
            return true;
        }
        let key = when.key(entry.position);
        let is_rowed = self.is_rowed(entry.position);
        let is_full = self.is_full(number);
        let group = &mut self.groups[number as usize];
        if group.window.is_beyond(key) {
            group.window.set_aside(key, entry, when.due, is_rowed);
            self.weigh(number);
            return false;
        }
        if !is_full {
            return true;
        }
        let last = group.timed.last_key_value();
        let last = last.map(|(last, (_, entry))| (*last, entry.order.is_none()));
        match last.filter(|(last, _)| !by_position && *last > key) {
            // One with an order stays: others wait behind it, in memory.
            Some((last, may_go)) if may_go && group.window.may_end_at(last) => {
                self.evict(number, last);
            }
            Some(_) => (),
            None if group.window.may_end_at(key) => {
                group.window.end_at(key, entry, when.due, is_rowed);
                self.weigh(number);
                return false;
            }
            None => (),
        }
        true
    }

    /// The last work that waits for a time waits beyond the window.
    fn evict(&mut self, number: u32, last: Key) {
        if let Some((due, entry)) = self.stop_timer(number, last) {
            let is_rowed = self.is_rowed(entry.position);
            let window = &mut self.groups[number as usize].window;
            // It came while its endpoint had an order.
            window.leave(entry.position);
            window.end_at(last, entry, due, is_rowed);
            self.weigh(number);
        }
    }

    pub(super) fn is_rowed(&self, position: u64) -> bool {
        position < self.lanes.mark
    }

    /// A work stays in memory, though its key is another now.
    pub(in crate::store::owed::backlog) fn keeps(&mut self, number: u32, key: Key) {
        self.groups[number as usize].window.keeps(key);
    }

    /// A work in memory is finished, or joins anew.
    pub(in crate::store::owed::backlog) fn leave(&mut self, number: u32, position: u64) {
        self.groups[number as usize].window.leave(position);
    }

    /// What is read of this work never counts.
    pub(in crate::store::owed::backlog) fn bars(&mut self, number: u32, position: u64) {
        self.groups[number as usize].window.bars(position);
    }

    /// Takes a work out of those of a group that wait for a time in memory.
    pub(in crate::store::owed::backlog) fn stop(&mut self, number: u32, key: Key) -> Option<Entry> {
        let stopped = self.stop_timer(number, key)?;
        self.weigh(number);
        Some(stopped.1)
    }

    /// Looks behind the window for a work that waited under this key and goes to another.
    pub(in crate::store::owed::backlog) fn find(&mut self, number: u32, key: Key) -> Found {
        let is_rowed = self.is_rowed(key.1);
        let found = self.groups[number as usize].window.find(key, is_rowed);
        self.weigh(number);
        found
    }

    /// Whether lanes are to be read.
    pub(in crate::store::owed::backlog) fn is_low(&self) -> bool {
        !self.lanes.low.is_empty()
    }

    /// Whether lanes of which little is ready have more in memory.
    pub(in crate::store::owed::backlog) fn is_short(&self) -> bool {
        !self.lanes.short.is_empty()
    }

    /// Marks lanes as being read. Each is to be filled then, or given up.
    pub(in crate::store::owed::backlog) fn begin_read(&mut self, most: Most) -> Vec<Wanted> {
        let next = self.lanes.next;
        let low = &self.lanes.low;
        let in_turn: Vec<u32> =
            low.range(next..).chain(low.range(..next)).take(most.lanes).copied().collect();
        let each = (most.works / in_turn.len().max(1)).max(1);
        let mut wanted = Vec::new();
        for number in in_turn {
            self.lanes.next = number + 1;
            let works = self.room(number).min(each);
            let group = &mut self.groups[number as usize];
            let (from, group) = (group.window.begin_read(), group.name.clone());
            wanted.push(Wanted { number, group, from, works });
            self.weigh(number);
        }
        wanted
    }

    /// Nothing came of the reading of a lane.
    pub(in crate::store::owed::backlog) fn give_up_read(&mut self, number: u32) {
        self.groups[number as usize].window.give_up_read();
        self.weigh(number);
    }

    /// These works of a lane were read. Gives what comes into memory, in the order in which it is
    /// to enter.
    pub(in crate::store::owed::backlog) fn fill(&mut self, read: LaneRead) -> Vec<Entering> {
        let LaneRead { number, works, until, waiting } = read;
        let (room, by_position) = (self.room(number), self.by_position(number));
        let is_first = !waiting.is_empty();
        // Those that wait are among the others too, but where runs are read.
        let works = works.into_iter().filter(|work| !(is_first && work.waits)).collect();
        let window = &mut self.groups[number as usize].window;
        let mut entering = window.fill(works, until, room);
        waiting.iter().for_each(|row| window.take_one(row));
        entering.extend(waiting.into_iter().map(Entering::Far));
        if by_position {
            entering.sort_unstable_by_key(|entering| entering.key().1);
        }
        self.weigh(number);
        entering
    }

    /// Takes in what waits in memory of a lane of which little is ready.
    pub(in crate::store::owed::backlog) fn fill_short(&mut self) -> Option<(u32, Vec<Entering>)> {
        let number = *self.lanes.short.first()?;
        let room = self.room(number);
        let entering = self.groups[number as usize].window.fill_from_memory(room);
        self.weigh(number);
        Some((number, entering))
    }

    /// Whether the works of a group that come now go by their positions alone.
    fn by_position(&self, number: u32) -> bool {
        self.lanes.are_runs || self.groups[number as usize].order != Order::None
    }

    /// From now on the works of a group go by this rule.
    pub(in crate::store::owed::backlog) fn set_order(&mut self, number: u32, order: Order) {
        let group = &mut self.groups[number as usize];
        if group.order == Order::None && order != Order::None {
            // From now on the bound may come before those that wait.
            group.timed.keys().for_each(|key| group.window.bars(key.1));
        }
        group.order = order;
    }

    /// A work waits in memory, for a time or behind another, and stays there if it goes by its
    /// position: what is read of it does not count.
    pub(super) fn holds(&mut self, number: u32, entry: Entry) {
        let group = &mut self.groups[number as usize];
        let is_ordered = group.order != Order::None || entry.order.is_some();
        if !self.lanes.are_runs && is_ordered {
            group.window.bars(entry.position);
        }
    }

    /// Whether a work of a group that has failed lets others of its subject pass.
    pub(in crate::store::owed::backlog) fn lets_pass(&self, number: u32, entry: Entry) -> bool {
        entry.order.is_some() && lets_pass(self.groups[number as usize].order, entry)
    }

    /// How many works of a lane may be in memory now.
    fn limit(&self) -> usize {
        let Windows { total, least, most, .. } = self.lanes.windows;
        if self.lanes.ready + self.timers.len() >= total {
            return least;
        }
        (total / self.lanes.beyond.len().max(1)).clamp(least, most)
    }

    /// How many works of a lane in memory count.
    fn near(&self, number: u32) -> usize {
        let group = &self.groups[number as usize];
        group.ready.counted() + if self.by_position(number) { 0 } else { group.timed.len() }
    }

    /// Whether so many works of a lane that go by their positions wait that no more of it may come
    /// into memory.
    fn is_holding(&self, number: u32) -> bool {
        let group = &self.groups[number as usize];
        self.by_position(number) && group.timed.len() + group.blocked >= self.lanes.windows.held
    }

    fn is_full(&self, number: u32) -> bool {
        self.near(number) >= self.limit() || self.is_holding(number)
    }

    /// How many works of a lane may come into memory.
    fn room(&self, number: u32) -> usize {
        self.limit().saturating_sub(self.near(number)).max(1)
    }

    /// Sees whether a lane has works behind its window, and little before. Whether it wants more
    /// from now on.
    pub(super) fn weigh(&mut self, number: u32) -> bool {
        let group = &self.groups[number as usize];
        let (is_beyond, is_read) = (group.window.has_more(), group.window.is_read());
        let before = group.weighed;
        // Each work comes by here several times, and most lanes are in memory as a whole.
        if !is_beyond && !is_read && before == Weighed::default() {
            return false;
        }
        let is_on_disk = group.window.far() > 0;
        let is_off = group.is_off() && !group.is_ending;
        let aside = group.window.later();
        put(&mut self.lanes.beyond, number, (before.is_beyond, is_beyond));
        let wants_more = is_beyond
            && !is_read
            && !is_off
            && 2 * self.near(number) < self.limit()
            && !self.is_holding(number);
        let (is_low, is_short) = (wants_more && is_on_disk, wants_more && !is_on_disk);
        put(&mut self.lanes.read, number, (before.is_read, is_read));
        put(&mut self.lanes.low, number, (before.is_low, is_low));
        put(&mut self.lanes.short, number, (before.is_short, is_short));
        self.lanes.aside = self.lanes.aside + aside - before.aside;
        let now = Weighed { aside, is_beyond, is_read, is_low, is_short };
        self.groups[number as usize].weighed = now;
        (is_low && !before.is_low) || (is_short && !before.is_short)
    }

    /// How many works are in memory, in whatever way they wait, and not in flight.
    #[cfg(test)]
    pub(in crate::store::owed::backlog) fn in_memory(&self) -> usize {
        let waiting = |group: &super::Group| group.blocked + group.window.later();
        self.lanes.ready + self.timers.len() + self.groups.iter().map(waiting).sum::<usize>()
    }
}

/// Puts a number into a set, or takes it out, if it was otherwise.
fn put(set: &mut BTreeSet<u32>, number: u32, (was_in, is_in): (bool, bool)) {
    match (was_in, is_in) {
        (false, true) => {
            set.insert(number);
        }
        (true, false) => {
            set.remove(&number);
        }
        _ => (),
    }
}
