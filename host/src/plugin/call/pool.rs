//! A few threads of their own for guests, behind queues that are bounded and served in turn.
//!
//! Guests compute, and for as long as their deadline lets them; so they run on these threads and
//! never on the async ones. Claims, parses and runs have a pool each, so that no kind of work takes
//! the threads of another; within a pool [`fair`] says whose call is next, so that no source and no
//! handler takes those of its neighbours. A pool knows nothing of plugins.

mod fair;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tracing::error;
use wasmtime::Engine;

pub(in crate::plugin) use self::fair::all_threads;
use self::fair::{Ended, Fair, Full, Kind};
use crate::causes::words;
use crate::ids::Name;
use crate::lock::lock;
use crate::plugin::engine::THREAD_STACK_BYTES;
use crate::priority::yield_to_others;

/// A call that waits for a thread.
struct Work {
    /// Says whether it made its call: it makes none that nobody waits for any more.
    make: Box<dyn FnOnce() -> bool + Send>,
    /// How long it may take. The call sees to that itself.
    limit: Duration,
}

/// How large a pool is.
#[derive(Debug, Clone, Copy)]
pub(in crate::plugin) struct Shape {
    /// So many quick calls are made at a time, at least one. As many threads again stand by for
    /// when these are held by calls that run long, and half as many are for slow ones.
    pub(in crate::plugin) threads: usize,
    /// Calls that may wait.
    pub(in crate::plugin) queue: usize,
    /// Who takes longer for a call, on average, is slow and gets fewer threads.
    pub(in crate::plugin) slow: Duration,
}

/// Threads and their queues. The threads end when it is dropped and the queues are empty.
#[derive(Debug)]
pub(in crate::plugin) struct Pool {
    desk: Arc<Desk>,
}

/// What the threads share.
struct Desk {
    state: Mutex<State>,
    /// What each thread sleeps on.
    bells: Vec<Condvar>,
    /// A call that runs for longer is slow.
    slow_after: Duration,
}

struct State {
    fair: Fair<Work>,
    quick: Asleep,
    slow: Asleep,
    /// Whether one of the quick ones looks again by itself, because what runs may have become slow.
    is_watched: bool,
    /// Whether one of the slow ones looks again by itself, when somebody has rested.
    is_timed: bool,
    ended: bool,
}

/// The threads of a kind that sleep. Who fell asleep last is called first, for what it works with
/// is still in the caches; and one at a time, for it looks itself whether there is enough for
/// another.
#[derive(Default)]
struct Asleep {
    threads: Vec<usize>,
    /// One was called and has not looked yet.
    is_coming: bool,
}

/// Who waits for a call that has ended, and what to tell them.
pub(super) struct Waiting<T> {
    reply: oneshot::Sender<Result<T, PoolError>>,
    done: Result<T, PoolError>,
}

/// Why a call through a pool has no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PoolError {
    /// The queue is full.
    Busy,
    /// The host's own code panicked over what the guest gave it, with these words.
    Panicked(String),
}

impl From<Full> for PoolError {
    fn from(_: Full) -> Self {
        Self::Busy
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Pool {
    /// Starts the threads.
    pub(in crate::plugin) fn start(name: &str, shape: Shape) -> io::Result<Self> {
        let Shape { threads, queue, slow } = shape;
        let fair = Fair::new(threads, queue, slow);
        let quick = Asleep::default();
        let slow_ones = Asleep::default();
        let state = State {
            fair,
            quick,
            slow: slow_ones,
            is_watched: false,
            is_timed: false,
            ended: false,
        };
        let bells = (0..all_threads(threads)).map(|_| Condvar::new()).collect();
        let desk = Desk { state: Mutex::new(state), bells, slow_after: slow };
        let pool = Self { desk: Arc::new(desk) };
        for number in 0..all_threads(threads) {
            let desk = Arc::clone(&pool.desk);
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .stack_size(THREAD_STACK_BYTES)
                .spawn(move || desk.work_off(number))?;
        }
        Ok(pool)
    }

    /// Does `work` on one of the threads, in the turn of the source or handler `of`, or of the host
    /// itself. It ends itself after `limit`; who needs that long again and again is made to rest.
    /// If nobody waits for it any more when its turn comes, it is not done at all.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        of: Option<&Name>,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        self.call_and(of, limit, work, Waiting::tell).await
    }

    /// The same, but that `hand` has the caller told, on the thread on which the work was done: at
    /// once, or when something is there that the caller would wait for next.
    pub(super) async fn call_and<T: Send + 'static>(
        &self,
        of: Option<&Name>,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
        hand: impl FnOnce(Waiting<T>) + Send + 'static,
    ) -> Result<T, PoolError> {
        let (reply, result) = oneshot::channel();
        let work = move || {
            if reply.is_closed() {
                return false;
            }
            // A panic is what became of this call; the thread lives on.
            let done = catch_unwind(AssertUnwindSafe(work))
                .map_err(|panic| PoolError::Panicked(words(&*panic)));
            let waiting = Waiting { reply, done };
            // Nor does the thread end with who is told: its place would be taken for ever.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(move || hand(waiting))) {
                error!("the gateway panicked over the end of a call: {}", words(&*panic));
            }
            true
        };
        self.desk.enter(of, Work { make: Box::new(work), limit })?;
        let gone = |_| Err(PoolError::Panicked("the pool has ended".to_owned()));
        result.await.unwrap_or_else(gone)
    }
}

impl<T> Waiting<T> {
    /// Tells them. They may have left meanwhile; then the result is nobody's.
    pub(super) fn tell(self) {
        drop(self.reply.send(self.done));
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.desk.state().ended = true;
        self.desk.bells.iter().for_each(Condvar::notify_one);
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn enter(&self, of: Option<&Name>, work: Work) -> Result<(), Full> {
        let now = Instant::now();
        let called = {
            let mut state = self.state();
            state.fair.enter(&of.cloned(), work)?;
            state.call(now)
        };
        self.wake(called);
        Ok(())
    }

    fn wake(&self, called: Option<usize>) {
        if let Some(thread) = called {
            self.bells[thread].notify_one();
        }
    }

    fn work_off(&self, thread: usize) {
        // Otherwise the first call on each thread pays for it.
        Engine::tls_eager_initialize();
        let mut state = self.state();
        if state.fair.kind(thread) == Kind::Slow {
            yield_to_others();
        }
        loop {
            let now = Instant::now();
            match state.fair.next(thread, now) {
                Some(work) => {
                    // There may be enough for another, and a call that ended may have made room.
                    let called = state.call(now);
                    drop(state);
                    self.wake(called);
                    let made = (work.make)();
                    let end = Instant::now();
                    let ended = match made {
                        false => Ended::Uncalled,
                        true if end.saturating_duration_since(now) < work.limit => Ended::Returned,
                        true => Ended::Spent,
                    };
                    state = self.state();
                    state.fair.ended(thread, end, ended);
                }
                None if state.ended => return,
                None => {
                    // It watches itself, if that is to be done.
                    let other = state.fair.kind(thread).other();
                    self.wake(state.call_one(other, now));
                    state = self.sleep(state, thread);
                }
            }
        }
    }

    /// Sleeps until there may be something to do. Where calls wait although threads do too, one of
    /// the quick threads looks again when what runs now would be slow, and one of the slow ones
    /// when the first of those who rest has rested.
    fn sleep<'a>(&self, mut state: MutexGuard<'a, State>, thread: usize) -> MutexGuard<'a, State> {
        let bell = &self.bells[thread];
        let kind = state.fair.kind(thread);
        if let Some(time) = self.looks_again(&mut state, kind) {
            // It is the last to be called.
            state.asleep(kind).threads.insert(0, thread);
            let waited = bell.wait_timeout(state, time);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            *state.looked_after(kind) = false;
        } else {
            state.asleep(kind).threads.push(thread);
            let sleeps = |state: &mut State| !state.ended && state.asleep(kind).has(thread);
            state = bell.wait_while(state, sleeps).unwrap_or_else(PoisonError::into_inner);
        }
        state.asleep(kind).awakes(thread);
        state
    }

    /// In how long a thread that falls asleep must look again by itself, if it must.
    fn looks_again(&self, state: &mut State, kind: Kind) -> Option<Duration> {
        let looked_after = *state.looked_after(kind);
        if looked_after || !state.fair.is_waiting() {
            return None;
        }
        let time = match kind {
            Kind::Quick => self.slow_after,
            Kind::Slow => {
                let now = Instant::now();
                state.fair.rested_at(now)?.saturating_duration_since(now)
            }
        };
        *state.looked_after(kind) = true;
        Some(time)
    }
}

impl State {
    /// Calls a thread that has something to do, or to watch; whoever gets its number wakes it.
    fn call(&mut self, now: Instant) -> Option<usize> {
        self.call_one(Kind::Slow, now).or_else(|| self.call_one(Kind::Quick, now))
    }

    fn call_one(&mut self, kind: Kind, now: Instant) -> Option<usize> {
        let is_ready = self.asleep(kind).is_ready();
        let to_watch = self.fair.is_waiting()
            && match kind {
                Kind::Quick => !self.is_watched,
                Kind::Slow => !self.is_timed && self.fair.rested_at(now).is_some(),
            };
        let is_needed = is_ready && (to_watch || self.fair.has_next(kind, now));
        is_needed.then(|| self.asleep(kind).call()).flatten()
    }

    /// Whether one of these threads looks again by itself.
    fn looked_after(&mut self, kind: Kind) -> &mut bool {
        match kind {
            Kind::Quick => &mut self.is_watched,
            Kind::Slow => &mut self.is_timed,
        }
    }

    fn asleep(&mut self, kind: Kind) -> &mut Asleep {
        match kind {
            Kind::Quick => &mut self.quick,
            Kind::Slow => &mut self.slow,
        }
    }
}

impl Asleep {
    /// Whether one may be called.
    fn is_ready(&self) -> bool {
        !self.is_coming && !self.threads.is_empty()
    }

    fn call(&mut self) -> Option<usize> {
        let called = self.threads.pop();
        self.is_coming = called.is_some();
        called
    }

    fn has(&self, thread: usize) -> bool {
        self.threads.contains(&thread)
    }

    /// This thread is awake, because it was called or by itself.
    fn awakes(&mut self, thread: usize) {
        match self.threads.iter().position(|one| *one == thread) {
            Some(place) => drop(self.threads.remove(place)),
            None => self.is_coming = false,
        }
    }
}

#[cfg(test)]
mod tests;
