//! The works of one kind: what is ready by group, what waits for a time, what is in flight.
//!
//! Pure. Groups (sources, handlers, endpoints) take turns, so that a long queue of one delays no
//! other, and none has more in flight than it may. A group that may have no more stands aside and
//! is not looked at again until that changes. Which of a group is the next is decided in [`ready`],
//! what of it is in memory in [`lanes`], and what a work in flight takes in [`flight`].

mod allowance;
mod drawn;
mod flight;
mod lanes;
mod lengths;
mod rate;
mod ready;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rustc_hash::FxHashMap;

pub use self::allowance::Allowance;
pub(in crate::store) use self::allowance::Room;
pub(super) use self::flight::Phase;
use self::flight::Uncommitted;
use self::lanes::{Lanes, Weighed};
pub(in crate::store) use self::lanes::{Most, Wanted};
use self::rate::Paid;
use self::ready::Ready;
use super::Entry;
use super::window::{Key, When, Window};
use crate::endpoint::Order;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::stats::KindStats;

/// One kind of work.
#[derive(Debug, Default)]
pub(super) struct Queue {
    groups: Vec<Group>,
    /// Names are configured: nobody who posts chooses them.
    by_name: FxHashMap<Name, u32>,
    /// The numbers of groups that were forgotten, for new ones.
    free: Vec<u32>,
    /// The groups with something ready that may be taken as far as is known, each once.
    turns: VecDeque<u32>,
    /// The groups that wait until fewer slots are taken by those that are not trusted. One that has
    /// found another place since does not count.
    crowded: VecDeque<u32>,
    /// The groups without an allowance of their own that might have no more at the last take: they
    /// are asked for again at the next.
    asked: Vec<u32>,
    /// The groups with something ready that wait for a time.
    resting: BTreeSet<(Timestamp, u32)>,
    /// What waits for a time, by that and position: its group, and since when it may be tried,
    /// under which the group has it.
    timers: BTreeMap<(Timestamp, u64), (u32, Timestamp)>,
    /// Of which groups more is on disk, and how much of each may be in memory.
    lanes: Lanes,
    slots_taken: usize,
    /// By groups that are not trusted.
    slots_untrusted: usize,
    uncommitted: Uncommitted,
    /// When works were first taken: nobody knows how fast they went before.
    began: Option<Timestamp>,
}

#[derive(Debug)]
struct Group {
    name: Name,
    ready: Ready,
    in_flight: usize,
    /// How many of these are in slots.
    at_work: usize,
    slots_taken: usize,
    /// Places that the outcomes of the others take.
    uncommitted: usize,
    /// Its works that wait for a time, which is with each.
    timed: BTreeMap<Key, (Timestamp, Entry)>,
    /// How many of its works wait behind another of their subject.
    blocked: usize,
    window: Window,
    /// As it was counted last.
    weighed: Weighed,
    allowance: Option<Allowance>,
    /// Which of its works wait for each other; runs do in any case.
    order: Order,
    /// What its works have paid, if its rate was ever asked for.
    paid: Option<Paid>,
    place: Place,
    /// Whether it was switched off when it was asked for last.
    is_off: bool,
    /// Whether it goes with its last work.
    is_forgotten: bool,
    /// Whether works of it are to end without a try.
    is_ending: bool,
}

/// Where a group waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing is ready, or it has in flight what it may.
    Aside,
    Turn,
    Asked,
    Crowded,
    Resting(Timestamp),
}

impl Queue {
    /// The number of the group of this name.
    pub(super) fn group(&mut self, name: &Name) -> u32 {
        if let Some(group) = self.by_name.get(name) {
            return *group;
        }
        let new = Group {
            name: name.clone(),
            ready: Ready::default(),
            in_flight: 0,
            at_work: 0,
            slots_taken: 0,
            uncommitted: 0,
            timed: BTreeMap::new(),
            blocked: 0,
            window: Window::default(),
            weighed: Weighed::default(),
            allowance: None,
            order: Order::None,
            paid: None,
            place: Place::Aside,
            is_off: false,
            is_forgotten: false,
            is_ending: false,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.groups[number as usize] = new;
                number
            }
            None => {
                self.groups.push(new);
                u32::try_from(self.groups.len() - 1).expect("names are configured, not posted")
            }
        };
        self.by_name.insert(name.clone(), number);
        number
    }

    /// The name of the group with this number.
    pub(super) fn name(&self, number: u32) -> Name {
        self.groups[number as usize].name.clone()
    }

    /// Says what a group may have in flight from now on; whether something of it may be taken by
    /// that, or read.
    pub(super) fn allow(&mut self, name: &Name, allowance: Allowance) -> bool {
        let number = self.group(name);
        let group = &mut self.groups[number as usize];
        group.is_forgotten = false;
        let was_trusted = group.is_trusted();
        group.allowance = Some(allowance);
        match (was_trusted, allowance.is_trusted) {
            (true, false) => self.slots_untrusted += group.slots_taken,
            (false, true) => self.slots_untrusted -= group.slots_taken,
            _ => (),
        }
        // It looks for its place anew: what held it back may not any more.
        let has_turn = group.place == Place::Turn;
        self.set_order(number, allowance.order);
        self.end_rest(number);
        if !has_turn {
            self.groups[number as usize].place = Place::Aside;
        }
        let wanted = self.weigh(number);
        self.take_turn(number) || wanted
    }

    /// A group's name is not used any more: it goes when nothing is left of it.
    pub(super) fn forget(&mut self, name: &Name) {
        if let Some(number) = self.by_name.get(name).copied() {
            self.groups[number as usize].is_forgotten = true;
            self.remove_if_done(number);
        }
    }

    fn remove_if_done(&mut self, number: u32) {
        let group = &mut self.groups[number as usize];
        let is_empty = group.ready.is_empty() && group.in_flight == 0 && group.timed.is_empty();
        let is_done = is_empty && group.blocked == 0 && group.window.is_done();
        if group.is_forgotten && is_done && group.place == Place::Aside {
            self.by_name.remove(&group.name);
            group.is_forgotten = false;
            self.free.push(number);
        }
    }

    /// Adds a work that stays in memory.
    pub(super) fn enter(&mut self, number: u32, entry: Entry, when: When) {
        let key = when.key(entry.position);
        if when.is_at_once() {
            self.groups[number as usize].window.keeps(key);
            self.lanes.seen(when.since);
            self.make_ready(number, entry);
        } else {
            self.holds(number, entry);
            self.groups[number as usize].timed.insert(key, (when.due, entry));
            self.timers.insert((when.due, entry.position), (number, when.since));
        }
        self.weigh(number);
    }

    fn make_ready(&mut self, number: u32, entry: Entry) {
        self.lanes.ready += 1;
        self.groups[number as usize].ready.push(entry);
        self.take_turn(number);
    }

    /// Takes a work out of those of a group that wait for a time.
    fn stop_timer(&mut self, number: u32, key: Key) -> Option<(Timestamp, Entry)> {
        let (due, entry) = self.groups[number as usize].timed.remove(&key)?;
        self.timers.remove(&(due, entry.position));
        Some((due, entry))
    }

    /// Makes ready what is due at `now`.
    pub(super) fn wake(&mut self, now: Timestamp) {
        while let Some((&(due, position), &(number, since))) = self.timers.first_key_value() {
            if due > now {
                break;
            }
            let key = (since, position);
            let Some((_, entry)) = self.stop_timer(number, key) else { break };
            self.lanes.fires(&mut self.groups[number as usize].window, key);
            self.make_ready(number, entry);
        }
        // The first is due before the others; the last may have been left by a clock that was
        // ahead.
        let over = |(until, _): &(Timestamp, u32)| !is_rest(*until, now);
        while let Some((until, number)) = {
            let ends = self.resting.first().into_iter().chain(self.resting.last());
            ends.copied().find(over)
        } {
            self.resting.remove(&(until, number));
            self.groups[number as usize].place = Place::Aside;
            self.take_turn(number);
            self.remove_if_done(number);
        }
    }

    /// A group that rests does so no longer, and has no place.
    fn end_rest(&mut self, number: u32) {
        let group = &mut self.groups[number as usize];
        if let Place::Resting(until) = group.place {
            self.resting.remove(&(until, number));
            group.place = Place::Aside;
        }
    }

    /// What waits for a time later than this waits for this.
    pub(super) fn pull_forward(&mut self, latest: Timestamp) {
        while let Some(timer) = self.timers.last_entry() {
            let (due, position) = *timer.key();
            if due <= latest {
                break;
            }
            let (number, since) = timer.remove();
            if let Some((due, _)) = self.groups[number as usize].timed.get_mut(&(since, position)) {
                *due = latest;
            }
            self.timers.insert((latest, position), (number, since));
        }
    }

    /// Takes ready works as far as there is room, one of a group at a time. Gives the slots that
    /// each takes.
    pub(super) fn take(&mut self, room: Room<'_>, now: Timestamp) -> Vec<(u32, Entry, usize)> {
        for number in std::mem::take(&mut self.asked) {
            if self.groups[number as usize].place == Place::Asked {
                self.groups[number as usize].place = Place::Aside;
                self.take_turn(number);
            }
        }
        let mut taken = Vec::new();
        while taken.len() < room.works {
            let Some(number) = self.turns.pop_front() else {
                // With nothing in flight nobody else would let them in.
                if self.slots_taken == 0 && self.let_in() {
                    continue;
                }
                break;
            };
            self.groups[number as usize].place = Place::Aside;
            match self.take_of(number, room, now) {
                Ok(Some((entry, slots))) => {
                    taken.push((number, entry, slots));
                    self.take_turn(number);
                    self.weigh(number);
                }
                Ok(None) => {
                    self.weigh(number);
                    // All of it may have ended without a try since it got its turn.
                    self.remove_if_done(number);
                }
                Err(NoRoom) => {
                    self.groups[number as usize].place = Place::Turn;
                    self.turns.push_front(number);
                    break;
                }
            }
        }
        taken
    }

    /// The next work of a group, or none, and then the group has found its place.
    fn take_of(
        &mut self,
        number: u32,
        room: Room<'_>,
        now: Timestamp,
    ) -> Result<Option<(Entry, usize)>, NoRoom> {
        let began = *self.began.get_or_insert(now);
        let group = &mut self.groups[number as usize];
        let each = || Allowance::of((room.each)(&group.name));
        let allowance = group.allowance.unwrap_or_else(each);
        group.is_off = allowance.at_a_time == 0;
        if group.ready.is_empty() || group.at_work >= allowance.at_a_time {
            if group.allowance.is_none() && !group.ready.is_empty() {
                group.place = Place::Asked;
                self.asked.push(number);
            }
            return Ok(None);
        }
        if let Some(until) = group.rests_until(allowance, began, now) {
            group.place = Place::Resting(until);
            self.resting.insert((until, number));
            return Ok(None);
        }
        let for_untrusted = room.slots.div_ceil(2);
        let slots = allowance.slots.clamp(1, for_untrusted.max(1));
        if self.slots_taken + slots > room.slots {
            return Err(NoRoom);
        }
        if !allowance.is_trusted && self.slots_untrusted + slots > for_untrusted {
            group.place = Place::Crowded;
            self.crowded.push_back(number);
            return Ok(None);
        }
        let Some(entry) = group.ready.pop() else { return Ok(None) };
        self.lanes.ready -= 1;
        group.in_flight += 1;
        group.at_work += 1;
        group.slots_taken += slots;
        if let (Some(rate), Some(paid)) = (allowance.rate, &mut group.paid) {
            paid.pay(rate, now);
        }
        self.slots_taken += slots;
        if !allowance.is_trusted {
            self.slots_untrusted += slots;
        }
        Ok(Some((entry, slots)))
    }

    /// Groups may get another allowance now than at the last take: until the next take none counts
    /// as switched off.
    pub(super) fn ask_again(&mut self) {
        for number in self.asked.clone() {
            self.groups[number as usize].is_off = false;
            self.weigh(number);
        }
    }

    /// A work that stays in memory waits behind another of its subject.
    pub(super) fn block(&mut self, number: u32, entry: Entry, when: When) {
        let group = &mut self.groups[number as usize];
        group.blocked += 1;
        if when.is_at_once() {
            group.window.keeps(when.key(entry.position));
        } else {
            self.holds(number, entry);
        }
        self.weigh(number);
    }

    /// One that waited behind another goes on.
    pub(super) fn unblock(&mut self, number: u32) {
        self.groups[number as usize].blocked -= 1;
    }

    /// How many works of a group are ready or in flight. Those behind its window count all, also if
    /// they wait for a time: nobody counts them apart.
    pub(super) fn due(&self, name: &Name) -> usize {
        let Some(number) = self.by_name.get(name) else { return 0 };
        let group = &self.groups[*number as usize];
        group.ready.len() + group.in_flight + group.window.behind()
    }

    /// When the next timer is due, or the next group may go.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let timer = self.timers.keys().next().map(|(due, _)| *due);
        let rested = self.resting.first().map(|(until, _)| *until);
        timer.into_iter().chain(rested).min()
    }

    /// Whether nothing is in flight, and nothing could be taken at `now`, nor read and then be.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        // Whatever is in flight has slots or places: while any are taken, there is no need to look
        // at all the groups, of which there may be ten thousand.
        self.slots_taken == 0
            && self.uncommitted.is_empty()
            && self.next_due().is_none_or(|due| due > now)
            && !self.groups.iter().any(|group| !group.ready.is_empty() && !group.is_held(now))
            && !self.lanes.wanted().any(|number| !self.groups[number as usize].is_held(now))
    }

    pub(super) fn stats(&self) -> KindStats {
        let mut stats = KindStats { retrying: self.timers.len(), ..KindStats::default() };
        for group in &self.groups {
            let (ready, waiting) = group.window.beyond();
            stats.ready += group.ready.len() + ready;
            stats.in_flight += group.in_flight;
            stats.retrying += waiting;
            stats.blocked += group.blocked;
        }
        stats
    }

    /// Lets a group with something ready wait for its turn, if it waits for nothing else; whether
    /// it does from now on.
    fn take_turn(&mut self, number: u32) -> bool {
        let group = &mut self.groups[number as usize];
        let has_turn = group.place == Place::Aside && !group.ready.is_empty();
        if has_turn {
            group.place = Place::Turn;
            self.turns.push_back(number);
        }
        has_turn
    }
}

/// No group rests for longer: it is the clock that was set back.
const REST_MAX: Duration = Duration::from_secs(5 * 60);

/// Whether a group waits for this time.
fn is_rest(until: Timestamp, now: Timestamp) -> bool {
    until > now && until.since(now) <= REST_MAX
}

/// All slots are taken.
struct NoRoom;

impl Group {
    fn is_trusted(&self) -> bool {
        self.allowance.is_none_or(|allowance| allowance.is_trusted)
    }

    fn is_off(&self) -> bool {
        self.allowance.map_or(self.is_off, |allowance| allowance.at_a_time == 0)
    }

    /// Whether it is switched off, or waits for a later time.
    fn is_held(&self, now: Timestamp) -> bool {
        let rests = matches!(self.place, Place::Resting(until) if is_rest(until, now));
        let waits = |allowance: Allowance| is_rest(allowance.not_before, now);
        self.is_off() || rests || self.allowance.is_some_and(waits)
    }

    /// Until when it gets nothing by this, if so: a time to wait for, or its rate.
    fn rests_until(
        &mut self,
        allowance: Allowance,
        began: Timestamp,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if is_rest(allowance.not_before, now) {
            return Some(allowance.not_before);
        }
        let rate = allowance.rate?;
        self.paid.get_or_insert_with(|| Paid::but_one(rate, began)).waits_until(rate, now)
    }
}
