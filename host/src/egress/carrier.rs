//! What a request goes over: a connection of its own for as long as it takes, or a part of one that
//! others use meanwhile.
//!
//! Alike for whoever sends and reads. Never opens a socket.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};

use super::connection::{Connection, SendError};
use super::http2::Stream;
use super::origin::Peer;
use super::trace::Trace;

/// Dropping it gives up the request.
#[derive(Debug)]
pub(super) enum Carrier {
    Http1(Connection),
    Http2(Stream),
}

impl Carrier {
    /// Who is at the other end.
    pub(super) fn peer(&self) -> &Peer {
        match self {
            Self::Http1(connection) => connection.peer(),
            Self::Http2(stream) => stream.peer(),
        }
    }

    /// Sends a request and waits for the head of its answer. A connection on which nothing can be
    /// sent now gives the request back at once.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        trace: &mut Trace,
    ) -> Result<Response<Incoming>, SendError> {
        match self {
            Self::Http1(connection) => connection.send(request, trace).await,
            // By itself, so that what most requests keep while they wait does not grow by it.
            Self::Http2(stream) => Box::pin(stream.send(request, trace)).await,
        }
    }

    /// The next piece of an answer that came over it; `None` behind its last.
    pub(super) async fn frame(
        &mut self,
        body: &mut Incoming,
    ) -> Option<Result<Frame<Bytes>, hyper::Error>> {
        match self {
            Self::Http1(connection) => connection.frame(body).await,
            Self::Http2(_) => body.frame().await,
        }
    }

    /// Resolves when all of a request is sent whose answer was read, or nothing can be sent any
    /// more. What is still to be sent over a shared connection is sent by whoever moves its bytes.
    pub(super) async fn sent(&mut self) {
        if let Self::Http1(connection) = self {
            connection.sent().await;
        }
    }
}
