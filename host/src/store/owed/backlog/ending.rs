//! Works that end without a try: their endpoint is gone, or too many wait for it.
//!
//! Pure. Whoever ends them takes them first, so that nobody else works on them meanwhile; they take
//! no slots. Those in flight are left, and those on disk come when their lane has been read for
//! this. Never says why they end.

use super::order::OrderKey;
use super::queue::Phase;
use super::window::When;
use super::{Backlog, Entry, InFlight, OpenWork};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::kind::WorkKind;

impl Backlog {
    /// Takes up to `most` works of a group that wait, for whoever ends them: about the oldest, and
    /// none of the last `keep`. Whether more are to end then.
    pub(in crate::store) fn end_group(
        &mut self,
        (kind, group): (WorkKind, &Name),
        keep: usize,
        most: usize,
    ) -> (Vec<InFlight>, bool) {
        let Some(number) = self.queues[kind].number(group) else { return (Vec::new(), false) };
        let left = self.queues[kind].waiting(number).saturating_sub(keep);
        // It may be switched off: then nothing else has it read.
        self.queues[kind].set_ending(number, left > 0);
        let most = most.min(left);
        let drawn = |entry: Entry, blocked: Option<OrderKey>| {
            let phase = Phase::OutOfTurn { blocked };
            InFlight { kind, entry, group: number, phase }
        };
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(entry) = self.draw(kind, number) else { break };
            taken.push(drawn(entry, None));
            if let Some(key) = entry.order {
                let behind = self.order.draw(key, most - taken.len());
                self.queues[kind].draw_blocked(number, behind.len());
                taken.extend(behind.into_iter().map(|entry| drawn(entry, Some(key))));
            }
        }
        let is_more = left > taken.len();
        self.queues[kind].set_ending(number, is_more);
        (taken, is_more)
    }

    /// Whether more of a group comes into memory by itself, where whoever ends works finds none.
    /// What waits behind one in flight does not.
    pub(in crate::store) fn is_coming(&self, (kind, group): (WorkKind, &Name)) -> bool {
        let queue = &self.queues[kind];
        queue.number(group).is_some_and(|number| queue.is_coming(number))
    }

    /// Takes one work that waits, wherever that is, for whoever ends it; `None` if somebody works
    /// on it. Its row, if it has one, says that it waits since `row`.
    pub(in crate::store) fn take_out(
        &mut self,
        work: &OpenWork,
        row: Option<Timestamp>,
    ) -> Option<InFlight> {
        let OpenWork { kind, group, entry: named, due, root, .. } = work;
        let (kind, position) = (*kind, named.position);
        let number = self.queues[kind].number(group)?;
        let taken = |entry: Entry, blocked: Option<OrderKey>| {
            let phase = Phase::OutOfTurn { blocked };
            InFlight { kind, entry, group: number, phase }
        };
        if let Some((entry, blocked)) = self.queues[kind].take_out(number, position) {
            return Some(taken(entry, blocked));
        }
        if self.queues[kind].has_blocked(number)
            && let Some((key, entry)) = self.order.take_out(named.order, position)
        {
            self.queues[kind].draw_blocked(number, 1);
            return Some(taken(entry, Some(key)));
        }
        if !self.queues[kind].take_far(number, (row?, position), *due != Timestamp(0)) {
            return None;
        }
        let source = self.count.number(root.as_ref());
        self.reopened.add((kind, number), *named);
        // Others of its subject do not wait for it: they are on disk too, or before it.
        Some(taken(Entry { source, order: None, ..*named }, named.order))
    }

    fn draw(&mut self, kind: WorkKind, number: u32) -> Option<Entry> {
        let drawn = self.queues[kind].draw(number);
        drawn.or_else(|| {
            self.fill_short(kind);
            self.queues[kind].draw(number)
        })
    }

    /// One that waited behind another does so again.
    pub(super) fn block_again(&mut self, taken: &InFlight, key: OrderKey) {
        let InFlight { kind, entry, group, phase } = *taken;
        let entry = Entry { order: Some(key), ..entry };
        self.enter(kind, group, entry, When::at_once(Timestamp(0)));
        self.queues[kind].release(group, phase);
    }
}
