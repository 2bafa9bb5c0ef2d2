//! Stretches of the log in which nothing is done: a list of what is done passes over them.
//!
//! Found by lists, which look at each receipt or event once, and kept until a work of it ends.
//! Whoever looks holds a [`Look`], so that what ends meanwhile is left out of what it finds. Only
//! in memory, and no more than a few: what is not kept is looked at again. Never reads anything.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::lock::lock;
use crate::store::index::Kind;

/// Of each kind no more stretches are kept.
const STRETCHES_MAX: usize = 256;
/// While somebody looks, so many ends are remembered. Behind more, what was found is not kept.
const ENDED_MAX: usize = 1 << 16;

/// Where nothing is done, as far as somebody has looked.
#[derive(Debug, Default)]
pub(in crate::store) struct Undone(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    receipts: Stretches,
    events: Stretches,
    /// How many look now.
    looking: usize,
    /// Where works have ended since the first of them began.
    ended: Vec<(Kind, u64)>,
    /// How often that was too much to remember.
    forgotten: u64,
}

/// Stretches that neither touch nor overlap: where each begins, and the first position behind it.
/// What begins in one is not done.
#[derive(Debug, Default)]
struct Stretches(BTreeMap<u64, u64>);

/// Somebody who looks, in a view that was opened later.
#[derive(Debug)]
pub(in crate::store) struct Look<'u> {
    undone: &'u Undone,
    /// How many ends were remembered, and how often they were forgotten, when it began.
    since: (usize, u64),
}

impl Undone {
    /// Somebody begins to look, and opens a view behind that.
    pub(in crate::store) fn look(&self) -> Look<'_> {
        let mut state = lock(&self.0);
        state.looking += 1;
        Look { undone: self, since: (state.ended.len(), state.forgotten) }
    }

    /// Works have ended of what stands at these positions.
    pub(in crate::store) fn ended(&self, works: impl IntoIterator<Item = (Kind, u64)>) {
        let mut state = lock(&self.0);
        for (kind, position) in works {
            state.of(kind).cut(position);
            if state.looking > 0 {
                state.ended.push((kind, position));
            }
        }
        if state.ended.len() > ENDED_MAX {
            state.ended.clear();
            state.forgotten += 1;
        }
    }
}

impl Look<'_> {
    /// Where the stretch begins in which this position lies, if it lies in one.
    pub(in crate::store) fn first_of(&self, kind: Kind, position: u64) -> Option<u64> {
        lock(&self.undone.0).of(kind).first_of(position)
    }

    /// Nothing is done that begins in this stretch, as the view shows it.
    pub(in crate::store) fn found(&self, kind: Kind, (first, end): (u64, u64)) {
        let mut state = lock(&self.undone.0);
        let (since, forgotten) = self.since;
        if state.forgotten != forgotten || first >= end {
            return;
        }
        let State { receipts, events, ended, .. } = &mut *state;
        let stretches = match kind {
            Kind::Receipt => receipts,
            Kind::Event => events,
        };
        stretches.add(first, end);
        let meanwhile = ended[since..].iter().filter(|(of, _)| *of == kind);
        meanwhile.for_each(|(_, position)| stretches.cut(*position));
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.undone.0);
        state.looking -= 1;
        if state.looking == 0 {
            state.ended.clear();
        }
    }
}

impl State {
    fn of(&mut self, kind: Kind) -> &mut Stretches {
        match kind {
            Kind::Receipt => &mut self.receipts,
            Kind::Event => &mut self.events,
        }
    }
}

impl Stretches {
    fn first_of(&self, position: u64) -> Option<u64> {
        let (first, end) = self.0.range(..=position).next_back()?;
        (position < *end).then_some(*first)
    }

    /// Adds one, together with those that it touches.
    fn add(&mut self, mut first: u64, mut end: u64) {
        while let Some((other, behind)) = self.0.range(..=end).next_back()
            && *behind >= first
        {
            let (other, behind) = (*other, *behind);
            self.0.remove(&other);
            (first, end) = (first.min(other), end.max(behind));
        }
        self.0.insert(first, end);
        if self.0.len() > STRETCHES_MAX {
            let shortest = self.0.iter().min_by_key(|(first, end)| *end - *first);
            if let Some(first) = shortest.map(|(first, _)| *first) {
                self.0.remove(&first);
            }
        }
    }

    /// Takes a position out.
    fn cut(&mut self, position: u64) {
        let Some(first) = self.first_of(position) else { return };
        let Some(end) = self.0.remove(&first) else { return };
        let mut parts = [(first, position), (position + 1, end)];
        parts.sort_unstable_by_key(|(first, end)| end - first);
        let [shorter, longer] = parts;
        let is_room = self.0.len() + 1 < STRETCHES_MAX;
        let kept = [Some(longer), is_room.then_some(shorter)].into_iter().flatten();
        self.0.extend(kept.filter(|(first, end)| first < end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Kind = Kind::Event;

    fn stretches(undone: &Undone) -> Vec<(u64, u64)> {
        lock(&undone.0).events.0.iter().map(|(first, end)| (*first, *end)).collect()
    }

    #[test]
    fn stretches_that_touch_are_one_until_a_work_in_it_ends() {
        let undone = Undone::default();
        let look = undone.look();
        for stretch in [(50, 60), (10, 20), (30, 40), (20, 30), (35, 45)] {
            look.found(EVENT, stretch);
        }
        assert_eq!(stretches(&undone), [(10, 45), (50, 60)]);
        let asked = [9, 10, 44, 45, 55].map(|position| look.first_of(EVENT, position));
        assert_eq!(asked, [None, Some(10), Some(10), None, Some(50)]);
        assert_eq!(look.first_of(Kind::Receipt, 10), None);

        undone.ended([(EVENT, 20), (EVENT, 50), (EVENT, 70), (Kind::Receipt, 12)]);
        assert_eq!(stretches(&undone), [(10, 20), (21, 45), (51, 60)]);
    }

    #[test]
    fn what_ends_while_somebody_looks_is_in_nothing_that_they_find() {
        let undone = Undone::default();
        let (first, other) = (undone.look(), undone.look());
        undone.ended([(EVENT, 15), (Kind::Receipt, 17)]);
        let second = undone.look();
        drop(other);
        first.found(EVENT, (10, 20));
        assert_eq!(stretches(&undone), [(10, 15), (16, 20)]);
        // Opened again before it began to look.
        second.found(EVENT, (10, 20));
        assert_eq!(stretches(&undone), [(10, 20)]);
    }

    #[test]
    fn what_is_found_behind_too_many_ends_is_not_kept() {
        let undone = Undone::default();
        let look = undone.look();
        undone.ended((0..=ENDED_MAX as u64).map(|position| (EVENT, position)));
        look.found(EVENT, (10, 20));
        assert!(stretches(&undone).is_empty());
        undone.look().found(EVENT, (10, 20));
        assert_eq!(stretches(&undone), [(10, 20)]);
    }

    #[test]
    fn only_the_longest_of_many_stretches_are_kept() {
        let undone = Undone::default();
        let look = undone.look();
        let many = 2 * STRETCHES_MAX as u64;
        (0..many).for_each(|number| look.found(EVENT, (1000 * number, 1001 * number)));
        assert_eq!(stretches(&undone).len(), STRETCHES_MAX);
        assert_eq!(look.first_of(EVENT, 1000 * (many - 1)), Some(1000 * (many - 1)));

        undone.ended((0..many).map(|number| (EVENT, 1000 * number + 5)));
        assert!(stretches(&undone).len() <= STRETCHES_MAX);
    }
}
