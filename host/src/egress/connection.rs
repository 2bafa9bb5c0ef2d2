//! One connection to an origin over HTTP/1.1, used for one request at a time.
//!
//! Counts what comes before an answer. Never opens a socket and never judges an answer.

use std::future::poll_fn;
use std::pin::pin;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::driver::Driver;
use super::error::{EgressError, http_reason};
use super::meter::{Allowance, Metered};
use super::origin::Peer;
use super::trace::Trace;
use crate::failure::Phase;

/// Most bytes of a connection that are held while they are read, and the largest head.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Most headers of an answer.
const HEADERS_MAX: usize = 512;

/// A connection; dropping it closes it.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
    allowance: Allowance,
    peer: Peer,
}

/// Why a request got no answer.
pub(super) enum SendError {
    /// The connection was closed before any of it was sent: it may be sent on another.
    Unsent(Request<Full<Bytes>>),
    /// The other side says that it did not look at it, for this reason: the same once more.
    Refused(Request<Full<Bytes>>, EgressError),
    /// Something of it may have arrived.
    Broken(EgressError),
}

impl Connection {
    /// Over a stream that is open to them.
    pub(super) async fn over<S>(stream: S, peer: Peer) -> Result<Self, EgressError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let allowance = Allowance::default();
        let stream = Metered { stream, allowance: allowance.clone() };
        let mut builder = Builder::new();
        builder.max_buf_size(BUFFER_BYTES_MAX).max_headers(HEADERS_MAX);
        match builder.handshake(TokioIo::new(stream)).await {
            Ok((sender, connection)) => {
                Ok(Self { sender, driver: Driver::new(connection), allowance, peer })
            }
            Err(error) => Err(EgressError::Broken { peer, reason: http_reason(&error) }),
        }
    }

    /// Who is at its other end.
    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether it is known that nothing can be sent on it any more.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether the last request is sent and its answer read, as far as is known, so that another
    /// may be sent.
    pub(super) fn is_free(&self) -> bool {
        self.sender.is_ready()
    }

    /// Whether it is known by now of a connection that nobody has used for a while that nothing can
    /// be sent on it.
    pub(super) fn was_closed(&mut self) -> bool {
        self.driver.notice();
        self.is_closed()
    }

    /// Sends a request and waits for the head of its answer. A connection on which nothing can be
    /// sent now gives the request back at once.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        trace: &mut Trace,
    ) -> Result<Response<Incoming>, SendError> {
        let Self { sender, driver, allowance, peer } = self;
        allowance.until_answer();
        trace.enter(Phase::Send);
        let sent = pin!(sender.try_send_request(request));
        let mut answered = pin!(driver.bring(sent));
        let answered = poll_fn(|cx| {
            let polled = answered.as_mut().poll(cx);
            // It leaves while the answer is waited for, and nobody is told.
            if trace.phase == Some(Phase::Send) && allowance.has_left() {
                trace.enter(Phase::Headers);
            }
            polled
        });
        match answered.await {
            Ok(response) => {
                allowance.lift();
                Ok(response)
            }
            Err(mut error) => Err(match error.take_message() {
                Some(request) => SendError::Unsent(request),
                None => {
                    let reason = http_reason(error.error());
                    SendError::Broken(EgressError::Broken { peer: peer.clone(), reason })
                }
            }),
        }
    }

    /// The next piece of an answer that came over this connection; `None` behind its last.
    pub(super) async fn frame(
        &mut self,
        body: &mut Incoming,
    ) -> Option<Result<Frame<Bytes>, hyper::Error>> {
        self.driver.bring(body.frame()).await
    }

    /// Resolves when all of a request is sent whose answer was read, or nothing can be sent any
    /// more. An answer may come before all of its request has.
    pub(super) async fn sent(&mut self) {
        let Self { sender, driver, .. } = self;
        driver.until(move || sender.is_ready()).await;
    }
}
