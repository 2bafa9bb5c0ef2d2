//! The one loop that works through what the store owes: parses, runs, deliveries.
//!
//! Written once, so that its subtle parts exist once. It never keeps work to itself: what it has
//! not claimed stays in the store, and what it has claimed is finished.

use std::future::Future;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::store;

/// A kind of work: where it comes from and how one piece of it is done.
pub(crate) trait Work: Clone + Send + 'static {
    /// One piece of it, claimed.
    type Item: Send + 'static;

    /// Takes at most `room` pieces that are due.
    fn claim(&self, room: usize) -> Result<Vec<Self::Item>, store::Error>;

    /// Resolves when [`Work::claim`] may give more than before.
    fn ready(&self) -> impl Future<Output = ()> + Send;

    /// Does it and commits how it ended. If the store is unavailable, it is claimed again; any other
    /// error means that the store is broken.
    fn perform(self, item: Self::Item) -> impl Future<Output = Result<(), store::Error>> + Send;
}

/// Claims due work and performs it, at most `limit` at a time, until cancelled; then finishes what
/// it has claimed.
///
/// While the store is unavailable it waits. An error means that the store is broken: the caller ends
/// the gateway, and a restart continues.
pub(crate) async fn work<W: Work>(
    work: W,
    limit: usize,
    cancel: CancellationToken,
) -> Result<(), store::Error> {
    let mut in_flight = JoinSet::new();
    while !cancel.is_cancelled() {
        // Armed before looking: what is stored in between must not be missed.
        let ready = work.ready();
        for item in if_available(work.claim(limit - in_flight.len()))?.unwrap_or_default() {
            in_flight.spawn(work.clone().perform(item));
        }
        // With no room left only a finished piece can change anything.
        let room = in_flight.len() < limit;
        tokio::select! {
            () = cancel.cancelled() => (),
            () = ready, if room => (),
            Some(ended) = in_flight.join_next() => {
                if_available(ended.expect("work does not panic"))?;
            }
        }
    }
    while let Some(ended) = in_flight.join_next().await {
        if_available(ended.expect("work does not panic"))?;
    }
    Ok(())
}

/// An outage ends no worker: `ready` resolves at its end.
fn if_available<T>(result: Result<T, store::Error>) -> Result<Option<T>, store::Error> {
    match result {
        Err(store::Error::Unavailable(_)) => Ok(None),
        result => result.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Can't be claimed at first, then can't be committed, then is cancelled.
    #[derive(Clone)]
    struct Troubled {
        asked: Arc<AtomicUsize>,
        cancel: CancellationToken,
        trouble: store::Error,
    }

    impl Work for Troubled {
        type Item = ();

        fn claim(&self, _room: usize) -> Result<Vec<()>, store::Error> {
            match self.asked.fetch_add(1, Ordering::Relaxed) {
                0 => Err(self.trouble.clone()),
                1 => Ok(vec![()]),
                _ => {
                    self.cancel.cancel();
                    Ok(Vec::new())
                }
            }
        }

        fn ready(&self) -> impl Future<Output = ()> + Send {
            std::future::ready(())
        }

        async fn perform(self, (): ()) -> Result<(), store::Error> {
            Err(self.trouble)
        }
    }

    async fn ended_by(trouble: store::Error) -> (Result<(), store::Error>, usize) {
        let cancel = CancellationToken::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let troubled = Troubled { asked: asked.clone(), cancel: cancel.clone(), trouble };
        (work(troubled, 4, cancel).await, asked.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn an_outage_of_the_store_ends_no_worker_and_anything_else_does() {
        let unavailable = store::Error::Unavailable(Arc::new(store::Failure::Replaced));
        let (ended, asked) = ended_by(unavailable).await;
        assert!(ended.is_ok() && asked >= 3, "{ended:?} after {asked} claims");

        let (ended, asked) = ended_by(store::Error::Closed).await;
        assert!(matches!(ended, Err(store::Error::Closed)) && asked == 1);
    }
}
