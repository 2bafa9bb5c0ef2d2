//! What moves the bytes of a connection, whenever somebody waits for what comes over it.
//!
//! A connection has no task: the one that sends a request and waits for its answer moves the bytes
//! meanwhile, so that nothing goes from one task to another and back. While nobody waits, the
//! system keeps what comes. Never says what went wrong: that comes to whoever waits.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::task::coop::unconstrained;

type Running = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// What moves the bytes, as long as the connection is open.
pub(super) struct Driver(Option<Running>);

impl Driver {
    pub(super) fn new(
        connection: impl Future<Output = hyper::Result<()>> + Send + 'static,
    ) -> Self {
        Self(Some(Box::pin(connection)))
    }

    /// Waits for something that comes over the connection and in no other way.
    pub(super) async fn bring<T>(&mut self, awaited: impl Future<Output = T>) -> T {
        // Nobody has to be woken for it: it comes while the bytes are moved, in the same poll. It
        // must not yield to others either, for that it would be woken.
        let mut awaited = pin!(unconstrained(awaited));
        poll_fn(|cx| {
            let mut unheard = Context::from_waker(Waker::noop());
            if let Poll::Ready(come) = awaited.as_mut().poll(&mut unheard) {
                return Poll::Ready(come);
            }
            self.advance(cx);
            awaited.as_mut().poll(&mut unheard)
        })
        .await
    }

    /// Moves bytes until this is so, or the connection is closed.
    pub(super) async fn until(&mut self, is_so: impl Fn() -> bool) {
        if is_so() {
            return;
        }
        poll_fn(move |cx| {
            // What follows from the last bytes of a request shows in the turn behind the one that
            // wrote them, and nobody is woken for that.
            for _ in 0..2 {
                self.advance(cx);
                if is_so() || self.0.is_none() {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
        .await;
    }

    /// Takes notice of what has come while nobody waited: that the other side has closed, say.
    pub(super) fn notice(&mut self) {
        self.advance(&mut Context::from_waker(Waker::noop()));
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        let Some(running) = &mut self.0 else { return };
        if running.as_mut().poll(cx).is_ready() {
            // Closes the connection, and tells whoever waits.
            self.0 = None;
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Driver(open)" } else { "Driver(closed)" })
    }
}
