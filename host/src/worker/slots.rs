//! The slots of a worker: so many pieces are performed at a time.
//!
//! A slot is free again when the try has ended, and not only when its outcome is on disk: how fast
//! the disk is says nothing about how much can be done at a time. Where the store has no room for
//! more outcomes on their way, the slot is held until the commit. Never knows a piece.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::store::{self, Committing};

/// The slots of one worker.
#[derive(Debug)]
pub(super) struct Slots(Arc<Semaphore>);

/// The right to perform one piece; free again when it is dropped. The default is nobody's.
#[derive(Debug, Default)]
pub(crate) struct Slot(Option<OwnedSemaphorePermit>);

impl Slots {
    pub(super) fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    pub(super) fn free(&self) -> usize {
        self.0.available_permits()
    }

    /// One that is free. Whoever takes more than there are works without.
    pub(super) fn take(&self) -> Slot {
        Slot(Arc::clone(&self.0).try_acquire_owned().ok())
    }

    /// Resolves when one is free.
    pub(super) async fn freed(&self) {
        drop(self.0.acquire().await);
    }
}

/// Waits until the outcome of a try is on disk. The slot is free before, if the store has room.
pub(crate) async fn on_disk<T>(
    committing: Committing<T>,
    slot: &mut Slot,
) -> Result<T, store::Error> {
    if committing.frees_slot() {
        drop(slot.0.take());
    }
    committing.await
}
