//! Which groups get something done, and how much is due in those.
//!
//! Pure. A group moves that would be through with what is due within a minute, as fast as it went
//! lately. One whose endpoint is down or hangs does not, whatever waits for it. Never holds a work
//! back.

use super::Queue;

/// A group moves while at most so many times as much is due as it got done in about a second.
const SECONDS_MAX: usize = 60;

/// How many works of a group were done or have died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Done {
    /// In the second that is not over.
    now: usize,
    /// In the one before.
    before: usize,
}

impl Queue {
    /// A work of this group is done or dead.
    pub(in crate::store::owed::backlog) fn ended(&mut self, number: u32) {
        let done = &mut self.groups[number as usize].done;
        if *done == Done::default() {
            self.moving.push(number);
        }
        done.now += 1;
    }

    /// A second is over, and whether it is only just over.
    pub(in crate::store::owed::backlog) fn second_ends(&mut self, just_now: bool) {
        let groups = &mut self.groups;
        self.moving.retain(|number| {
            let done = &mut groups[*number as usize].done;
            *done = Done { now: 0, before: if just_now { done.now } else { 0 } };
            *done != Done::default()
        });
    }

    /// How many groups got something done lately.
    pub(in crate::store::owed::backlog) fn moving(&self) -> usize {
        self.moving.len()
    }

    /// How many works are ready or in flight in the groups that move.
    pub(in crate::store::owed::backlog) fn due_in_moving(&self) -> usize {
        let groups = self.moving.iter().map(|number| &self.groups[*number as usize]);
        let due = groups.map(|group| {
            let (due, done) = (group.due(), group.done.now.max(group.done.before));
            if due <= done.saturating_mul(SECONDS_MAX) { due } else { 0 }
        });
        due.sum()
    }
}
