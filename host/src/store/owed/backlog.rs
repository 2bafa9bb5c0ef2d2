//! What is owed now: the works that may be taken, and the ones that wait their turn.
//!
//! Pure and in memory: rebuilt from the log at every start, changed only by what was committed, and
//! by leases. Of what is owed for long only a window is in memory, and the rest is counted: others
//! read it in the rows of the file, and bring it. Knows positions and names, never what stands
//! there.

mod ending;
mod entry;
mod lengths;
mod order;
mod queue;
mod reopened;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(in crate::store) use entry::{Entry, OpenWork, Tries};
pub(in crate::store) use order::{OrderKey, OrderKeys};
pub use queue::Allowance;
pub(in crate::store) use queue::{Most, Room, Wanted};
pub use window::Windows;
pub(in crate::store) use window::{FarWork, Key, When};

use self::order::SubjectOrder;
use self::queue::{Phase, Queue};
use self::reopened::Reopened;
use self::window::{Entering, Found};
use crate::endpoint::Order;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::kind::{PerKind, WorkKind};
use crate::store::owed::tally::count::Count;
use crate::store::owed::tally::{Marks, Tallies};
use crate::store::stats::KindStats;

/// A work in flight: until it is given back, tried or finished.
#[derive(Debug)]
pub(in crate::store) struct InFlight {
    pub(in crate::store) kind: WorkKind,
    pub(in crate::store) entry: Entry,
    group: u32,
    phase: Phase,
}

/// All that is owed.
#[derive(Debug)]
pub(in crate::store) struct Backlog {
    queues: PerKind<Queue>,
    /// How many are open, of each source.
    count: Count,
    order: SubjectOrder,
    dead: PerKind<u64>,
    /// Those that were opened again, as far as they are known.
    reopened: Reopened,
    /// Works that can't be done, because their record is damaged.
    parked: PerKind<usize>,
    /// No try waits longer than this: a clock that was ahead may have said so.
    longest_delay: Option<Duration>,
}

/// What was read of a lane.
#[derive(Debug)]
pub(in crate::store) struct LaneRead {
    /// The number of its group.
    pub(in crate::store) number: u32,
    /// All works from where it was to begin.
    pub(in crate::store) works: Vec<FarWork>,
    /// The key of the next; `None` at the end of the lane.
    pub(in crate::store) until: Option<Key>,
    /// At a start: the runs that wait for a retry. They come into memory in any case.
    pub(in crate::store) waiting: Vec<FarWork>,
}

impl Default for Backlog {
    fn default() -> Self {
        Self::new(Windows::default())
    }
}

impl Backlog {
    /// One with nothing in it, of which so much is in memory.
    pub(in crate::store) fn new(windows: Windows) -> Self {
        let mut queues = PerKind::<Queue>::default();
        for kind in WorkKind::ALL {
            queues[kind].set_windows(windows, kind == WorkKind::Run);
        }
        Self {
            queues,
            count: Count::default(),
            order: SubjectOrder::default(),
            dead: PerKind::default(),
            reopened: Reopened::default(),
            parked: PerKind::default(),
            longest_delay: None,
        }
    }

    /// Adds an open work behind those that are there.
    pub(in crate::store) fn push(&mut self, work: OpenWork) {
        let OpenWork { kind, group, mut entry, due, since, root } = work;
        entry.source = self.count.number(root.as_ref());
        self.count.opened(entry.source, kind);
        let number = self.queues[kind].group(&group);
        self.reopened.add((kind, number), entry);
        self.join(kind, number, entry, When { since, due });
    }

    /// A work that is counted stays in memory, or waits beyond the window.
    fn join(&mut self, kind: WorkKind, number: u32, entry: Entry, when: When) {
        if self.queues[kind].admit(number, entry, when) {
            self.enter(kind, number, entry, when);
        }
    }

    /// A work that is counted comes into memory, and waits for its turn there.
    fn enter(&mut self, kind: WorkKind, number: u32, entry: Entry, when: When) {
        let queue = &mut self.queues[kind];
        if self.order.enter(entry, when) {
            queue.enter(number, entry, when);
        } else {
            queue.block(number, entry, when);
        }
    }

    /// Adds open works that a start found on disk only, which go back to this source.
    pub(in crate::store) fn add_far(
        &mut self,
        (kind, group): (WorkKind, &Name),
        root: Option<&Name>,
        (ready, waiting): (usize, usize),
    ) {
        let source = self.count.number(root);
        self.count.opened_many(source, kind, ready + waiting);
        let queue = &mut self.queues[kind];
        let number = queue.group(group);
        queue.add_far(number, ready, waiting);
    }

    /// The deliveries to an endpoint go in this order.
    pub(in crate::store) fn set_order(&mut self, endpoint: &Name, order: Order) {
        let queue = &mut self.queues[WorkKind::Delivery];
        let number = queue.group(endpoint);
        queue.set_order(number, order);
    }

    /// The store has counted so far: what is due by then is ready in its order.
    pub(in crate::store) fn seen(&mut self, counted: Timestamp) {
        WorkKind::ALL.into_iter().for_each(|kind| self.queues[kind].seen(counted));
    }

    /// No work is ready that may be tried since later than this.
    pub(in crate::store) fn latest(&self) -> Timestamp {
        let latest = self.queues.values().map(Queue::latest).max();
        latest.unwrap_or_default()
    }

    /// Works before this position have rows from now on.
    pub(in crate::store) fn set_mark(&mut self, mark: u64) {
        WorkKind::ALL.into_iter().for_each(|kind| self.queues[kind].set_mark(mark));
    }

    /// How many works are in memory behind their windows, because they have no rows.
    pub(in crate::store) fn aside(&self) -> usize {
        self.queues.values().map(Queue::aside).sum()
    }

    /// An open work has a row from now on, under this key.
    pub(in crate::store) fn passed(&mut self, kind: WorkKind, group: &Name, key: Key) {
        self.queues[kind].passed(group, key);
    }

    /// Whether works of this kind are to be read, because few are in memory.
    pub(in crate::store) fn is_low(&self, kind: WorkKind) -> bool {
        self.queues[kind].is_low()
    }

    /// What to read of them. From now on all of it counts as being read: each lane is to be filled,
    /// or given up.
    pub(in crate::store) fn begin_read(&mut self, kind: WorkKind, most: Most) -> Vec<Wanted> {
        self.queues[kind].begin_read(most)
    }

    /// Nothing came of the reading of a lane.
    pub(in crate::store) fn give_up_read(&mut self, kind: WorkKind, number: u32) {
        self.queues[kind].give_up_read(number);
    }

    /// What was read of a lane comes into memory, if it is still owed as it was read. One that is
    /// not what its row says is out of everybody's way.
    pub(in crate::store) fn fill(&mut self, kind: WorkKind, read: LaneRead) {
        let number = read.number;
        let entering = self.queues[kind].fill(read);
        self.enter_all(kind, number, entering);
        self.judge();
    }

    fn enter_all(&mut self, kind: WorkKind, number: u32, entering: Vec<Entering>) {
        for entering in entering {
            let FarWork { key, waits, root, work } = match entering {
                Entering::Far(far) => far,
                Entering::Later { key, entry, due } => {
                    self.enter(kind, number, entry, When { since: key.0, due });
                    continue;
                }
            };
            let source = self.count.number(root.as_ref());
            match work {
                Some((entry, due)) => {
                    // Nobody knows what one waits for whose record can't be read. All the same its
                    // key is no sign of how far the works have come that may go at once.
                    let due = if waits { due.max(Timestamp(1)) } else { due };
                    let when = When { since: key.0, due };
                    self.reopened.add((kind, number), entry);
                    self.enter(kind, number, Entry { source, ..entry }, when);
                }
                None => {
                    self.queues[kind].bars(number, key.1);
                    self.reopened.remove((kind, number), key.1);
                    self.count.closed(source, kind);
                    self.parked[kind] += 1;
                }
            }
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
        let mut taken = Vec::new();
        loop {
            self.fill_short(kind);
            let queue = &mut self.queues[kind];
            queue.wake(now);
            let works = room.works - taken.len();
            let more = queue.take(Room { works, ..room }, now);
            let is_last = more.is_empty() || more.len() == works || !queue.is_short();
            let in_flight = |(group, entry, slots)| {
                let phase = Phase::AtWork { slots, at: now };
                InFlight { kind, entry, group, phase }
            };
            taken.extend(more.into_iter().map(in_flight));
            if is_last {
                return taken;
            }
        }
    }

    /// Lanes of which little is ready take in what waits in memory.
    fn fill_short(&mut self, kind: WorkKind) {
        while let Some((number, entering)) = self.queues[kind].fill_short() {
            self.enter_all(kind, number, entering);
        }
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

    /// Room for so many outcomes of each kind from now on, beside the works in slots.
    pub(in crate::store) fn set_uncommitted(&mut self, most: usize) {
        WorkKind::ALL.into_iter().for_each(|kind| self.queues[kind].set_uncommitted(most));
    }

    /// The try of a work in flight has ended, whose outcome has so many bytes: it frees its slots,
    /// if there is room for that. Whether another may be taken by that.
    pub(in crate::store) fn end_try(&mut self, taken: &mut InFlight, bytes: usize) -> bool {
        self.queues[taken.kind].end_try(taken, bytes)
    }

    /// Whether works of this kind have freed their slots whose outcomes are not committed.
    pub(in crate::store) fn has_uncommitted(&self, kind: WorkKind) -> bool {
        self.queues[kind].has_uncommitted()
    }

    /// Takes a work back as if it had never been taken.
    pub(in crate::store) fn give_back(&mut self, taken: &InFlight) {
        if let Phase::OutOfTurn { blocked: Some(key) } = taken.phase {
            return self.block_again(taken, key);
        }
        let queue = &mut self.queues[taken.kind];
        queue.give_back(taken.group, taken.entry, taken.phase);
    }

    /// A work in flight was tried and waits for another try. What is behind it waits too.
    pub(in crate::store) fn retry(&mut self, taken: &InFlight, when: When) {
        let InFlight { kind, entry, group, phase } = *taken;
        let queue = &mut self.queues[kind];
        let entry = Entry { tries: entry.tries.and_one(), ..entry };
        queue.leave(group, entry.position);
        let lets_pass = queue.lets_pass(group, entry);
        if lets_pass {
            self.let_next_go(kind, group, entry);
        }
        let queue = &mut self.queues[kind];
        let entry = Entry { order: entry.order.filter(|_| !lets_pass), ..entry };
        // A run stays in memory: those of its subject wait behind it.
        if kind == WorkKind::Run || entry.order.is_some() || queue.admit(group, entry, when) {
            queue.enter(group, entry, when);
        }
        queue.release(group, phase);
        self.reopened.fail((kind, group), entry.position);
        self.count.touch(entry.source);
    }

    /// A work in flight is done or dead: the next in its order may go.
    pub(in crate::store) fn finish(&mut self, taken: &InFlight) {
        self.queues[taken.kind].leave(taken.group, taken.entry.position);
        self.end(taken);
    }

    fn end(&mut self, taken: &InFlight) {
        self.let_next_go(taken.kind, taken.group, taken.entry);
        self.queues[taken.kind].release(taken.group, taken.phase);
        self.count.closed(taken.entry.source, taken.kind);
        self.reopened.remove((taken.kind, taken.group), taken.entry.position);
    }

    /// A work goes in no order any more: the next of its subject may go.
    fn let_next_go(&mut self, kind: WorkKind, group: u32, entry: Entry) {
        if let Some((next, when)) = self.order.leave(entry) {
            let queue = &mut self.queues[kind];
            queue.unblock(group);
            // An order key belongs to one handler, or to one endpoint.
            queue.enter(group, next, when);
        }
    }

    /// A work in flight can't be done before a restart: it is out of everybody's way.
    pub(in crate::store) fn park(&mut self, taken: &InFlight) {
        // Its row stays, and must not bring it again.
        self.queues[taken.kind].bars(taken.group, taken.entry.position);
        self.end(taken);
        self.parked[taken.kind] += 1;
        self.judge();
    }

    /// A work that waits for a time may go at once, and has its place by that from now on. It
    /// waited since `before`, if that is known.
    pub(in crate::store) fn hasten(&mut self, work: &OpenWork, before: Option<Timestamp>) {
        let OpenWork { kind, group, entry, since, root, .. } = work;
        let (kind, entry, now) = (*kind, *entry, When::at_once(*since));
        let key = now.key(entry.position);
        let queue = &mut self.queues[kind];
        let number = queue.group(group);
        if self.order.hasten(entry, now) {
            return queue.keeps(number, key);
        }
        let Some(before) = before.map(|before| (before, entry.position)) else {
            return queue.keeps(number, key);
        };
        if let Some(stopped) = queue.stop(number, before) {
            queue.leave(number, entry.position);
            let stays = kind == WorkKind::Run || stopped.order.is_some();
            if stays || queue.admit(number, stopped, now) {
                queue.enter(number, stopped, now);
            }
            return;
        }
        // A run that waited for a retry is in memory, whatever its key.
        if kind == WorkKind::Run {
            return queue.keeps(number, key);
        }
        match queue.find(number, before) {
            Found::Later(entry) => self.join(kind, number, entry, now),
            Found::Far => {
                let source = self.count.number(root.as_ref());
                self.join(kind, number, Entry { source, ..entry }, now);
            }
            // It is ready already, or in flight.
            Found::Here => queue.keeps(number, key),
        }
    }

    /// No try waits longer than this from now on, whatever was said before.
    pub(in crate::store) fn bound_delays(&mut self, longest: Duration) {
        self.longest_delay = Some(longest);
    }

    /// About how many works of a group may be tried at once or are in flight, and never fewer than
    /// there are.
    pub(in crate::store) fn due(&self, kind: WorkKind, group: &Name) -> usize {
        self.queues[kind].due(group)
    }

    /// When the next work of this kind that waits for a time is due.
    pub(in crate::store) fn next_due(&self, kind: WorkKind) -> Option<Timestamp> {
        self.queues[kind].next_due()
    }

    /// Whether nothing is in flight and nothing could be taken at `now`, nor read and then be.
    pub(in crate::store) fn is_idle(&self, now: Timestamp) -> bool {
        self.queues.values().all(|queue| queue.is_idle(now))
    }

    /// More works of each kind are dead, or fewer.
    pub(in crate::store) fn count_dead(&mut self, more: PerKind<i64>) {
        for kind in WorkKind::ALL {
            self.dead[kind] = self.dead[kind].saturating_add_signed(more[kind]);
        }
    }

    /// Groups of this kind without an allowance of their own may get another one now than at the
    /// last take: until the next none of them counts as switched off.
    pub(in crate::store) fn ask_again(&mut self, kind: WorkKind) {
        self.queues[kind].ask_again();
    }

    /// How many works may be open from now on before that shows in [`Backlog::tallies`].
    pub(in crate::store) fn set_marks(&mut self, marks: Marks) {
        self.note_unparsed();
        if self.count.set_marks(marks) {
            self.queues[WorkKind::Parse].ask_again();
        }
    }

    /// Holds the open works against the marks, once all is pushed and finished that is committed
    /// together. Lanes of which little is ready take in what waits in memory.
    pub(in crate::store) fn judge(&mut self) {
        WorkKind::ALL.into_iter().for_each(|kind| self.fill_short(kind));
        self.note_unparsed();
        if self.count.judge() {
            self.queues[WorkKind::Parse].ask_again();
        }
    }

    /// Says how many receipts may be parsed now, of the sources of which something was counted.
    fn note_unparsed(&self) {
        let parses = &self.queues[WorkKind::Parse];
        self.count.note_unparsed(|source| parses.due(source));
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
impl Backlog {
    /// How many works are in memory and not in flight.
    pub(in crate::store) fn in_memory(&self) -> usize {
        self.queues.values().map(Queue::in_memory).sum()
    }
}

#[cfg(test)]
mod tests;
