//! What is owed: which works there are on what is stored, how each stands, and who has one.
//!
//! In memory, as far as it comes next, and found again at every start. Changed by what was
//! committed, and by whoever takes a work or gives it back. Never writes to the file.

pub(super) mod backlog;
pub(super) mod decoded;
pub(super) mod lane;
pub(super) mod lease;
pub(super) mod owing;
pub(super) mod reading;
pub(super) mod recent;
pub(super) mod recovery;
pub(super) mod replays;
pub(super) mod standing;
mod standings;
pub(super) mod tally;
pub(super) mod undone;
pub(super) mod unreadable;
pub(super) mod upgrade;
pub(super) mod works;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Notify, watch};

use self::backlog::Backlog;
use self::replays::{Limits, OpenReplay, Slice};
use self::tally::Tallies;
use super::bell::Bell;
use super::kind::{PerKind, WorkKind};
use crate::ids::Id;
use crate::lock::lock;

/// One life of what is owed: from a start of the store to its end. Each has a number of its own, so
/// that a work that was taken in one is not committed in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life(u64);

/// All that is owed, for whoever takes works, gives them back or commits them.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) life: Life,
    /// How many works are open, for whoever need not wait for the backlog.
    pub(super) tallies: Arc<Tallies>,
    backlog: Mutex<Backlog>,
    /// The replays by filter that are not finished, in the order of their ids.
    pub(super) replays: watch::Sender<Vec<OpenReplay>>,
    /// Whoever drives the replays holds all of them.
    are_replays_held: AtomicBool,
    /// Something may be taken that could not be before.
    wakes: PerKind<Arc<Notify>>,
    /// Something was taken, given back, committed or answered.
    moved: Bell,
}

impl Owed {
    pub(super) fn new(backlog: Backlog) -> Self {
        Self {
            life: Life(fastrand::u64(..)),
            tallies: Arc::clone(backlog.tallies()),
            backlog: Mutex::new(backlog),
            replays: watch::Sender::default(),
            are_replays_held: AtomicBool::default(),
            wakes: PerKind::default(),
            moved: Bell::default(),
        }
    }

    pub(super) fn backlog(&self) -> MutexGuard<'_, Backlog> {
        lock(&self.backlog)
    }

    /// The same if nobody else has it now.
    pub(super) fn try_backlog(&self) -> Option<MutexGuard<'_, Backlog>> {
        self.backlog.try_lock().ok()
    }

    /// The replay whose turn it is behind this one, if there is one that need not wait.
    pub(super) fn next_replay(&self, after: Option<Id>) -> Option<Id> {
        if self.replays.borrow().is_empty() {
            return None;
        }
        // Before the look: nobody has both, so that no one waits for the other.
        let limits = self.replay_limits();
        replays::next(&self.replays.borrow(), after, &limits)
    }

    fn replay_limits(&self) -> Limits<'_> {
        let backlog = self.backlog();
        let (reopened, reopened_to) = (backlog.reopened_open(), backlog.reopened_to());
        Limits { tallies: &self.tallies, reopened, reopened_to, clogged: backlog.clogged() }
    }

    /// What the next slice of a replay by filter is for; `None` if it would find no room for now.
    pub(super) fn next_slice(&self, replay: &OpenReplay) -> Option<Slice> {
        replay.slice(&self.replay_limits())
    }

    /// Whether a replay by filter that is not finished stands still for nothing but endpoints at
    /// which nothing may end soon, as works are now.
    pub(super) fn resting(&self) -> impl Fn(&OpenReplay) -> bool {
        let limits = self.replay_limits();
        let off = self.backlog().switched_off();
        move |replay| replay.rests(&limits, &off)
    }

    /// Whether a replay by filter is not finished that opens works and is not paused: the end of
    /// any work may let it go on.
    pub(super) fn is_replay_to_open(&self) -> bool {
        self.replays.borrow().iter().any(|replay| replay.opens && !replay.is_paused)
    }

    /// All replays are held from now on, or not any more.
    pub(super) fn hold_replays(&self, are_held: bool) {
        if self.are_replays_held.swap(are_held, Ordering::AcqRel) != are_held {
            self.stir();
        }
    }

    /// Whether a replay stands still for now, if it is not finished.
    pub(super) fn replay_waits(&self, id: Id) -> bool {
        let limits = self.replay_limits();
        let is_held = self.are_replays_held.load(Ordering::Acquire);
        let replays = self.replays.borrow();
        let replay = replays.iter().find(|replay| replay.id == id);
        replay.is_some_and(|replay| !replay.is_paused && (is_held || replay.waits(&limits)))
    }

    /// Whether a replay goes on by itself.
    pub(super) fn is_replaying(&self) -> bool {
        !self.are_replays_held.load(Ordering::Acquire) && self.next_replay(None).is_some()
    }

    /// Works of this kind may be taken that could not be before.
    pub(super) fn wake(&self, kind: WorkKind) {
        self.wakes[kind].notify_waiters();
        self.stir();
    }

    /// What waits for idleness looks again.
    pub(super) fn stir(&self) {
        self.moved.ring();
    }

    /// Resolves when works of this kind may be taken that could not be before. Counts from the
    /// call, not from the first poll.
    pub(super) fn woken(&self, kind: WorkKind) -> OwnedNotified {
        Arc::clone(&self.wakes[kind]).notified_owned()
    }

    /// Changes whenever something was taken, given back, committed or answered.
    pub(super) fn moved(&self) -> watch::Receiver<()> {
        self.moved.listen()
    }
}
