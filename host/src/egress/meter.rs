//! A connection that counts what the other side sends before its answer, and breaks at a limit; and
//! that tells whether a request has left.
//!
//! HTTP allows any number of interim answers (100 to 199) before the answer, and who reads them on
//! and on neither ends nor lets others run. What belongs to an answer is small; more than that is a
//! broken connection. Never looks at what it counts.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes that may come before an answer and with its head. A body's first bytes may be read
/// with it, so there is room for those.
pub(super) const HEAD_BYTES_MAX: usize = 256 * 1024;

/// The other side sent and sent, and no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer sent more than {} KiB and no answer", HEAD_BYTES_MAX / 1024)]
pub(super) struct TooMuch;

/// What may still come, and how far a request is. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowance(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    /// Bytes that may still come.
    to_come: AtomicUsize,
    /// Whether something was written that may not have left.
    is_leaving: AtomicBool,
    /// Whether something was written, and all of it has left.
    has_left: AtomicBool,
}

impl Allowance {
    /// From now on an answer is waited for, to a request of which nothing has left.
    pub(super) fn until_answer(&self) {
        self.only(HEAD_BYTES_MAX);
        self.0.is_leaving.store(false, Ordering::Relaxed);
        self.0.has_left.store(false, Ordering::Relaxed);
    }

    /// So many bytes may come from now on.
    pub(super) fn only(&self, bytes: usize) {
        self.0.to_come.store(bytes, Ordering::Relaxed);
    }

    /// The answer is there; whoever reads its body bounds it.
    pub(super) fn lift(&self) {
        self.0.to_come.store(usize::MAX, Ordering::Relaxed);
    }

    /// Whether the request has left. Its head and its body are handed over together, and what was
    /// written is pressed for only behind the last of it.
    pub(super) fn has_left(&self) -> bool {
        self.0.has_left.load(Ordering::Relaxed)
    }

    fn note_written(&self) {
        self.0.is_leaving.store(true, Ordering::Relaxed);
        self.0.has_left.store(false, Ordering::Relaxed);
    }

    fn note_flushed(&self) {
        if self.0.is_leaving.swap(false, Ordering::Relaxed) {
            self.0.has_left.store(true, Ordering::Relaxed);
        }
    }

    fn take(&self, bytes: usize) -> Result<(), TooMuch> {
        let take = |left: usize| left.checked_sub(bytes);
        let taken = self.0.to_come.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(drop).map_err(|_| TooMuch)
    }
}

/// A stream and what may still come on it.
#[derive(Debug)]
pub(super) struct Metered<S> {
    pub(super) stream: S,
    pub(super) allowance: Allowance,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let came = this.allowance.take(buf.filled().len() - before);
        Poll::Ready(came.map_err(io::Error::other))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.allowance.note_written();
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.allowance.note_flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.allowance.note_written();
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
