//! The two threads that run guests for a rehearsal, and the works that are under way.
//!
//! Works go to them in turn, and results come back in the order of the works: so what is counted
//! does not depend on which of them is quicker. Bounded; a guest that panics the host ends nothing
//! but its own work. Never knows what a work is.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::Error;
use crate::causes::words;
use crate::plugin::guest_thread;
use crate::priority::yield_to_others;

/// As many instances as the engine has slots for beside its pools.
const THREADS: usize = 2;
/// Works that are under way.
const WORKS_MAX: usize = 64;

/// What came of a work, or what the panic said that it ended with.
type Came<R> = Result<R, String>;

/// Two threads, and what they are at.
pub(super) struct Crew<W, R> {
    hands: Vec<Hand<W, R>>,
    /// The positions of the works that are under way, the oldest first.
    flying: VecDeque<u64>,
    /// How many were given, and how many have come back.
    given: usize,
    returned: usize,
}

struct Hand<W, R> {
    works: SyncSender<W>,
    results: Receiver<Came<R>>,
}

/// Has two threads perform what the lead gives them. When the lead returns they end what they are
/// at, and nothing else that is under way.
pub(super) fn crewed<W: Send, R: Send, T>(
    perform: impl Fn(W) -> R + Sync,
    lead: impl FnOnce(&mut Crew<W, R>) -> Result<T, Error>,
) -> Result<T, Error> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut hands = Vec::with_capacity(THREADS);
        for _ in 0..THREADS {
            let (works, waiting) = sync_channel(WORKS_MAX / THREADS);
            let (done, results) = sync_channel(WORKS_MAX / THREADS);
            let (perform, is_over) = (&perform, &is_over);
            let serve = move || serve(&waiting, &done, perform, is_over);
            guest_thread("rehearsal").spawn_scoped(scope, serve).map_err(Error::Thread)?;
            hands.push(Hand { works, results });
        }
        let mut crew = Crew { hands, flying: VecDeque::new(), given: 0, returned: 0 };
        let led = lead(&mut crew);
        is_over.store(true, Ordering::Relaxed);
        led
    })
}

fn serve<W, R>(
    waiting: &Receiver<W>,
    done: &SyncSender<Came<R>>,
    perform: &impl Fn(W) -> R,
    is_over: &AtomicBool,
) {
    yield_to_others();
    for work in waiting {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let result = catch_unwind(AssertUnwindSafe(|| perform(work)));
        if done.send(result.map_err(|panic| words(&*panic))).is_err() {
            return;
        }
    }
}

impl<W, R> Crew<W, R> {
    /// Gives it a work from this position. If as many are under way as may be, what came of the
    /// oldest is waited for and comes back.
    pub(super) fn give(&mut self, position: u64, work: W) -> Result<Option<Came<R>>, Error> {
        let is_full = self.flying.len() == WORKS_MAX;
        let result = if is_full { self.back()? } else { None };
        let hand = &self.hands[self.given % THREADS];
        // It has room: no hand has more than its half of what is under way.
        hand.works.send(work).map_err(|_| gone())?;
        self.given += 1;
        self.flying.push_back(position);
        Ok(result)
    }

    /// Waits for what came of the oldest; `None` if nothing is under way.
    pub(super) fn back(&mut self) -> Result<Option<Came<R>>, Error> {
        if self.flying.pop_front().is_none() {
            return Ok(None);
        }
        let hand = &self.hands[self.returned % THREADS];
        let result = hand.results.recv().map_err(|_| gone())?;
        self.returned += 1;
        Ok(Some(result))
    }

    /// The position of the oldest work that is under way.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.flying.front().copied()
    }
}

fn gone() -> Error {
    Error::Panicked("a thread that runs guests has ended".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_back_in_the_order_of_the_works_and_never_too_many_are_under_way() {
        let doubled = crewed(
            |work: u64| work * 2,
            |crew| {
                let mut results = Vec::new();
                for position in 0..1_000 {
                    results.extend(crew.give(position, position)?);
                    assert!(crew.flying.len() <= WORKS_MAX);
                    assert_eq!(crew.oldest(), Some(results.len() as u64));
                }
                while let Some(result) = crew.back()? {
                    results.push(result);
                }
                Ok(results)
            },
        );
        let expected: Vec<Came<u64>> = (0..1_000).map(|number| Ok(number * 2)).collect();
        assert_eq!(doubled.unwrap(), expected);
    }

    #[test]
    fn a_work_that_panics_ends_nothing_else() {
        let results = crewed(
            |work: u64| if work == 1 { panic!("no way") } else { work },
            |crew| {
                for position in 0..4 {
                    assert!(crew.give(position, position)?.is_none());
                }
                let mut results = Vec::new();
                while let Some(result) = crew.back()? {
                    results.push(result);
                }
                Ok(results)
            },
        );
        assert_eq!(results.unwrap(), [Ok(0), Err("no way".to_owned()), Ok(2), Ok(3)]);
    }
}
