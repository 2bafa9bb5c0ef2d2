//! What the handlers of the configuration run on, on its way to the store.
//!
//! A task of the gateway beside the path of events: events go to a handler that is missing by what
//! is in memory. The store has it for the next start. Never asks a plugin.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Parts;
use crate::causes::chain;
use crate::ids::Name;
use crate::store::{self, HandlerRow, Store};

/// What handlers said of themselves when they were last live, by name: those of the configuration.
pub(super) type Known = BTreeMap<Name, HandlerRow>;

/// The same, for whoever changes it and for the task that writes it down.
pub(super) type Shared = Arc<watch::Sender<Known>>;

/// What the store has of handlers, also of those that the configuration no longer names.
pub(super) async fn restored(store: &Store) -> Result<Shared, store::Error> {
    Ok(Arc::new(watch::Sender::new(known(store).await?)))
}

async fn known(store: &Store) -> Result<Known, store::Error> {
    let rows = store.handlers().await?;
    Ok(rows.into_iter().map(|row| (row.name.clone(), row)).collect())
}

pub(super) struct Handling {
    store: Store,
    known: Shared,
}

impl Handling {
    pub(super) fn of(parts: &Parts) -> Self {
        Self { store: parts.store.clone(), known: parts.handlers.clone() }
    }

    /// Goes on until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => (),
            () = self.go_on() => (),
        }
        // What went wrong is in the log.
        drop(self.note().await);
    }

    async fn go_on(&self) {
        let mut changes = self.known.subscribe();
        loop {
            while let Err(store::Error::Unavailable(_)) = self.note().await {
                self.store.available().await;
            }
            // The sender is here.
            drop(changes.changed().await);
        }
    }

    /// Writes down what the store has otherwise. What it does not take is tried at the next change,
    /// and at a stop.
    async fn note(&self) -> Result<(), store::Error> {
        let now = self.known.borrow().clone();
        let noted = async {
            if known(&self.store).await? == now {
                return Ok(());
            }
            self.store.note_handlers(now.into_values().collect()).await
        };
        noted.await.inspect_err(|error| {
            warn!("failed to note which events handlers run on: {}", chain(error));
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::event::Timestamp;

    /// Without the note behind the loop, a stop right behind a change loses the change.
    #[tokio::test]
    async fn what_changed_right_before_a_stop_is_noted() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(Timestamp(1)));
        let store = Store::open(&store::Config::at(folder.path()), clock).unwrap();
        let known = restored(&store).await.unwrap();
        let row = HandlerRow {
            name: "dunning".parse().unwrap(),
            types: ["payment.*"].iter().map(|it| it.parse().unwrap()).collect(),
            version: "1".to_owned(),
            digest: "d1".to_owned(),
        };
        known.send_modify(|known| drop(known.insert(row.name.clone(), row.clone())));

        let stopped = CancellationToken::new();
        stopped.cancel();
        Handling { store: store.clone(), known }.run(stopped).await;

        assert_eq!(store.handlers().await.unwrap(), [row]);
    }
}
