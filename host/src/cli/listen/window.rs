//! The events that a listener has and has not finished: which may go out, and how far it has come.
//!
//! Pure. Events of one subject go out one after the other, and all others side by side, up to a
//! number. The listener has come as far as all before are finished: what a kill repeats is in the
//! window. Never gives an event up.

use std::collections::VecDeque;

use crate::cli::cursor_file::Mark;

/// The events under way, and those that wait for one of them, as they came.
#[derive(Debug)]
pub(super) struct Window<E> {
    slots: VecDeque<Slot<E>>,
    /// The number of the first.
    first: u64,
    /// Most events.
    most: usize,
}

#[derive(Debug)]
struct Slot<E> {
    subject: Option<String>,
    /// How far the listener has come once this and all before are finished.
    mark: Mark,
    stands: Stands<E>,
}

#[derive(Debug)]
enum Stands<E> {
    Waits(E),
    UnderWay,
    Finished,
}

impl<E> Window<E> {
    pub(super) fn new(most: usize) -> Self {
        Self { slots: VecDeque::new(), first: 0, most }
    }

    /// Whether one more may come.
    pub(super) fn has_room(&self) -> bool {
        self.slots.len() < self.most
    }

    /// Adds an event that came.
    pub(super) fn add(&mut self, event: E, subject: Option<String>, mark: Mark) {
        self.slots.push_back(Slot { subject, mark, stands: Stands::Waits(event) });
    }

    /// Nothing comes before this. Gives it if nothing is left to finish either.
    pub(super) fn reach(&mut self, mark: Mark) -> Option<Mark> {
        match self.slots.back_mut() {
            Some(last) => {
                last.mark = mark;
                None
            }
            None => Some(mark),
        }
    }

    /// The next event that may go out, with its number.
    pub(super) fn start(&mut self) -> Option<(u64, E)> {
        let may = (0..self.slots.len()).find(|at| {
            let slot = &self.slots[*at];
            let is_behind = |before: &Slot<E>| {
                slot.subject.is_some()
                    && before.subject == slot.subject
                    && !matches!(before.stands, Stands::Finished)
            };
            matches!(slot.stands, Stands::Waits(_)) && !self.slots.range(..*at).any(is_behind)
        })?;
        match std::mem::replace(&mut self.slots[may].stands, Stands::UnderWay) {
            Stands::Waits(event) => Some((self.first + may as u64, event)),
            Stands::UnderWay | Stands::Finished => None,
        }
    }

    /// An event is finished. Gives how far the listener has come, if that is farther.
    pub(super) fn finish(&mut self, number: u64) -> Option<Mark> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.slots.get_mut(at)?.stands = Stands::Finished;
        let mut reached = None;
        let is_finished = |slot: &Slot<E>| matches!(slot.stands, Stands::Finished);
        while self.slots.front().is_some_and(is_finished) {
            reached = self.slots.pop_front().map(|slot| slot.mark);
            self.first += 1;
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: u64) -> Mark {
        Mark { cursor: Some(number.to_string()), ..Mark::default() }
    }

    /// A window of three with these subjects.
    fn window(subjects: &[&str]) -> Window<u64> {
        let mut window = Window::new(3);
        for (number, subject) in (0..).zip(subjects) {
            let subject = (!subject.is_empty()).then(|| (*subject).to_owned());
            window.add(number, subject, mark(number));
        }
        window
    }

    fn started(window: &mut Window<u64>) -> Vec<u64> {
        std::iter::from_fn(|| window.start().map(|(_, event)| event)).collect()
    }

    /// Guards that no event is missed. Take the condition out of [`Window::finish`], and the
    /// cursor passes an event that is not finished.
    #[test]
    fn the_mark_moves_only_past_what_is_finished_with_all_before_it() {
        let mut window = window(&["", "", ""]);
        assert!(!window.has_room());
        assert_eq!(started(&mut window), [0, 1, 2]);
        assert_eq!(window.finish(1), None);
        assert_eq!(window.finish(2), None);
        assert!(!window.has_room(), "what a kill repeats stays within the window");
        assert_eq!(window.finish(0), Some(mark(2)));
        assert!(window.has_room());
    }

    #[test]
    fn events_of_one_subject_go_out_one_after_the_other() {
        let mut window = window(&["pi_1", "pi_2", "pi_1"]);
        assert_eq!(started(&mut window), [0, 1]);
        assert_eq!(window.finish(1), None);
        assert!(started(&mut window).is_empty(), "one of its subject is under way");
        assert_eq!(window.finish(0), Some(mark(1)));
        assert_eq!(started(&mut window), [2]);
        assert_eq!(window.finish(2), Some(mark(2)));
    }

    #[test]
    fn a_quiet_stream_moves_the_mark_behind_what_is_under_way() {
        let mut window = window(&["pi_1"]);
        assert_eq!(started(&mut window), [0]);
        assert_eq!(window.reach(mark(7)), None);
        assert_eq!(window.finish(0), Some(mark(7)));
        assert_eq!(window.reach(mark(8)), Some(mark(8)));
    }
}
