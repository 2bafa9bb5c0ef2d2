//! What is owed now: the works that may be taken, and the ones that wait their turn.
//!
//! Pure and in memory: rebuilt from the log at every start, changed only by what was committed, and
//! by leases. Knows positions and names, never what stands there.

mod order;
mod queue;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(in crate::store) use order::{OrderKey, OrderKeys};
pub use queue::Allowance;
pub(in crate::store) use queue::Room;

use self::order::SubjectOrder;
use self::queue::Queue;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::kind::{PerKind, WorkKind};
use crate::store::owed::tally::count::{Count, SourceNumber};
use crate::store::owed::tally::{Marks, Tallies};
use crate::store::stats::KindStats;

/// A work in the backlog; small, because a backlog may hold millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Entry {
    pub(in crate::store) position: u64,
    /// How far it stands behind the record that it works on.
    pub(in crate::store) offset: u32,
    pub(in crate::store) tries: Tries,
    /// The source that it goes back to; known once it has joined the backlog.
    pub(in crate::store) source: SourceNumber,
    /// What it must go in order with.
    pub(in crate::store) order: Option<OrderKey>,
}

/// How often a work was tried since it was opened, and whether it was opened again. In one number,
/// for an entry is small: no schedule has more than a hundred tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::store) struct Tries(u16);

/// Says of tries that the work was opened again.
const REOPENED: u16 = 1 << 15;

impl Tries {
    pub(in crate::store) fn new(made: u32, reopened: bool) -> Self {
        let made = u16::try_from(made).unwrap_or(u16::MAX).min(!REOPENED);
        Self(made | if reopened { REOPENED } else { 0 })
    }

    pub(in crate::store) fn made(self) -> u32 {
        u32::from(self.0 & !REOPENED)
    }

    pub(in crate::store) fn reopened(self) -> bool {
        self.0 & REOPENED != 0
    }

    fn and_one(self) -> Self {
        Self::new(self.made().saturating_add(1), self.reopened())
    }
}

/// An open work, as it joins the backlog.
#[derive(Debug, Clone)]
pub(in crate::store) struct OpenWork {
    pub(in crate::store) kind: WorkKind,
    /// Its source, handler or endpoint: what limits and fairness go by.
    pub(in crate::store) group: Name,
    pub(in crate::store) entry: Entry,
    /// Not before this time; zero is at once.
    pub(in crate::store) due: Timestamp,
    /// The source whose receipt it goes back to, if that is known.
    pub(in crate::store) root: Option<Name>,
}

/// A work in flight: until it is given back, tried or finished.
#[derive(Debug)]
pub(in crate::store) struct InFlight {
    pub(in crate::store) kind: WorkKind,
    pub(in crate::store) entry: Entry,
    group: u32,
    slots: usize,
}

/// All that is owed.
#[derive(Debug, Default)]
pub(in crate::store) struct Backlog {
    queues: PerKind<Queue>,
    /// How many are open, of each source.
    count: Count,
    order: SubjectOrder,
    dead: PerKind<u64>,
    /// Works that can't be done, because their record is damaged.
    parked: PerKind<usize>,
    /// No try waits longer than this: a clock that was ahead may have said so.
    longest_delay: Option<Duration>,
}

impl Backlog {
    /// Adds an open work behind those that are there.
    pub(in crate::store) fn push(&mut self, work: OpenWork) {
        let OpenWork { kind, group, mut entry, due, root } = work;
        entry.source = self.count.number(root.as_ref());
        self.count.opened(entry.source, kind);
        let queue = &mut self.queues[kind];
        let group = queue.group(&group);
        if self.order.enter(entry, due) {
            queue.push(group, entry, due);
        } else {
            queue.block();
        }
    }

    /// Takes works that are due at `now` as far as there is room, in turn from every group that may
    /// have more in flight.
    pub(in crate::store) fn take(
        &mut self,
        kind: WorkKind,
        room: Room<'_>,
        now: Timestamp,
    ) -> Vec<InFlight> {
        let queue = &mut self.queues[kind];
        if let Some(longest) = self.longest_delay {
            queue.pull_forward(now.after(longest));
        }
        queue.wake(now);
        let taken = queue.take(room, now).into_iter();
        taken.map(|(group, entry, slots)| InFlight { kind, entry, group, slots }).collect()
    }

    /// Says what a group may have in flight; whether something may be taken by that.
    pub(in crate::store) fn allow(
        &mut self,
        kind: WorkKind,
        group: &Name,
        allowance: Allowance,
    ) -> bool {
        self.queues[kind].allow(group, allowance)
    }

    /// The name of the group of a work in flight.
    pub(in crate::store) fn group_of(&self, taken: &InFlight) -> Name {
        self.queues[taken.kind].name(taken.group)
    }

    /// A group's name is not used any more.
    pub(in crate::store) fn forget(&mut self, kind: WorkKind, group: &Name) {
        self.queues[kind].forget(group);
    }

    /// Takes a work back as if it had never been taken.
    pub(in crate::store) fn give_back(&mut self, taken: &InFlight) {
        let queue = &mut self.queues[taken.kind];
        queue.give_back(taken.group, taken.entry, taken.slots);
    }

    /// A work in flight was tried and waits for another try. What is behind it waits too.
    pub(in crate::store) fn retry(&mut self, taken: &InFlight, due: Timestamp) {
        let InFlight { kind, entry, group, slots } = *taken;
        let queue = &mut self.queues[kind];
        let tries = entry.tries.and_one();
        queue.push(group, Entry { tries, ..entry }, due);
        queue.release(group, slots);
    }

    /// A work in flight is done or dead: the next in its order may go.
    pub(in crate::store) fn finish(&mut self, taken: &InFlight) {
        let queue = &mut self.queues[taken.kind];
        if let Some((next, due)) = self.order.leave(taken.entry) {
            queue.unblock();
            // Only runs have an order, and an order key belongs to one handler.
            queue.push(taken.group, next, due);
        }
        queue.release(taken.group, taken.slots);
        self.count.closed(taken.entry.source, taken.kind);
    }

    /// A work in flight can't be done before a restart: it is out of everybody's way.
    pub(in crate::store) fn park(&mut self, taken: &InFlight) {
        self.finish(taken);
        self.parked[taken.kind] += 1;
        self.judge();
    }

    /// A work that waits for this time may go at once.
    pub(in crate::store) fn hasten(&mut self, work: &OpenWork, due: Timestamp) {
        if !self.order.hasten(work.entry) {
            self.queues[work.kind].hasten(work.entry.position, due);
        }
    }

    /// No try waits longer than this from now on, whatever was said before.
    pub(in crate::store) fn bound_delays(&mut self, longest: Duration) {
        self.longest_delay = Some(longest);
    }

    /// When the next work of this kind that waits for a time is due.
    pub(in crate::store) fn next_due(&self, kind: WorkKind) -> Option<Timestamp> {
        self.queues[kind].next_due()
    }

    /// Whether nothing is in flight and nothing could be taken at `now`.
    pub(in crate::store) fn is_idle(&self, now: Timestamp) -> bool {
        self.queues.values().all(|queue| queue.is_idle(now))
    }

    /// More works of each kind are dead, or fewer.
    pub(in crate::store) fn count_dead(&mut self, more: PerKind<i64>) {
        for kind in WorkKind::ALL {
            self.dead[kind] = self.dead[kind].saturating_add_signed(more[kind]);
        }
    }

    /// How many works may be open from now on before that shows in [`Backlog::tallies`].
    pub(in crate::store) fn set_marks(&mut self, marks: Marks) {
        if self.count.set_marks(marks) {
            self.queues[WorkKind::Parse].ask_again();
        }
    }

    /// Holds the open works against the marks, once all is pushed and finished that is committed
    /// together.
    pub(in crate::store) fn judge(&mut self) {
        if self.count.judge() {
            self.queues[WorkKind::Parse].ask_again();
        }
    }

    /// How many works are open, for whoever does not hold the backlog's lock.
    pub(in crate::store) fn tallies(&self) -> &Arc<Tallies> {
        self.count.tallies()
    }

    /// How many works of each kind there are.
    pub(in crate::store) fn stats(&self) -> BTreeMap<WorkKind, KindStats> {
        let stats = |kind: WorkKind| {
            let counted = self.queues[kind].stats();
            (kind, KindStats { dead: self.dead[kind], parked: self.parked[kind], ..counted })
        };
        WorkKind::ALL.into_iter().map(stats).collect()
    }
}

#[cfg(test)]
mod tests;
