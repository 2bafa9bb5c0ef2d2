//! How a connection is served over HTTP/2: many requests at a time, within bounds.
//!
//! A peer may have so many requests open, and so many bytes of their heads and bodies on the way.
//! Whoever takes back what it asks for, again and again, is hung up on, and whoever asks for
//! nothing is told to go. Of a request it looks at nothing but the name of the host.

use std::convert::Infallible;
use std::future::pending;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::connection::{Connection, Wait};
use super::exchange::{self, Answers, HEAD_BYTES_MAX, Service};
use crate::metrics::HungUp;
use crate::streams::{Streams, Tasks};

/// Most bytes of one body that are on the way, and of all bodies of a connection together.
const BODY_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// Most bytes of one answer that wait for the peer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Requests that the peer has taken back before they were looked at; the same of those that the
/// library refused.
const TAKEN_BACK_UNSEEN_MAX: usize = 20;
const REFUSED_UNSEEN_MAX: usize = 100;
/// How long a peer that was told to go may stay without a request.
const LINGER: Duration = Duration::from_secs(1);

/// Serves a connection to its end, with so many requests at a time, and says why if the gateway
/// hung up.
pub(super) async fn serve<S>(
    stream: S,
    at_a_time: NonZeroU32,
    service: Service,
    connection: Arc<Connection>,
) -> Option<HungUp>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Service { app, limits, cancel } = service;
    let begun = Instant::now();
    // What is worked on ends with this: nobody waits for it any more.
    let tasks = Tasks::new("served a request");
    let ends = Ends::default();
    let (seen, ending) = (Arc::clone(&connection), ends.clone());
    let requests =
        service_fn(move |request| answer(app.clone(), seen.clone(), ending.clone(), request));
    let served = builder(&tasks, at_a_time).serve_connection(TokioIo::new(stream), requests);
    let mut served = pin!(served);
    let mut why = None;
    // When the peer was told to go.
    let mut told = None;
    loop {
        let is_last = told.is_some();
        let idle = if is_last { LINGER } else { limits.idle };
        let silence = (told.unwrap_or(begun), idle);
        tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    debug!(%error, "connection ended early");
                }
                return connection.was_given_up().then_some(HungUp::NotReading).or(why);
            }
            reason = overdue(&connection, begun + limits.head, silence) => match reason {
                _ if is_last => return why,
                HungUp::Silent => return Some(reason),
                _ => why = Some(reason),
            },
            () = ends.at_once.cancelled() => return Some(HungUp::TakenBack),
            () = ends.soon.cancelled(), if !is_last => (),
            () = cancel.cancelled(), if !is_last => (),
        }
        if connection.close(Wait::Head) {
            // Nothing of it was taken, and the head may never be whole.
            return why;
        }
        told.get_or_insert_with(Instant::now);
        served.as_mut().graceful_shutdown();
    }
}

/// How the requests of a connection have it end.
#[derive(Clone, Default)]
struct Ends {
    /// Nothing new is taken, and what has begun is answered.
    soon: CancellationToken,
    at_once: CancellationToken,
}

fn builder(tasks: &Tasks, at_a_time: NonZeroU32) -> Builder<Streams> {
    let mut builder = Builder::new(tasks.streams());
    builder
        .max_concurrent_streams(at_a_time.get())
        .max_header_list_size(HEAD_BYTES_MAX)
        .initial_stream_window_size(BODY_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(ANSWER_BYTES_MAX)
        .max_pending_accept_reset_streams(TAKEN_BACK_UNSEEN_MAX)
        .max_local_error_reset_streams(REFUSED_UNSEEN_MAX);
    builder
}

/// Resolves when a peer has asked for nothing for too long, and says as what it is hung up on. What
/// it was idle for before `from` does not count.
async fn overdue(
    connection: &Connection,
    first: Instant,
    (from, idle): (Instant, Duration),
) -> HungUp {
    loop {
        let now = Instant::now();
        let (due, reason) = if connection.is_silent() {
            (first, HungUp::Silent)
        } else {
            // Whoever serves a request has a time of their own for whatever the peer is slow with.
            (connection.idle_since().unwrap_or(now).max(from) + idle, HungUp::Idle)
        };
        if due <= now {
            return reason;
        }
        // Who is silent now may have asked, and been idle for too long, before its own time is up.
        sleep_until(due.min(now + idle).into()).await;
    }
}

/// The answer to one request of many.
async fn answer(
    app: Arc<dyn Answers>,
    connection: Arc<Connection>,
    ends: Ends,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    if connection.was_taken_back_too_often() {
        ends.at_once.cancel();
        return pending().await;
    }
    name_host(&mut request);
    let mut answer = exchange::answer(app, connection, request).await?;
    // What is a header of one answer over HTTP/1.1 is a message of its own here.
    let said = answer.headers_mut().remove(header::CONNECTION);
    if said.is_some_and(|said| said == "close") {
        ends.soon.cancel();
    }
    Ok(answer)
}

/// Has a request name its host as it would over HTTP/1.1: a plugin may look for it there.
fn name_host(request: &mut Request<Incoming>) {
    if request.headers().contains_key(header::HOST) {
        return;
    }
    let authority = request.uri().authority();
    let host = authority.and_then(|it| HeaderValue::try_from(it.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().insert(header::HOST, host);
    }
}

#[cfg(test)]
mod tests;
