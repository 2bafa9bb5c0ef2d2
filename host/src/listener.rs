//! Connections from outside: accepted up to a limit, served over HTTP/1.1, and drained at the end.
//!
//! Stands before the router of whoever listens. A peer that is slow to say what it wants is hung up
//! on, a full table makes the next ones wait in the kernel's queue, and no trouble with accepting
//! ends the listener. Never looks at a request.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

/// How much of it at once, and how patiently.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections that are open at the same time.
    pub connections_max: usize,
    /// For the head of a request, from when it could have begun: idle connections end after it too.
    pub head_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections_max: 10_000, head_timeout: Duration::from_secs(10) }
    }
}

/// How long to wait when the system has nothing to accept with.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `app` until cancelled; then closes what is idle, finishes what is in flight, and returns.
/// Dropping it hangs up on everybody.
pub async fn serve(listener: TcpListener, app: Router, limits: Limits, cancel: CancellationToken) {
    let mut connections = JoinSet::new();
    let mut failing = false;
    loop {
        let room = connections.len() < limits.connections_max;
        tokio::select! {
            () = cancel.cancelled() => break,
            stream = accept(&listener, &mut failing), if room => {
                let serving = serve_one(stream, app.clone(), limits.head_timeout, cancel.clone());
                connections.spawn(serving);
            }
            Some(ended) = connections.join_next() => log_panic(ended),
        }
    }
    // Who is still in the kernel's queue may try the next instance at once.
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        log_panic(ended);
    }
}

/// The next connection. `failing` is kept by the caller, so that a burst of errors is logged once
/// even when this is given up and called again.
async fn accept(listener: &TcpListener, failing: &mut bool) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                *failing = false;
                return stream;
            }
            Err(error) if is_the_peers(&error) => {
                debug!(%error, "peer left before it was accepted")
            }
            Err(error) => {
                if !std::mem::replace(failing, true) {
                    error!(%error, "failed to accept a connection; trying again until it works");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn serve_one(
    stream: TcpStream,
    app: Router,
    head_timeout: Duration,
    cancel: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "failed to switch off delays on a connection");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = cancel.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // Peers that vanish or talk nonsense are everyday life of a public port.
    if let Err(error) = ended {
        debug!(%error, "connection ended early");
    }
}

/// A request that panics costs its own connection and nobody else's.
fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        error!(%error, "connection panicked");
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    use super::*;

    /// A listener that serves in the background.
    struct Served {
        address: SocketAddr,
        cancel: CancellationToken,
        tasks: JoinSet<()>,
    }

    async fn start(app: Router, limits: Limits) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, app, limits, cancel.clone()));
        Served { address, cancel, tasks }
    }

    /// Long enough for anything that is not stuck.
    const PATIENCE: Duration = Duration::from_secs(5);

    impl Served {
        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }

        async fn stop(mut self) {
            self.cancel.cancel();
            let ended = tokio::time::timeout(PATIENCE, self.tasks.join_next()).await;
            ended.expect("it drains at once").unwrap().unwrap();
        }
    }

    fn hello() -> Router {
        Router::new().route("/", get(|| async { "hello" }))
    }

    async fn ask(stream: &mut TcpStream) {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
    }

    /// Reads up to the end of the answer, which is `hello`.
    async fn hear(stream: &mut TcpStream) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "hung up on");
        }
        String::from_utf8(answer).unwrap()
    }

    async fn is_hung_up_on(stream: &mut TcpStream) -> bool {
        let mut buffer = [0; 1024];
        let heard = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await;
        !matches!(heard.expect("it ends soon"), Ok(1..))
    }

    #[tokio::test]
    async fn a_connection_serves_one_request_after_the_other() {
        let served = start(hello(), Limits::default()).await;
        let mut stream = served.connect().await;
        for _ in 0..3 {
            ask(&mut stream).await;
            assert!(hear(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
        }
        served.stop().await;
    }

    #[tokio::test]
    async fn stopping_closes_what_is_idle() {
        let served = start(hello(), Limits::default()).await;
        let (mut silent, mut idle) = (served.connect().await, served.connect().await);
        ask(&mut idle).await;
        hear(&mut idle).await;

        served.stop().await;

        assert!(is_hung_up_on(&mut idle).await);
        assert!(is_hung_up_on(&mut silent).await);
    }

    #[tokio::test]
    async fn stopping_finishes_what_is_in_flight() {
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (begins, waits) = (begun.clone(), go_on.clone());
        let handler = || async move {
            begins.notify_one();
            waits.notified().await;
            "hello"
        };
        let app = Router::new().route("/", get(handler));
        let served = start(app, Limits::default()).await;
        let mut stream = served.connect().await;
        ask(&mut stream).await;
        begun.notified().await;

        let stopped = served.stop();
        let finish = async {
            go_on.notify_one();
            hear(&mut stream).await;
            assert!(is_hung_up_on(&mut stream).await);
        };
        tokio::join!(stopped, finish);
    }

    #[tokio::test]
    async fn a_full_table_makes_the_next_one_wait() {
        let limits = Limits { connections_max: 1, ..Limits::default() };
        let served = start(hello(), limits).await;
        let mut first = served.connect().await;
        ask(&mut first).await;
        hear(&mut first).await;

        let mut second = served.connect().await;
        ask(&mut second).await;
        let brief = tokio::time::timeout(Duration::from_millis(100), hear(&mut second)).await;
        assert!(brief.is_err(), "served beyond the limit");

        drop(first);
        hear(&mut second).await;
        served.stop().await;
    }

    #[tokio::test]
    async fn who_is_slow_to_ask_is_hung_up_on() {
        let limits = Limits { head_timeout: Duration::from_millis(50), ..Limits::default() };
        let served = start(hello(), limits).await;
        let mut stream = served.connect().await;
        stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        assert!(is_hung_up_on(&mut stream).await);
        served.stop().await;
    }

    #[tokio::test]
    async fn a_panic_costs_one_connection() {
        let app = hello().route("/panic", get(|| async { panic!("as the test wants it") as () }));
        let served = start(app, Limits::default()).await;
        let (mut unlucky, mut other) = (served.connect().await, served.connect().await);
        unlucky.write_all(b"GET /panic HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
        assert!(is_hung_up_on(&mut unlucky).await);

        ask(&mut other).await;
        hear(&mut other).await;
        served.stop().await;
    }
}
