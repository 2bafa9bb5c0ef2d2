//! What works on one connection over HTTP/2: a task for each part of the work, such as a request.
//!
//! All of them end with whoever holds them, and one that panics costs itself and no other. Never
//! opens a connection, and never knows what its tasks do.

use std::sync::{Arc, Mutex, Weak};

use hyper::rt::Executor;
use tokio::task::JoinSet;
use tracing::error;

use crate::lock::lock;

/// The tasks of one connection; dropping it ends them.
pub(crate) struct Tasks {
    all: Arc<Mutex<JoinSet<()>>>,
    /// What the gateway was doing if one panics, for the log: `served a request`.
    what: &'static str,
}

/// Has each part of the work go on by itself. Held by the tasks too, so it must not keep them.
#[derive(Clone)]
pub(crate) struct Streams {
    all: Weak<Mutex<JoinSet<()>>>,
    what: &'static str,
}

impl Tasks {
    /// None yet.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { all: Arc::default(), what }
    }

    /// What the connection hands the parts of its work to.
    pub(crate) fn streams(&self) -> Streams {
        Streams { all: Arc::downgrade(&self.all), what: self.what }
    }

    /// One more.
    pub(crate) fn spawn(&self, part: impl Future<Output = ()> + Send + 'static) {
        lock(&self.all).spawn(part);
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, part: F) {
        let Some(all) = self.all.upgrade() else { return };
        let mut all = lock(&all);
        while let Some(ended) = all.try_join_next() {
            if let Err(error) = ended
                && error.is_panic()
            {
                error!(%error, "the gateway panicked while it {}", self.what);
            }
        }
        all.spawn(part);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    async fn panics() {
        panic!("on purpose");
    }

    #[tokio::test]
    async fn a_part_that_panics_ends_no_other_and_all_end_with_who_holds_them() {
        let tasks = Tasks::new("ran a test");
        let streams = tasks.streams();
        streams.execute(panics());
        let (tell, told) = oneshot::channel();
        streams.execute(async move { _ = tell.send(()) });
        told.await.expect("another part goes on");

        let (held, dropped) = oneshot::channel::<()>();
        tasks.spawn(async move {
            pending::<()>().await;
            drop(held);
        });
        drop(tasks);
        assert!(dropped.await.is_err(), "it ended before it was done");

        let (held, dropped) = oneshot::channel::<()>();
        streams.execute(async move { _ = held.send(()) });
        assert!(dropped.await.is_err(), "nobody holds the connection any more");
    }
}
