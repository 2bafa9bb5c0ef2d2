//! How long a connection may wait for the head of a request.
//!
//! Stands in for the timer of the HTTP library, which knows one time for everything: here the first
//! request has a short one, a later one has a long one until its first byte, and then the short
//! one. Never decides how a connection ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use super::connection::Connection;

/// The timer of one connection, for the heads of its requests only.
#[derive(Debug)]
pub(super) struct HeadTimer {
    pub(super) connection: Arc<Connection>,
    /// For the first head, and for the rest of a later one.
    pub(super) head: Duration,
    /// For the beginning of a later one.
    pub(super) idle: Duration,
}

/// The wait for one head.
struct HeadSleep {
    connection: Arc<Connection>,
    until: Pin<Box<tokio::time::Sleep>>,
    /// How long it may still take once it has begun; none if that makes no difference any more.
    rest: Option<Duration>,
}

impl Timer for HeadTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        self.connection.listens();
        let (time, rest) = if self.connection.is_silent() {
            (self.head, None)
        } else {
            (self.idle, Some(self.head))
        };
        let until = Box::pin(tokio::time::sleep(time));
        Box::pin(HeadSleep { connection: Arc::clone(&self.connection), until, rest })
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(Instant::now()))
    }
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.connection.has_heard()
            && let Some(rest) = self.rest.take()
        {
            self.until.as_mut().reset(tokio::time::Instant::now() + rest);
        }
        self.until.as_mut().poll(cx)
    }
}
