//! Endpoints that hang or fail, and then recover: one server, an endpoint for each path.
//!
//! On a thread and a runtime of its own. Notes what it accepts, and when; never what it refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::payload;

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing, for ever.
    Hangs,
    /// It answers 503.
    Fails,
    Accepts,
}

/// What was accepted.
#[derive(Debug, Default)]
struct Accepted {
    numbers: BTreeSet<usize>,
    /// By the path.
    at: BTreeMap<String, Vec<Instant>>,
}

struct Shared {
    mode: Mutex<Mode>,
    accepted: Mutex<Accepted>,
    more: Condvar,
}

/// A running server. Ends when dropped.
pub(super) struct Recovering {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Recovering {
    pub(super) fn start(mode: Mode) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr().context("failed to ask for the port")?;
        let shared = Arc::new(Shared {
            mode: Mutex::new(mode),
            accepted: Mutex::default(),
            more: Condvar::new(),
        });
        let app = Router::new().fallback(receive).with_state(shared.clone());
        let (stop, stopped) = oneshot::channel();
        let serve = async move {
            tokio::select! {
                _ = stopped => (),
                served = axum::serve(listener, app) => served.expect("it serves"),
            }
        };
        let thread = std::thread::spawn(move || runtime.block_on(serve));
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Accepts everything from now on.
    pub(super) fn recover(&self) {
        *self.shared.mode.lock().expect("no holder panics") = Mode::Accepts;
    }

    /// Waits until so many payloads were accepted, at most until then; how many were.
    pub(super) fn wait(&self, count: usize, until: Instant) -> usize {
        let accepted = self.shared.accepted.lock().expect("no holder panics");
        let time = until.saturating_duration_since(Instant::now());
        let fewer = |accepted: &mut Accepted| accepted.numbers.len() < count;
        let waited = self.shared.more.wait_timeout_while(accepted, time, fewer);
        waited.expect("no holder panics").0.numbers.len()
    }

    /// The most that one endpoint has accepted within any such time.
    pub(super) fn most_within(&self, time: Duration) -> usize {
        let accepted = self.shared.accepted.lock().expect("no holder panics");
        accepted.at.values().map(|at| most_within(at, time)).max().unwrap_or_default()
    }
}

impl Drop for Recovering {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Nobody is left to be told that it panicked.
            thread.join().ok();
        }
    }
}

/// The most of these, which are in their order, within any such time.
fn most_within(at: &[Instant], time: Duration) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, now) in at.iter().enumerate() {
        while now.saturating_duration_since(at[first]) >= time {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

async fn receive(State(shared): State<Arc<Shared>>, uri: Uri, body: Bytes) -> StatusCode {
    let mode = *shared.mode.lock().expect("no holder panics");
    match mode {
        Mode::Hangs => std::future::pending().await,
        Mode::Fails => StatusCode::SERVICE_UNAVAILABLE,
        Mode::Accepts => {
            let Some(number) = payload::number(&body) else { return StatusCode::BAD_REQUEST };
            let mut accepted = shared.accepted.lock().expect("no holder panics");
            accepted.numbers.insert(number);
            accepted.at.entry(uri.path().to_owned()).or_default().push(Instant::now());
            shared.more.notify_all();
            StatusCode::NO_CONTENT
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asking::post;

    #[test]
    fn the_most_within_a_time_is_found_wherever_it_is() {
        let begin = Instant::now();
        let at = |seconds: &[u64]| {
            seconds.iter().map(|it| begin + Duration::from_secs(*it)).collect::<Vec<_>>()
        };
        let time = Duration::from_secs(2);
        assert_eq!(most_within(&at(&[0, 1, 2, 3, 3, 3, 9]), time), 4);
        assert_eq!(most_within(&at(&[0, 2, 4]), time), 1);
        assert_eq!(most_within(&[], time), 0);
    }

    #[test]
    fn what_fails_accepts_once_it_has_recovered() {
        let server = Recovering::start(Mode::Fails).unwrap();
        let body = format!("{{\"id\":\"{}00000007\"}}", payload::MARK);
        assert_eq!(post(server.address, "/e1", &body).unwrap().0, 503);
        assert_eq!(server.wait(1, Instant::now()), 0);
        server.recover();
        assert_eq!(post(server.address, "/e1", &body).unwrap().0, 204);
        assert_eq!(server.wait(1, Instant::now() + Duration::from_secs(60)), 1);
        assert_eq!(server.most_within(Duration::from_secs(1)), 1);
    }
}
