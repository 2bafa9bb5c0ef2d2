//! A connection that many requests share, over HTTP/2.
//!
//! Tasks move its bytes, since whoever waits for one answer can't move those of others; they end
//! with the last who holds it. As many requests are on it at a time as the other side allows, and a
//! request that the other side says it did not look at is given back. What comes while nobody reads
//! an answer is bounded; what one request waits for has the time of that request. A connection on
//! which somebody got no answer takes no new request: it may lead nowhere. Never opens a socket.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri, Version, header};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tracing::debug;

use super::connection::SendError;
use super::error::{EgressError, http_reason};
use super::meter::{Allowance, HEAD_BYTES_MAX, Metered};
use super::origin::Peer;
use super::trace::Trace;
use crate::failure::Phase;
use crate::lock::lock;
use crate::streams::{Streams, Tasks};

/// Most requests at a time on one connection, if the other side allows as many.
const STREAMS_MAX: usize = 100;
/// Most bytes of one answer that are on the way, and of all answers of a connection together.
const BODY_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// Largest head of an answer.
const HEAD_LIST_BYTES_MAX: u32 = 64 * 1024;
/// Most bytes of one request that wait for the other side.
const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Answers that were given up and are still remembered, and those that broke the rules.
const RESETS_MAX: usize = 100;
/// Most bytes that may come while nobody reads an answer: heads, and what there is room for.
const UNREAD_BYTES_MAX: usize = HEAD_BYTES_MAX + CONNECTION_WINDOW as usize;

/// A connection; it closes with the last who holds it.
pub(super) struct Http2 {
    sender: SendRequest<Leaving>,
    peer: Peer,
    /// Requests that it may have at a time.
    streams_max: Arc<AtomicUsize>,
    allowance: Allowance,
    state: Mutex<State>,
    _tasks: Tasks,
}

struct State {
    /// Requests that are on it.
    streams: usize,
    /// Those of them whose answers are read.
    reading: usize,
    /// Nothing new goes over it.
    is_over: bool,
    /// When a request was on it the last time.
    used: Instant,
}

/// A part of a connection, for one request.
pub(super) struct Stream {
    connection: Arc<Http2>,
    is_answered: bool,
}

impl Http2 {
    /// Over a stream that is open to them, with its first request.
    pub(super) async fn over<S>(stream: S, peer: Peer) -> Result<Stream, EgressError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let allowance = Allowance::default();
        allowance.only(UNREAD_BYTES_MAX);
        let stream = Metered { stream, allowance: allowance.clone() };
        let tasks = Tasks::new("sent over HTTP/2");
        let agreed = builder(&tasks).handshake::<_, Leaving>(TokioIo::new(stream)).await;
        let (sender, connection) = match agreed {
            Ok(agreed) => agreed,
            Err(error) => return Err(EgressError::Broken { peer, reason: reason(&error) }),
        };
        let streams_max = Arc::new(AtomicUsize::new(STREAMS_MAX));
        let allowed = Arc::clone(&streams_max);
        let mut connection = Box::pin(connection);
        tasks.spawn(async move {
            let ended = poll_fn(move |cx| {
                let polled = connection.as_mut().poll(cx);
                // The other side may say so at any time.
                let at_a_time = connection.current_max_send_streams().min(STREAMS_MAX);
                allowed.store(at_a_time, Ordering::Relaxed);
                polled
            });
            if let Err(error) = ended.await {
                debug!(%error, "connection over HTTP/2 ended early");
            }
        });
        let state = State { streams: 1, reading: 0, is_over: false, used: Instant::now() };
        let state = Mutex::new(state);
        let connection = Self { sender, peer, streams_max, allowance, state, _tasks: tasks };
        Ok(Stream { connection: Arc::new(connection), is_answered: false })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// A part of it for one more request, if it may have one.
    pub(super) fn stream(self: &Arc<Self>) -> Option<Stream> {
        let mut state = self.state();
        let has_room = state.streams < self.streams_max.load(Ordering::Relaxed);
        if state.is_over || !has_room || self.sender.is_closed() {
            return None;
        }
        state.streams += 1;
        Some(Stream { connection: Arc::clone(self), is_answered: false })
    }

    /// Whether it is of use to others, or was a short time ago.
    pub(super) fn is_kept(&self, longest: Duration) -> bool {
        let state = self.state();
        let is_used = state.streams > 0 || state.used.elapsed() < longest;
        is_used && !state.is_over && !self.sender.is_closed()
    }
}

impl Stream {
    /// All of the connection, to be shared.
    pub(super) fn connection(&self) -> Arc<Http2> {
        Arc::clone(&self.connection)
    }

    /// Who is at its other end.
    pub(super) fn peer(&self) -> &Peer {
        &self.connection.peer
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        trace: &mut Trace,
    ) -> Result<Response<Incoming>, SendError> {
        trace.http2 = true;
        trace.enter(Phase::Send);
        let left = Arc::new(Notify::new());
        let Some(sent) = over_http2(request.clone(), Arc::clone(&left)) else {
            return Err(SendError::Broken(self.broken("the URL can't go over HTTP/2".to_owned())));
        };
        self.begin();
        let mut sender = self.connection.sender.clone();
        let mut awaited = pin!(sender.try_send_request(sent));
        let answered = tokio::select! {
            biased;
            answered = awaited.as_mut() => answered,
            () = left.notified() => {
                trace.enter(Phase::Headers);
                awaited.await
            }
        };
        let mut failed = match answered {
            Ok(response) => {
                self.read();
                return Ok(response);
            }
            Err(failed) => failed,
        };
        if failed.take_message().is_some() {
            return Err(SendError::Unsent(request));
        }
        let error = failed.error();
        let broken = self.broken(reason(error));
        Err(match was_looked_at(error) {
            true => SendError::Broken(broken),
            false => SendError::Refused(request, broken),
        })
    }

    fn broken(&self, reason: String) -> EgressError {
        EgressError::Broken { peer: self.peer().clone(), reason }
    }

    /// An answer is waited for.
    fn begin(&self) {
        let state = self.connection.state();
        if state.reading == 0 {
            self.connection.allowance.only(UNREAD_BYTES_MAX);
        }
    }

    /// The answer is there; whoever reads its body bounds it.
    fn read(&mut self) {
        let mut state = self.connection.state();
        state.reading += 1;
        self.connection.allowance.lift();
        self.is_answered = true;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.connection.state();
        state.streams -= 1;
        state.used = Instant::now();
        if !self.is_answered {
            state.is_over = true;
            return;
        }
        state.reading -= 1;
        if state.reading == 0 {
            self.connection.allowance.only(UNREAD_BYTES_MAX);
        }
    }
}

impl fmt::Debug for Http2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stream").field(&self.connection).finish()
    }
}

fn builder(tasks: &Tasks) -> Builder<Streams> {
    let mut builder = Builder::new(tasks.streams());
    builder
        .initial_max_send_streams(STREAMS_MAX)
        .initial_stream_window_size(BODY_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD_LIST_BYTES_MAX)
        .max_send_buf_size(REQUEST_BYTES_MAX)
        .max_concurrent_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(RESETS_MAX);
    builder
}

/// The request as HTTP/2 has it, where host and scheme are no headers.
fn over_http2(request: Request<Full<Bytes>>, left: Arc<Notify>) -> Option<Request<Leaving>> {
    let (mut head, body) = request.into_parts();
    let host = head.headers.remove(header::HOST)?;
    let mut uri = std::mem::take(&mut head.uri).into_parts();
    uri.scheme = Some(Scheme::HTTPS);
    uri.authority = Some(Authority::try_from(host.as_bytes()).ok()?);
    head.uri = Uri::from_parts(uri).ok()?;
    head.version = Version::HTTP_2;
    Some(Request::from_parts(head, Leaving { body, left }))
}

/// Whether the other side may have done something with a request that failed so. It says so if it
/// has not: by refusing the request, or by going and naming an earlier one as the last.
fn was_looked_at(error: &hyper::Error) -> bool {
    let Some(error) = of_http2(error) else { return true };
    let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    !(error.is_remote() && (error.is_go_away() || is_refused))
}

/// Why an answer did not come.
fn reason(error: &hyper::Error) -> String {
    let Some(found) = of_http2(error) else { return http_reason(error) };
    let code = found.reason().map(u32::from).unwrap_or_default();
    match (found.is_remote(), found.is_go_away()) {
        (true, true) => format!("the peer ended the connection with HTTP/2 error {code}"),
        (true, false) => format!("the peer reset the request with HTTP/2 error {code}"),
        (false, _) => "the answer is not HTTP/2".to_owned(),
    }
}

/// What HTTP/2 says of it.
fn of_http2(error: &hyper::Error) -> Option<&h2::Error> {
    let mut below: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = below {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        below = error.source();
    }
    None
}

/// A body that tells when it is handed over.
struct Leaving {
    body: Full<Bytes>,
    left: Arc<Notify>,
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.left.notify_one();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
