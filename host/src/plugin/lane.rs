//! A few threads of their own for guests, behind queues that are bounded and served in turn.
//!
//! Guests compute, and for as long as their deadline lets them; so they run on these threads and
//! never on the async ones. Claims, parses and runs have a lane each, so that no kind of work takes
//! the threads of another; within a lane [`fair`] says whose call is next, so that no source and no
//! handler takes those of its neighbours. A lane knows nothing of plugins.

mod fair;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use wasmtime::Engine;

pub(super) use self::fair::all_threads;
use self::fair::{Fair, Full, Kind};
use super::engine::THREAD_STACK_BYTES;
use crate::ids::Name;
use crate::worker::words;

/// Says whether it made its call: it makes none that nobody waits for any more.
type Work = Box<dyn FnOnce() -> bool + Send>;

/// The niceness of the threads for slow calls: about a tenth of what others get.
#[cfg(target_os = "linux")]
const SLOW_NICENESS: i32 = 10;

/// How large a lane is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// So many quick calls are made at a time, at least one. As many threads again stand by for when
    /// these are held by calls that run long, and half as many are for slow ones.
    pub(super) threads: usize,
    /// Calls that may wait.
    pub(super) queue: usize,
    /// Who takes longer for a call, on average, is slow and gets fewer threads.
    pub(super) slow: Duration,
}

/// Threads and their queues. The threads end when it is dropped and the queues are empty.
#[derive(Debug)]
pub(super) struct Lane {
    desk: Arc<Desk>,
}

/// What the threads share.
struct Desk {
    state: Mutex<State>,
    /// A thread for quick calls that waits should look again, or one for slow calls.
    quick: Condvar,
    slow: Condvar,
    /// A call that runs for longer is slow.
    slow_after: Duration,
}

struct State {
    fair: Fair<Work>,
    /// Threads that wait, by kind.
    idle_quick: usize,
    idle_slow: usize,
    /// Whether one of them looks again by itself, because what runs may have become slow.
    is_watched: bool,
    ended: bool,
}

/// Why a call through a lane has no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LaneError {
    /// The queue is full.
    Busy,
    /// The host's own code panicked over what the guest gave it, with these words.
    Panicked(String),
}

impl From<Full> for LaneError {
    fn from(_: Full) -> Self {
        Self::Busy
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Lane {
    /// Starts the threads.
    pub(super) fn start(name: &str, shape: Shape) -> io::Result<Self> {
        let Shape { threads, queue, slow } = shape;
        let fair = Fair::new(threads, queue, slow);
        let state = State { fair, idle_quick: 0, idle_slow: 0, is_watched: false, ended: false };
        let desk = Desk {
            state: Mutex::new(state),
            quick: Condvar::new(),
            slow: Condvar::new(),
            slow_after: slow,
        };
        let lane = Self { desk: Arc::new(desk) };
        for number in 0..all_threads(threads) {
            let desk = Arc::clone(&lane.desk);
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .stack_size(THREAD_STACK_BYTES)
                .spawn(move || desk.work_off(number))?;
        }
        Ok(lane)
    }

    /// Does `work` on one of the threads, in the turn of the source or handler `of`, or of the host
    /// itself. If nobody waits for it any more when its turn comes, it is not done at all.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        of: Option<&Name>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LaneError> {
        let (reply, result) = oneshot::channel();
        let work = move || {
            if reply.is_closed() {
                return false;
            }
            // A panic is what became of this call; the thread lives on.
            let done = catch_unwind(AssertUnwindSafe(work));
            let done = done.map_err(|panic| LaneError::Panicked(words(&*panic)));
            // The caller may have left meanwhile; then the result is nobody's.
            drop(reply.send(done));
            true
        };
        self.desk.enter(of, Box::new(work))?;
        let gone = |_| Err(LaneError::Panicked("the lane has ended".to_owned()));
        result.await.unwrap_or_else(gone)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.desk.state().ended = true;
        self.desk.quick.notify_all();
        self.desk.slow.notify_all();
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, of: Option<&Name>, work: Work) -> Result<(), Full> {
        let now = Instant::now();
        let wake = {
            let mut state = self.state();
            state.fair.enter(&of.cloned(), work)?;
            state.whom_to_wake(now)
        };
        self.wake(wake);
        Ok(())
    }

    fn wake(&self, kind: Option<Kind>) {
        match kind {
            Some(Kind::Quick) => self.quick.notify_one(),
            Some(Kind::Slow) => self.slow.notify_one(),
            None => (),
        }
    }

    fn work_off(&self, thread: usize) {
        // Otherwise the first call on each thread pays for it.
        Engine::tls_eager_initialize();
        let mut state = self.state();
        let kind = state.fair.kind(thread);
        if kind == Kind::Slow {
            yield_to_others();
        }
        loop {
            let now = Instant::now();
            let work = state.fair.next(thread, now);
            // A call that has ended may have made room for others than this thread.
            let wake = state.whom_to_wake(now);
            match work {
                Some(work) => {
                    drop(state);
                    self.wake(wake);
                    let made = work();
                    state = self.state();
                    state.fair.ended(thread, Instant::now(), made);
                }
                None if state.ended => return,
                None => {
                    self.wake(wake.filter(|other| *other != kind));
                    state = match kind {
                        Kind::Quick => self.wait_for_quick(state),
                        Kind::Slow => self.wait_for_slow(state),
                    };
                }
            }
        }
    }

    /// Waits until there may be something to do. Where calls wait although threads do too, one of
    /// the threads looks again when what runs now would be slow.
    fn wait_for_quick<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.idle_quick += 1;
        if state.fair.is_waiting() && !state.is_watched {
            state.is_watched = true;
            let waited = self.quick.wait_timeout(state, self.slow_after);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.is_watched = false;
        } else {
            state = self.quick.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.idle_quick -= 1;
        state
    }

    fn wait_for_slow<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.idle_slow += 1;
        state = self.slow.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.idle_slow -= 1;
        state
    }
}

impl State {
    /// Of which kind a thread waits that has something to do, or to watch.
    fn whom_to_wake(&self, now: Instant) -> Option<Kind> {
        let to_watch = self.fair.is_waiting() && !self.is_watched;
        if self.idle_slow > 0 && self.fair.has_next(Kind::Slow, now) {
            Some(Kind::Slow)
        } else if self.idle_quick > 0 && (to_watch || self.fair.has_next(Kind::Quick, now)) {
            Some(Kind::Quick)
        } else {
            None
        }
    }
}

/// Where cores are short, whoever is slow gets what the others leave, and a little more. Elsewhere
/// than on Linux this would be about the whole process.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, SLOW_NICENESS) {
        tracing::debug!(%error, "slow calls run with the priority of all others");
    }
}

#[cfg(test)]
mod tests;
