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
