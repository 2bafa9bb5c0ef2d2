//! The gate between commits and whoever reads what is owed: what is read never has a commit that
//! memory does not know.
//!
//! A commit shuts it before its rows can be seen and opens it when memory has changed. While nobody
//! knows whether a commit holds, nothing passes. Whoever passes holds up the next commit, so all
//! that is done there is to open a view. Never looks at what is read.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::lock::lock;

/// Keeps commits and readers of what is owed apart.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    turned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    memory: Memory,
    /// Who wants to pass: the next commit lets them.
    waiting: usize,
}

/// What memory knows of what is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Memory {
    /// All.
    #[default]
    Current,
    /// All but a commit that is under way.
    Behind,
    /// A commit may hold that it does not know, or nothing will ever be committed again.
    Unsure,
}

impl Gate {
    /// A commit begins, once everybody has passed who waits.
    pub(super) fn shut(&self) {
        let mut state = lock(&self.state);
        while state.waiting > 0 && state.memory == Memory::Current {
            state = self.wait(state);
        }
        state.memory = Memory::Behind;
    }

    /// Memory knows all that is committed.
    pub(super) fn open(&self) {
        self.turn(Memory::Current);
    }

    /// Nobody knows whether a commit holds, or nobody commits any more.
    pub(super) fn doubt(&self) {
        self.turn(Memory::Unsure);
    }

    fn turn(&self, memory: Memory) {
        let mut state = lock(&self.state);
        state.memory = memory;
        // Every commit comes by here, and mostly nobody waits: who does not look asks the system.
        if state.waiting > 0 {
            self.turned.notify_all();
        }
    }

    /// Whether somebody knows what is committed: then whoever waits passes.
    pub(super) fn is_sure(&self) -> bool {
        lock(&self.state).memory != Memory::Unsure
    }

    /// Does this while memory knows all that is committed, and waits for a commit that is under
    /// way; `None` if nobody knows that now.
    pub(super) fn pass<T>(&self, open: impl FnOnce() -> T) -> Option<T> {
        let mut state = lock(&self.state);
        state.waiting += 1;
        while state.memory == Memory::Behind {
            state = self.wait(state);
        }
        // First, because `open` may panic, and a commit waits for whoever is counted here. Until
        // `open` is done the lock holds the commit up.
        state.waiting -= 1;
        self.turned.notify_all();
        (state.memory == Memory::Current).then(open)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.turned.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn nobody_passes_while_a_commit_is_under_way_and_all_do_before_the_next() {
        let gate = Gate::default();
        assert_eq!(gate.pass(|| 1), Some(1));
        gate.shut();
        let (passed, order) = mpsc::channel();
        thread::scope(|scope| {
            let reader = passed.clone();
            scope.spawn(|| {
                gate.pass(|| reader.send("a reader").unwrap());
                drop(reader);
            });
            while lock(&gate.state).waiting == 0 {
                thread::yield_now();
            }
            passed.send("a commit").unwrap();
            gate.open();
            gate.shut();
            passed.send("the next commit").unwrap();
            gate.open();
        });
        let order: Vec<&str> = order.try_iter().collect();
        assert_eq!(order, ["a commit", "a reader", "the next commit"]);
    }

    #[test]
    fn whoever_panics_while_passing_holds_up_no_commit() {
        let gate = Gate::default();
        let passed = catch_unwind(AssertUnwindSafe(|| gate.pass::<()>(|| panic!("no way"))));
        assert!(passed.is_err());
        assert_eq!(lock(&gate.state).waiting, 0);
        gate.shut();
        gate.open();
        assert_eq!(gate.pass(|| 1), Some(1));
    }

    #[test]
    fn nobody_waits_for_a_commit_of_which_nobody_knows_whether_it_holds() {
        let gate = Gate::default();
        gate.shut();
        gate.doubt();
        assert_eq!(gate.pass(|| 1), None);
        gate.shut();
        gate.open();
        assert_eq!(gate.pass(|| 1), Some(1));
    }
}
