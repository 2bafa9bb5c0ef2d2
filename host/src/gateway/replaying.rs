//! Who goes on with the replays by filter: one slice after the other, of each replay in turn.
//!
//! A task of the gateway beside the path of events, so that a replay needs nobody who waits for it,
//! and goes on after a start. While a high-water mark is reached it opens nothing. A slice that
//! fails is told and tried again; it never ends the gateway.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::causes::chain;
use crate::disk::Disk;
use crate::store::{self, Replay, Replayed, Store};

/// Until a slice that failed is tried again.
const TROUBLE_PAUSE: Duration = Duration::from_secs(10);
/// Between two looks whether enough of the disk is free: as often as somebody looks at that.
const DISK_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Replaying {
    pub(super) store: Store,
    pub(super) disk: Arc<Disk>,
}

impl Replaying {
    /// Goes on with replays until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => (),
            () = self.replay() => (),
        }
    }

    async fn replay(&self) {
        let Self { store, disk } = self;
        let mut last = None;
        loop {
            let moved = store.replays_moved();
            let Some(id) = store.next_replay(last) else {
                moved.await;
                continue;
            };
            if disk.is_low() {
                tokio::time::sleep(DISK_PAUSE).await;
                continue;
            }
            last = Some(id);
            match store.advance_replay(id).await {
                Ok(Some(replay)) => tell(&replay),
                Ok(None) => tokio::time::sleep(TROUBLE_PAUSE).await,
                Err(store::Error::Unavailable(_)) => store.available().await,
                // Others end the gateway for that.
                Err(store::Error::Closed | store::Error::Failed(_)) => pending().await,
                Err(error) => {
                    let reason = chain(&error);
                    error!("failed to go on with {id}; the gateway will try again: {reason}");
                    tokio::time::sleep(TROUBLE_PAUSE).await;
                }
            }
        }
    }
}

/// Logs what a replay came to, when it is at its end.
fn tell(replay: &Replay) {
    let Replay { id, finished_at, replayed, .. } = replay;
    let Replayed { reopened, hastened, unchanged, damaged } = replayed;
    if finished_at.is_some() {
        info!(
            reopened,
            hastened,
            unchanged,
            damaged,
            "{id} is finished: it reopened {reopened} works and hastened {hastened}"
        );
    }
}
