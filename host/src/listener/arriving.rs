//! A body of which a test sends every piece.
//!
//! For those who read bodies. Never ends before its sender is gone.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::mpsc;

/// What arrives of it.
struct Arriving(mpsc::Receiver<Bytes>);

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// A body, and what sends it: so many pieces wait to be read.
pub(crate) fn arriving(pieces: usize) -> (mpsc::Sender<Bytes>, Body) {
    let (sender, pieces) = mpsc::channel(pieces);
    (sender, Body::new(Arriving(pieces)))
}
