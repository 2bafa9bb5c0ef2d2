//! The stream of a connection, which gives up on a peer that does not read.
//!
//! A write that can't go on starts a clock, and only then: by the time that `stall` is over the
//! peer must have read a little, and again in each such time until nothing is left to write. Says
//! of what it reads only that there was something.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::connection::Connection;
use super::socket::Wire;

/// Bytes that a peer must read in each second in which the gateway waits for it.
const BYTES_PER_SECOND: u64 = 1024;

#[derive(Debug)]
pub(super) struct Stream {
    stream: Wire,
    connection: Arc<Connection>,
    stall: Duration,
    stalled: Option<Stalled>,
}

/// A peer that does not read.
#[derive(Debug)]
struct Stalled {
    /// When to look whether it has read.
    look: Pin<Box<Sleep>>,
    /// What was written since that was decided.
    written: u64,
}

impl Stream {
    pub(super) fn new(stream: Wire, connection: Arc<Connection>, stall: Duration) -> Self {
        Self { stream, connection, stall, stalled: None }
    }

    /// What became of a write, unless the peer has been too slow for too long.
    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => {
                if let Some(stalled) = &mut self.stalled {
                    stalled.written += *bytes as u64;
                }
                written
            }
            Poll::Ready(Err(_)) => written,
            Poll::Pending => self.wait(cx).map(Err),
        }
    }

    /// Waits until the peer has been too slow, and gives that as an error.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let stall = self.stall;
        let connection = &self.connection;
        let stalled = self.stalled.get_or_insert_with(|| {
            connection.stalls();
            Stalled { look: Box::pin(sleep(stall)), written: 0 }
        });
        let least = BYTES_PER_SECOND * stall.as_secs().max(1);
        while stalled.look.as_mut().poll(cx).is_ready() {
            if stalled.written < least {
                connection.gives_up();
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            stalled.written = 0;
            stalled.look.as_mut().reset(Instant::now() + stall);
        }
        Poll::Pending
    }

    fn flows(&mut self) {
        if self.stalled.take().is_some() {
            self.connection.flows();
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.connection.hears();
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when nothing is left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flows();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Stream {
    /// What a peer did not read is not kept for it in the kernel either.
    fn drop(&mut self) {
        if self.stalled.is_some()
            && let Err(error) = self.stream.set_zero_linger()
        {
            tracing::debug!(%error, "failed to discard bytes that a peer did not read");
        }
    }
}
