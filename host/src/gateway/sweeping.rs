//! When the store is swept: now and then, and its log packed whenever it has grown by much.
//!
//! A task of the gateway beside the path of events. Removes nothing by itself: what goes is the
//! retention's to say and the store's to do.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::clock::Clock;
use crate::store::{self, Retention, Store};

/// Before the first sweep: a start has better things to do, and a gateway that is often restarted
/// must come to it too.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// Between two sweeps.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// When the log has grown by so much, it is packed without waiting for the next sweep.
const PACK_BYTES: usize = 64 << 20;

/// Sweeps until cancelled. While the store is unavailable it waits.
pub(super) async fn sweep(
    store: Store,
    clock: Clock,
    retention: Retention,
    cancel: CancellationToken,
) -> Result<(), store::Error> {
    let sweeping = async {
        let mut due = clock.now().after(FIRST_PAUSE);
        loop {
            let swept = tokio::select! {
                () = clock.reached(Some(due)) => {
                    due = clock.now().after(PAUSE);
                    store.sweep(&retention).await
                }
                () = store.has_grown(PACK_BYTES) => store.pack(&retention).await,
            };
            match swept {
                Err(store::Error::Unavailable(_)) => store.available().await,
                swept => debug!(swept = ?swept?, "swept the store"),
            }
        }
    };
    tokio::select! {
        () = cancel.cancelled() => Ok(()),
        failed = sweeping => failed,
    }
}
