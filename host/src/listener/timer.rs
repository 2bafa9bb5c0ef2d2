//! How long a connection may wait for the head of a request.
//!
//! Stands in for the timer of the HTTP library, which knows one time for everything: here the first
//! request has a short one, a later one has a long one until its first byte, and then the short
//! one. A connection has one timer that is put off for each request: to set up another takes the
//! lock of all timers, and again to drop it. Never decides how a connection ends.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use super::connection::Connection;
use crate::lock::lock;

/// The timer of one connection, for the heads of its requests only.
#[derive(Debug)]
pub(super) struct HeadTimer {
    pub(super) connection: Arc<Connection>,
    /// For the first head, and for the rest of a later one.
    pub(super) head: Duration,
    /// For the beginning of a later one.
    pub(super) idle: Duration,
    /// Between two waits.
    pub(super) rests: Resting,
}

/// The timer of a connection while nobody waits for a head.
type Resting = Arc<Mutex<Option<Until>>>;

type Until = Pin<Box<tokio::time::Sleep>>;

/// The wait for one head.
struct HeadSleep {
    connection: Arc<Connection>,
    /// Until it is dropped.
    until: Option<Until>,
    rests: Resting,
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
        let due = tokio::time::Instant::now() + time;
        let rested = lock(&self.rests).take();
        let until = rested.map_or_else(
            || Box::pin(tokio::time::sleep_until(due)),
            |mut until| {
                until.as_mut().reset(due);
                until
            },
        );
        let (connection, rests) = (Arc::clone(&self.connection), Arc::clone(&self.rests));
        Box::pin(HeadSleep { connection, until: Some(until), rests, rest })
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(Instant::now()))
    }
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { connection, until, rest, .. } = &mut *self;
        let Some(until) = until else { return Poll::Pending };
        if connection.has_heard()
            && let Some(rest) = rest.take()
        {
            until.as_mut().reset(tokio::time::Instant::now() + rest);
        }
        until.as_mut().poll(cx)
    }
}

impl Drop for HeadSleep {
    fn drop(&mut self) {
        *lock(&self.rests) = self.until.take();
    }
}
