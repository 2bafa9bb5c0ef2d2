//! Publishes the public keys of endpoints, and again whenever one of them changes or ends.
//!
//! A task of the gateway beside the path of events, so that nobody who asks for the keys has any
//! secret opened. Never gives out a key that both sides know.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::Parts;
use crate::clock::Clock;
use crate::directory::{Directory, KeySet};

/// At least between two looks at all endpoints, however fast they change.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Publishing {
    directory: Directory,
    clock: Clock,
    /// What is answered at the public port; nothing before the first look.
    jwks: Arc<ArcSwapOption<Bytes>>,
}

impl Publishing {
    pub(super) fn of(parts: &Parts) -> Self {
        let (directory, clock) = (parts.directory.clone(), parts.clock.clone());
        Self { directory, clock, jwks: parts.jwks.clone() }
    }

    /// Publishes until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => (),
            () = self.publish() => (),
        }
    }

    async fn publish(&self) {
        let mut endpoints = self.directory.changes();
        let mut master_keys = self.directory.vault().changes();
        let mut set = KeySet::default();
        loop {
            // Before the look: what changes during it calls for another.
            endpoints.mark_unchanged();
            master_keys.mark_unchanged();
            let (directory, now) = (self.directory.clone(), self.clock.now());
            let looking = tokio::task::spawn_blocking(move || {
                let published = set.published(&directory.all(), directory.vault(), now);
                (set, published)
            });
            let until;
            (set, until) = match looking.await {
                Ok((set, published)) => {
                    self.jwks.store(Some(Arc::new(published.json)));
                    (set, published.until)
                }
                // Those of before stay published.
                Err(error) => {
                    error!("failed to publish the public keys of endpoints: {error}");
                    (KeySet::default(), None)
                }
            };
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                _ = endpoints.changed() => (),
                _ = master_keys.changed() => (),
                () = self.clock.reached(until) => (),
            }
        }
    }
}
