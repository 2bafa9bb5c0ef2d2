//! How a connection is served over HTTP/1.1: one request after the other.
//!
//! Whoever is slow with the head of a request is hung up on. Never looks at a request.

use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::Limits;
use super::connection::{Connection, Wait};
use super::exchange::{HEAD_BYTES_MAX, Service, answer};
use super::timer::HeadTimer;
use crate::metrics::HungUp;

/// Serves a connection to its end, and says why if the gateway hung up.
pub(super) async fn serve<S>(
    stream: S,
    service: Service,
    connection: Arc<Connection>,
) -> Option<HungUp>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Service { app, limits, cancel } = service;
    let Limits { head, idle, .. } = limits;
    let rests = Arc::default();
    let timer = HeadTimer { connection: Arc::clone(&connection), head, idle, rests };
    let seen = Arc::clone(&connection);
    let requests = service_fn(move |request| answer(app.clone(), seen.clone(), request));
    let served = http1::Builder::new()
        .timer(timer)
        // How long that is says the timer.
        .header_read_timeout(head)
        .half_close(limits.half_close)
        .max_header_size(HEAD_BYTES_MAX as usize)
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

/// Why the gateway hung up, if it did and not the peer.
fn hung_up(error: &hyper::Error, connection: &Connection) -> Option<HungUp> {
    if connection.was_given_up() {
        return Some(HungUp::NotReading);
    }
    let reason = if connection.is_silent() { HungUp::Silent } else { HungUp::Idle };
    error.is_timeout().then_some(reason)
}
