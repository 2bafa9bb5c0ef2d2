//! The works of one kind: what is ready by group, what waits for a time, what is in flight.
//!
//! Pure. Groups (sources, handlers, endpoints) take turns, so that a long queue of one delays no
//! other, and none has more in flight than it may. A group that may have no more stands aside and
//! is not looked at again until that changes. Within a group it is first come, first served.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::Entry;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::stats::KindStats;

/// What one group may have in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Works at a time. Zero switches the group off.
    pub at_a_time: usize,
    /// Nothing is taken before this time; zero is at once.
    pub not_before: Timestamp,
    /// Slots that each of its works takes, out of those of all groups.
    pub slots: usize,
    /// Whether it may take more than the half of all slots that is for those that are not trusted.
    pub is_trusted: bool,
}

/// What one take may have, and what all that is in flight may.
#[derive(Clone, Copy)]
pub(in crate::store) struct Room<'a> {
    /// Most works of this take.
    pub(in crate::store) works: usize,
    /// Most works at a time of a group that has no allowance of its own.
    pub(in crate::store) each: &'a dyn Fn(&Name) -> usize,
    /// Slots of all that is in flight.
    pub(in crate::store) slots: usize,
}

/// One kind of work.
#[derive(Debug, Default)]
pub(super) struct Queue {
    groups: Vec<Group>,
    by_name: HashMap<Name, u32>,
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
    /// What waits for a time, by that and position.
    timers: BTreeMap<(Timestamp, u64), (u32, Entry)>,
    /// How many works wait behind another of their subject.
    blocked: usize,
    slots_taken: usize,
    /// By groups that are not trusted.
    slots_untrusted: usize,
}

#[derive(Debug)]
struct Group {
    name: Name,
    ready: VecDeque<Entry>,
    /// How many of these were given back: they are in front.
    given_back: usize,
    in_flight: usize,
    slots_taken: usize,
    /// How many of its works wait for a time.
    timed: usize,
    allowance: Option<Allowance>,
    place: Place,
    /// Whether it was switched off when it was asked for last.
    is_off: bool,
    /// Whether it goes with its last work.
    is_forgotten: bool,
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
            ready: VecDeque::new(),
            given_back: 0,
            in_flight: 0,
            slots_taken: 0,
            timed: 0,
            allowance: None,
            place: Place::Aside,
            is_off: false,
            is_forgotten: false,
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

    /// Says what a group may have in flight from now on; whether it has a turn by that.
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
        if let Place::Resting(until) = group.place {
            self.resting.remove(&(until, number));
        }
        if group.place != Place::Turn {
            group.place = Place::Aside;
        }
        self.take_turn(number)
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
        let is_empty = group.ready.is_empty() && group.in_flight == 0 && group.timed == 0;
        if group.is_forgotten && is_empty && group.place == Place::Aside {
            self.by_name.remove(&group.name);
            group.is_forgotten = false;
            self.free.push(number);
        }
    }

    /// Adds a work that may go at `due`; zero is at once.
    pub(super) fn push(&mut self, group: u32, entry: Entry, due: Timestamp) {
        if due == Timestamp(0) {
            self.groups[group as usize].ready.push_back(entry);
            self.take_turn(group);
        } else {
            self.groups[group as usize].timed += 1;
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
            self.groups[group as usize].timed -= 1;
            self.push(group, entry, Timestamp(0));
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
            self.groups[group as usize].timed -= 1;
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
                }
                Ok(None) => (),
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
        let group = &mut self.groups[number as usize];
        let each = || Allowance::of((room.each)(&group.name));
        let allowance = group.allowance.unwrap_or_else(each);
        group.is_off = allowance.at_a_time == 0;
        if group.ready.is_empty() || group.in_flight >= allowance.at_a_time {
            if group.allowance.is_none() && !group.ready.is_empty() {
                group.place = Place::Asked;
                self.asked.push(number);
            }
            return Ok(None);
        }
        if is_rest(allowance.not_before, now) {
            group.place = Place::Resting(allowance.not_before);
            self.resting.insert((allowance.not_before, number));
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
        let Some(entry) = group.ready.pop_front() else { return Ok(None) };
        group.given_back = group.given_back.saturating_sub(1);
        group.in_flight += 1;
        group.slots_taken += slots;
        self.slots_taken += slots;
        if !allowance.is_trusted {
            self.slots_untrusted += slots;
        }
        Ok(Some((entry, slots)))
    }

    /// Puts a work in flight back in front. What was taken together may come back in any order, and
    /// goes again in its own.
    pub(super) fn give_back(&mut self, number: u32, entry: Entry, slots: usize) {
        let group = &mut self.groups[number as usize];
        let mut given_back = group.ready.range(..group.given_back);
        let older = given_back.rposition(|other| other.position < entry.position);
        group.ready.insert(older.map_or(0, |older| older + 1), entry);
        group.given_back += 1;
        self.release(number, slots);
    }

    /// A work is no longer in flight. What follows it is pushed before.
    pub(super) fn release(&mut self, number: u32, slots: usize) {
        let group = &mut self.groups[number as usize];
        group.in_flight = group.in_flight.checked_sub(1).expect("a work is released once");
        group.slots_taken -= slots;
        self.slots_taken -= slots;
        if !group.is_trusted() {
            self.slots_untrusted -= slots;
        }
        self.take_turn(number);
        self.let_in();
        self.remove_if_done(number);
    }

    /// Gives a turn to the first of those that wait for slots; whether there was one.
    fn let_in(&mut self) -> bool {
        while let Some(number) = self.crowded.pop_front() {
            let group = &mut self.groups[number as usize];
            if group.place == Place::Crowded {
                group.place = Place::Aside;
                self.take_turn(number);
                return true;
            }
        }
        false
    }

    /// Groups may get another allowance now than at the last take: until the next take none counts
    /// as switched off.
    pub(super) fn ask_again(&mut self) {
        for number in &self.asked {
            self.groups[*number as usize].is_off = false;
        }
    }

    pub(super) fn block(&mut self) {
        self.blocked += 1;
    }

    pub(super) fn unblock(&mut self) {
        self.blocked -= 1;
    }

    /// When the next timer is due, or the next group may go.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let timer = self.timers.keys().next().map(|(due, _)| *due);
        let rested = self.resting.first().map(|(until, _)| *until);
        timer.into_iter().chain(rested).min()
    }

    /// Whether nothing is in flight and nothing could be taken at `now`.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        // Whatever is in flight has slots: while any are taken, there is no need to look at all the
        // groups, of which there may be ten thousand.
        self.slots_taken == 0
            && self.next_due().is_none_or(|due| due > now)
            && !self.groups.iter().any(|group| group.could_be_taken(now))
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

impl<'a> Room<'a> {
    /// For what takes no slots.
    pub(in crate::store) fn of(works: usize, each: &'a dyn Fn(&Name) -> usize) -> Self {
        Self { works, each, slots: usize::MAX }
    }
}

impl Allowance {
    /// So many at a time, and nothing else that holds them back.
    pub fn of(at_a_time: usize) -> Self {
        Self { at_a_time, not_before: Timestamp(0), slots: 1, is_trusted: true }
    }
}

impl Group {
    fn is_trusted(&self) -> bool {
        self.allowance.is_none_or(|allowance| allowance.is_trusted)
    }

    /// Whether something is ready that is neither switched off nor waits for a later time.
    fn could_be_taken(&self, now: Timestamp) -> bool {
        let held =
            |allowance: Allowance| allowance.at_a_time == 0 || is_rest(allowance.not_before, now);
        let is_held = self.allowance.map_or(self.is_off, held);
        !self.ready.is_empty() && !is_held
    }
}
