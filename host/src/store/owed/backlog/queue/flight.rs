//! What is in flight: works in slots, and works whose try has ended and whose outcome is on its way
//! to the disk.
//!
//! Pure. The latter take no slots: how many are worked on at a time does not depend on how fast the
//! disk is. There are places for a bounded number of outcomes, of which a group has no more than it
//! leaves to all others; a work that finds none keeps its slots until it is committed. So a crash
//! repeats no more than what is in slots and in places. Never knows an outcome.

use super::super::{InFlight, OrderKey};
use super::{Entry, Place, Queue};
use crate::event::Timestamp;

/// Bytes of an outcome that one place stands for.
const PLACE_BYTES: usize = 64 * 1024;

/// What a work in flight takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::owed::backlog) enum Phase {
    /// Somebody works on it, who took it at this time.
    AtWork { slots: usize, at: Timestamp },
    /// Its try has ended, and its outcome is not committed.
    Ended { places: usize },
    /// It ends without a try. It may have waited behind another in this order.
    OutOfTurn { blocked: Option<OrderKey> },
}

/// The outcomes that are not committed and take no slots.
#[derive(Debug, Default)]
pub(super) struct Uncommitted {
    most: usize,
    places: usize,
}

impl Uncommitted {
    pub(super) fn is_empty(&self) -> bool {
        self.places == 0
    }

    /// Whether a group may have so many places in all: no more than it leaves to all others, so
    /// that there is always one for another group.
    fn has_room(&self, places: usize) -> bool {
        places <= self.most.saturating_sub(self.places)
    }
}

impl InFlight {
    /// Whether it takes no slots any more.
    pub(in crate::store) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }
}

impl Queue {
    /// So many places there are from now on.
    pub(in crate::store::owed::backlog) fn set_uncommitted(&mut self, most: usize) {
        self.uncommitted.most = most;
    }

    /// Whether there are outcomes that are not committed and take no slots.
    pub(in crate::store::owed::backlog) fn has_uncommitted(&self) -> bool {
        !self.uncommitted.is_empty()
    }

    /// The try of a work has ended: if there is room for its outcome, it frees its slots. Whether
    /// another may be taken by that.
    pub(in crate::store::owed::backlog) fn end_try(
        &mut self,
        taken: &mut InFlight,
        bytes: usize,
    ) -> bool {
        let Phase::AtWork { slots, .. } = taken.phase else { return false };
        let places = 1 + bytes / PLACE_BYTES;
        let group = &mut self.groups[taken.group as usize];
        if !self.uncommitted.has_room(group.uncommitted + places) {
            return false;
        }
        group.uncommitted += places;
        self.uncommitted.places += places;
        taken.phase = Phase::Ended { places };
        self.free(taken.group, slots);
        self.may_give()
    }

    /// Puts a work in flight back in front.
    pub(in crate::store::owed::backlog) fn give_back(
        &mut self,
        number: u32,
        entry: Entry,
        phase: Phase,
    ) {
        self.groups[number as usize].ready.give_back(entry);
        self.lanes.ready += 1;
        self.pay_back(number, phase);
        self.release(number, phase);
    }

    /// A work was taken and not tried: another may go in its place.
    fn pay_back(&mut self, number: u32, phase: Phase) {
        let group = &mut self.groups[number as usize];
        let rate = group.allowance.and_then(|allowance| allowance.rate);
        if let (Phase::AtWork { at, .. }, Some(rate), Some(paid)) = (phase, rate, &mut group.paid) {
            paid.give_back(rate, at);
            self.end_rest(number);
        }
    }

    /// A work is no longer in flight. What follows it is pushed before.
    pub(in crate::store::owed::backlog) fn release(&mut self, number: u32, phase: Phase) {
        let group = &mut self.groups[number as usize];
        group.in_flight = group.in_flight.checked_sub(1).expect("a work is released once");
        match phase {
            Phase::AtWork { slots, .. } => self.free(number, slots),
            Phase::Ended { places } => {
                group.uncommitted -= places;
                self.uncommitted.places -= places;
                self.take_turn(number);
            }
            Phase::OutOfTurn { .. } => {
                self.take_turn(number);
            }
        }
        self.weigh(number);
        self.remove_if_done(number);
    }

    /// A work of this group is in slots no longer.
    fn free(&mut self, number: u32, slots: usize) {
        let group = &mut self.groups[number as usize];
        group.at_work -= 1;
        group.slots_taken -= slots;
        self.slots_taken -= slots;
        if !group.is_trusted() {
            self.slots_untrusted -= slots;
        }
        self.take_turn(number);
        self.let_in();
    }

    /// Gives a turn to the first of those that wait for slots; whether there was one.
    pub(super) fn let_in(&mut self) -> bool {
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

    /// Whether a take may give something, as far as is known.
    fn may_give(&self) -> bool {
        let is_on = |number: &u32| !self.groups[*number as usize].is_off();
        !self.turns.is_empty() || self.asked.iter().any(is_on)
    }
}
