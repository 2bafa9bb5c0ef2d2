//! How one connection is served: from its first byte, over what it agrees on, to its end.
//!
//! What a peer may take, in time and in bytes, is bounded at each step. Whether there is room for
//! the connection at all is decided elsewhere. Never looks at a request.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::debug;

use super::Limits;
use super::connection::{Connection, Wait};
use super::front::Front;
use super::stream::Stream;
use super::timer::HeadTimer;
use super::tls::Tls;
use crate::metrics::HungUp;

/// Largest head of a request, in bytes: 431 beyond it.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// What it takes to serve a connection.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) app: Router,
    pub(super) limits: Limits,
    pub(super) front: Arc<Front>,
    pub(super) cancel: CancellationToken,
}

impl Serving {
    /// Serves one connection, and says why if the gateway hung up.
    pub(super) async fn serve(
        self,
        stream: TcpStream,
        connection: Arc<Connection>,
    ) -> Option<HungUp> {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "failed to set TCP_NODELAY on a connection");
        }
        let stream = Stream::new(stream, Arc::clone(&connection), self.limits.stall);
        match self.front.tls() {
            None => self.http1(stream, connection).await,
            // By itself, as it has much to keep.
            Some(tls) => Box::pin(self.secured(&tls, stream, connection)).await,
        }
    }

    async fn secured(
        self,
        tls: &Tls,
        stream: Stream,
        connection: Arc<Connection>,
    ) -> Option<HungUp> {
        let agreed = tokio::select! {
            agreed = tls.accept(stream) => agreed,
            () = sleep(self.limits.handshake) => return Some(HungUp::Silent),
            () = self.cancel.cancelled() => return None,
        };
        match agreed {
            Ok(stream) => self.http1(Box::new(stream), connection).await,
            Err(error) => {
                debug!(%error, "a peer and the gateway did not agree on TLS");
                // Who only looks whether the port is open says nothing.
                connection.has_heard().then_some(HungUp::Tls)
            }
        }
    }

    async fn http1<S>(self, stream: S, connection: Arc<Connection>) -> Option<HungUp>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { app, limits, cancel, .. } = self;
        let Limits { head, idle, .. } = limits;
        let timer = HeadTimer { connection: Arc::clone(&connection), head, idle };
        let seen = Arc::clone(&connection);
        let requests = service_fn(move |request| answer(app.clone(), seen.clone(), request));
        let served = http1::Builder::new()
            .timer(timer)
            // How long that is says the timer.
            .header_read_timeout(head)
            .half_close(limits.half_close)
            .max_header_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), requests);
        let mut served = pin!(served);
        let ended = tokio::select! {
            ended = served.as_mut() => ended,
            () = cancel.cancelled() => {
                if connection.close(Wait::Head) {
                    // Nothing of it was taken, and the head may never be whole.
                    return None;
                }
                served.as_mut().graceful_shutdown();
                served.await
            }
        };
        // Peers that vanish or talk nonsense are everyday life of a public port.
        let error = ended.err()?;
        debug!(%error, "connection ended early");
        hung_up(&error, &connection)
    }
}

async fn answer(
    app: Router,
    connection: Arc<Connection>,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let Some(begun) = connection.begin() else {
        // It was chosen to make room, and ends where this waits.
        return std::future::pending().await;
    };
    request.extensions_mut().insert(Arc::clone(&connection));
    let answer = app.oneshot(request).await;
    begun.answered();
    answer
}

/// Why the gateway hung up, if it did and not the peer.
fn hung_up(error: &hyper::Error, connection: &Connection) -> Option<HungUp> {
    if connection.was_given_up() {
        return Some(HungUp::NotReading);
    }
    let reason = if connection.is_silent() { HungUp::Silent } else { HungUp::Idle };
    error.is_timeout().then_some(reason)
}
