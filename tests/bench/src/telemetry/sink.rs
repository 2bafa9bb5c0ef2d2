//! The collector that everything is exported to: takes all at once and counts it.
//!
//! On a thread and a runtime of its own. Never reads what an export says.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// What came.
#[derive(Debug, Default)]
struct Came {
    exports: AtomicUsize,
    bytes: AtomicUsize,
}

/// A running collector. Ends when dropped.
pub(super) struct Sink {
    address: SocketAddr,
    came: Arc<Came>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    pub(super) fn start() -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr().context("failed to ask for the port")?;
        let came = Arc::new(Came::default());
        let app = Router::new()
            .route("/v1/traces", post(take))
            .route("/v1/metrics", post(take))
            .layer(DefaultBodyLimit::disable())
            .with_state(came.clone());
        let (stop, stopped) = oneshot::channel();
        let serve = async move {
            tokio::select! {
                _ = stopped => (),
                served = axum::serve(listener, app) => served.expect("it serves"),
            }
        };
        let thread = std::thread::spawn(move || runtime.block_on(serve));
        Ok(Self { address, came, stop: Some(stop), thread: Some(thread) })
    }

    /// Its URL, as the configuration has it.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many exports have come, and their bytes.
    pub(super) fn came(&self) -> (usize, usize) {
        let Came { exports, bytes } = &*self.came;
        (exports.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Nobody is left to be told that it panicked.
            thread.join().ok();
        }
    }
}

/// An empty answer is one without complaints.
async fn take(State(came): State<Arc<Came>>, body: Bytes) -> StatusCode {
    came.exports.fetch_add(1, Ordering::Relaxed);
    came.bytes.fetch_add(body.len(), Ordering::Relaxed);
    StatusCode::OK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_signals_are_taken_and_counted() {
        let sink = Sink::start().unwrap();
        for path in ["/v1/traces", "/v1/metrics"] {
            let answered = crate::asking::post(sink.address, path, "{}").unwrap();
            assert_eq!(answered.0, 200, "{path}");
        }
        assert_eq!(crate::asking::post(sink.address, "/v1/logs", "{}").unwrap().0, 404);
        assert_eq!(sink.came(), (2, 4));
    }
}
