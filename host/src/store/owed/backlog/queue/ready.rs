//! What may be taken of one group: first come, first served, and what was opened again behind all
//! else.
//!
//! Pure. A replay may open a thousand works at once, and traffic that comes meanwhile must not wait
//! for them. Those that go in an order stay with the others: of one subject more may wait behind
//! them. Never knows who takes.

use std::collections::VecDeque;

use super::Entry;

/// Works that were opened again and do not count against a window. Whoever replays opens no more
/// at a time; as far as there are more, they count like all others.
const REPLAYED: usize = 1_024;

/// The works of a group that are ready in memory.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// Also what was opened again and goes in an order.
    live: Line,
    /// What was opened again.
    replayed: Line,
}

/// Works that go one behind the other.
#[derive(Debug, Default)]
struct Line {
    works: VecDeque<Entry>,
    /// How many of these were given back: they are in front.
    given_back: usize,
}

impl Ready {
    pub(super) fn push(&mut self, entry: Entry) {
        self.line(entry).works.push_back(entry);
    }

    /// A work that was taken goes before those that were not. What was taken together may come back
    /// in any order, and goes again in its own.
    pub(super) fn give_back(&mut self, entry: Entry) {
        let Line { works, given_back } = self.line(entry);
        let older = works.range(..*given_back).rposition(|other| other.position < entry.position);
        works.insert(older.map_or(0, |older| older + 1), entry);
        *given_back += 1;
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        self.live.pop().or_else(|| self.replayed.pop())
    }

    /// Takes out the work at this position.
    pub(super) fn take_out(&mut self, position: u64) -> Option<Entry> {
        self.live.take_out(position).or_else(|| self.replayed.take_out(position))
    }

    pub(super) fn first(&self) -> Option<&Entry> {
        self.live.works.front().or_else(|| self.replayed.works.front())
    }

    fn line(&mut self, entry: Entry) -> &mut Line {
        let is_replayed = entry.tries.reopened() && entry.order.is_none();
        if is_replayed { &mut self.replayed } else { &mut self.live }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.works.is_empty() && self.replayed.works.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.live.works.len() + self.replayed.works.len()
    }

    /// How many count against the window.
    pub(super) fn counted(&self) -> usize {
        self.live.works.len() + self.replayed.works.len().saturating_sub(REPLAYED)
    }
}

impl Line {
    fn pop(&mut self) -> Option<Entry> {
        let entry = self.works.pop_front()?;
        self.given_back = self.given_back.saturating_sub(1);
        Some(entry)
    }

    fn take_out(&mut self, position: u64) -> Option<Entry> {
        let found = self.works.iter().position(|entry| entry.position == position)?;
        if found < self.given_back {
            self.given_back -= 1;
        }
        self.works.remove(found)
    }
}
