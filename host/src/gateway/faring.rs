//! Has it written down how endpoints fare, and ends what waits for one beyond what may.
//!
//! A task of the gateway beside the path of events, every few seconds, and once more at a stop: a
//! crash loses what came since. Never judges an endpoint.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Parts;
use crate::causes::chain;
use crate::delivery::Delivery;
use crate::directory::Directory;
use crate::failure::Reason;
use crate::ids::Name;
use crate::store::{self, EndOwed, Ended, Store};

/// Between two times.
const PAUSE: Duration = Duration::from_secs(5);

/// Why a delivery ends for which there is no room.
const NO_ROOM: &str = "more deliveries wait for the endpoint than its `held` lets";

pub(super) struct Faring {
    delivery: Arc<Delivery>,
    directory: Directory,
    store: Store,
}

impl Faring {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            delivery: parts.delivery.clone(),
            directory: parts.directory.clone(),
            store: parts.store.clone(),
        }
    }

    /// Goes on until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => (),
            () = self.go_on() => (),
        }
        self.note().await;
    }

    async fn go_on(&self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            self.note().await;
            self.delivery.look_again();
            for (endpoint, held) in self.delivery.held() {
                if let Err(error) = self.shed(&endpoint, held).await {
                    warn!("failed to end deliveries to endpoint {endpoint}: {}", chain(&error));
                    break;
                }
            }
        }
    }

    async fn note(&self) {
        let notes = self.delivery.notes();
        if notes.is_empty() {
            return;
        }
        // Whoever tells of endpoints goes by it, also while the store can't be written.
        self.directory.noted(&notes);
        let names = notes.iter().map(|note| note.key.clone()).collect();
        if let Err(error) = self.store.note_endpoints(notes).await {
            // The next time has them too.
            debug!("failed to note how endpoints fare: {}", chain(&error));
            self.delivery.unnoted(names);
        }
    }

    /// Ends the oldest of what waits for an endpoint beyond this number.
    async fn shed(&self, endpoint: &Name, held: u64) -> Result<(), store::Error> {
        let mut all = 0;
        loop {
            let what = EndOwed {
                endpoint: endpoint.clone(),
                keep: held,
                reason: Reason::EndpointUnreachable,
                detail: NO_ROOM.to_owned(),
            };
            let Ended { ended, more } = self.store.end_owed(what).await?;
            all += ended;
            if ended == 0 || !more {
                break;
            }
        }
        if all > 0 {
            warn!(endpoint.name = %endpoint, ended = all, held, "ended deliveries: {NO_ROOM}");
        }
        Ok(())
    }
}
