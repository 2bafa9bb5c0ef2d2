//! A few threads of their own for guests, behind a queue that is bounded.
//!
//! Guests compute, and for as long as their deadline lets them; so they run on these threads and
//! never on the async ones. Claims, parses and runs have a lane each, so that no kind of work takes
//! the threads of another. A lane knows nothing of plugins.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tokio::sync::oneshot;
use wasmtime::Engine;

use super::engine::THREAD_STACK_BYTES;

type Work = Box<dyn FnOnce() + Send>;

/// Threads and their queue. The threads end when it is dropped and the queue is empty.
#[derive(Debug)]
pub(super) struct Lane {
    queue: Sender<Work>,
}

/// Why a call through a lane has no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LaneError {
    /// The queue is full.
    Busy,
    /// The host's own code panicked over what the guest gave it.
    Panicked,
}

impl Lane {
    /// Starts `threads` threads, before which at most `queue` calls wait.
    pub(super) fn start(name: &str, threads: usize, queue: usize) -> io::Result<Self> {
        let (sender, receiver) = bounded::<Work>(queue);
        for number in 0..threads.max(1) {
            let receiver = receiver.clone();
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .stack_size(THREAD_STACK_BYTES)
                .spawn(move || work_off(&receiver))?;
        }
        Ok(Self { queue: sender })
    }

    /// Does `work` on one of the threads. If nobody waits for it any more when its turn comes, it
    /// is not done at all.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LaneError> {
        let (reply, result) = oneshot::channel();
        let work = move || {
            if !reply.is_closed() {
                // The caller may have left meanwhile; then the result is nobody's.
                drop(reply.send(work()));
            }
        };
        self.queue.try_send(Box::new(work)).map_err(|error| match error {
            TrySendError::Full(_) => LaneError::Busy,
            TrySendError::Disconnected(_) => LaneError::Panicked,
        })?;
        result.await.map_err(|_| LaneError::Panicked)
    }
}

fn work_off(queue: &Receiver<Work>) {
    // Otherwise the first call on each thread pays for it.
    Engine::tls_eager_initialize();
    for work in queue {
        // A panic has said what it is through the panic hook; the caller sees its reply dropped,
        // and the thread lives on.
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            tracing::error!("a plugin made the host panic");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_fails_its_call_and_no_other() {
        let lane = Lane::start("test", 1, 4).unwrap();
        let panicked = lane.call(|| -> u8 { panic!("over what the guest gave") }).await;
        assert_eq!(panicked, Err(LaneError::Panicked));
        assert_eq!(lane.call(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_full_queue_is_said_at_once() {
        let lane = Lane::start("test", 1, 1).unwrap();
        let (started, has_started) = oneshot::channel();
        let (release, released) = bounded::<()>(0);
        let running = lane.call(move || {
            started.send(()).unwrap();
            released.recv().unwrap();
            1
        });
        let waiting_and_refused = async {
            has_started.await.unwrap();
            let waiting = lane.call(|| 2);
            let refused = async {
                let refused = lane.call(|| 3).await;
                release.send(()).unwrap();
                refused
            };
            tokio::join!(biased; waiting, refused)
        };
        let (running, (waiting, refused)) = tokio::join!(biased; running, waiting_and_refused);
        assert_eq!((running, waiting, refused), (Ok(1), Ok(2), Err(LaneError::Busy)));
    }

    #[tokio::test]
    async fn a_call_that_nobody_waits_for_is_not_made() {
        let lane = Lane::start("test", 1, 4).unwrap();
        let (started, has_started) = oneshot::channel();
        let (release, released) = bounded::<()>(0);
        let (made, was_made) = bounded::<()>(1);
        let running = lane.call(move || {
            started.send(()).unwrap();
            released.recv().unwrap();
        });
        let abandoned = async {
            has_started.await.unwrap();
            let abandoned = lane.call(move || made.send(()).unwrap());
            // Polled once, which puts it into the queue, and left.
            tokio::select! {
                biased;
                _ = abandoned => panic!("the only thread is taken"),
                () = std::future::ready(()) => (),
            }
            release.send(()).unwrap();
        };
        tokio::join!(running, abandoned).0.unwrap();
        lane.call(|| ()).await.unwrap();
        assert!(was_made.try_recv().is_err());
    }
}
