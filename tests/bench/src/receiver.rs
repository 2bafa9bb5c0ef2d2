//! The endpoint that everything is delivered to: answers at once and notes when what arrived.
//!
//! On a thread and a runtime of its own, so that a busy generator does not make it late.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::others::Others;
use crate::payload;

/// When payloads arrived, by their number; the first time of each.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    seen: Mutex<Seen>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    at: Vec<Option<Instant>>,
    count: usize,
}

impl Arrivals {
    fn note(&self, number: usize, now: Instant) {
        let mut seen = self.lock();
        if seen.at.len() <= number {
            seen.at.resize(number + 1, None);
        }
        if seen.at[number].is_none() {
            seen.at[number] = Some(now);
            seen.count += 1;
            self.more.notify_all();
        }
    }

    /// How many have arrived.
    pub(crate) fn count(&self) -> usize {
        self.lock().count
    }

    /// When this number arrived, if it has.
    pub(crate) fn at(&self, number: usize) -> Option<Instant> {
        self.lock().at.get(number).copied().flatten()
    }

    /// Waits until so many have arrived, at most for `time`; whether they have.
    pub(crate) fn wait(&self, count: usize, time: Duration) -> bool {
        let fewer = |seen: &mut Seen| seen.count < count;
        let waited = self.more.wait_timeout_while(self.lock(), time, fewer);
        !waited.expect("no holder panics").1.timed_out()
    }

    /// Waits until all of these have arrived, at most for `time`.
    pub(crate) fn wait_for(&self, numbers: Range<usize>, time: Duration) {
        // Each arrival wakes this, and the next one waits meanwhile: what has arrived is not looked
        // at again.
        let mut rest = numbers;
        let missing = |seen: &mut Seen| {
            while !rest.is_empty() && seen.at.get(rest.start).is_some_and(Option::is_some) {
                rest.start += 1;
            }
            !rest.is_empty()
        };
        let waited = self.more.wait_timeout_while(self.lock(), time, missing);
        drop(waited.expect("no holder panics"));
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no holder panics")
    }
}

/// A running endpoint. Ends when dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    pub(crate) arrivals: Arc<Arrivals>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    pub(crate) fn start() -> anyhow::Result<Self> {
        Self::answering(StatusCode::NO_CONTENT)
    }

    /// One that answers everything with this status.
    pub(crate) fn answering(status: StatusCode) -> anyhow::Result<Self> {
        Self::serving(status, None)
    }

    /// One that takes everything, and notes by its id what has no number.
    pub(crate) fn counting(others: &Arc<Others>) -> anyhow::Result<Self> {
        Self::serving(StatusCode::NO_CONTENT, Some(others.clone()))
    }

    fn serving(status: StatusCode, others: Option<Arc<Others>>) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr().context("failed to ask for the port")?;
        let arrivals = Arc::new(Arrivals::default());
        let seeing = Seeing { arrivals: arrivals.clone(), status, others };
        let app = Router::new().route("/", post(receive)).with_state(Arc::new(seeing));
        let (stop, stopped) = oneshot::channel();
        let serve = async move {
            tokio::select! {
                _ = stopped => (),
                served = axum::serve(listener, app) => served.expect("it serves"),
            }
        };
        let thread = std::thread::spawn(move || runtime.block_on(serve));
        Ok(Self { address, arrivals, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Nobody is left to be told that it panicked.
            thread.join().ok();
        }
    }
}

/// What is noted, and what is answered.
struct Seeing {
    arrivals: Arc<Arrivals>,
    status: StatusCode,
    others: Option<Arc<Others>>,
}

async fn receive(State(seeing): State<Arc<Seeing>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let now = Instant::now();
    let Seeing { arrivals, status, others } = &*seeing;
    match (payload::number(&body), others) {
        (Some(number), _) => arrivals.note(number, now),
        (None, Some(others)) => {
            let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
            let Some(id) = id else { return StatusCode::BAD_REQUEST };
            others.note(id);
        }
        (None, None) if status.is_success() => return StatusCode::BAD_REQUEST,
        // What is refused need not be known.
        (None, None) => (),
    }
    *status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_arrives_twice_the_first_time_counts() {
        let (arrivals, first) = (Arrivals::default(), Instant::now());
        arrivals.note(3, first);
        arrivals.note(3, first + Duration::from_secs(9));
        assert_eq!((arrivals.count(), arrivals.at(3)), (1, Some(first)));
    }

    #[test]
    fn what_is_waited_for_is_those_numbers_and_not_how_many() {
        let arrivals = Arrivals::default();
        arrivals.note(7, Instant::now());
        arrivals.note(9, Instant::now());
        // Two are there, and one of the two is missing: the time is over without it.
        arrivals.wait_for(7..9, Duration::from_millis(1));
        assert_eq!((arrivals.count(), arrivals.at(8)), (2, None));
        std::thread::scope(|scope| {
            scope.spawn(|| arrivals.note(8, Instant::now()));
            arrivals.wait_for(7..10, Duration::from_secs(60));
        });
        assert!(arrivals.at(8).is_some());
    }
}
