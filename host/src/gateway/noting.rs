//! Has it written down when tokens were last used: now and then, and at a stop.
//!
//! Never with a request: none of them is a write.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::admin::Access;

/// Between two times.
const PAUSE: Duration = Duration::from_secs(300);

pub(super) struct Noting {
    pub(super) access: Arc<Access>,
}

impl Noting {
    /// Notes uses until cancelled, and once more then.
    pub(super) async fn run(&self, cancel: CancellationToken) {
        loop {
            tokio::select! {
                () = cancel.cancelled() => return self.note().await,
                () = tokio::time::sleep(PAUSE) => self.note().await,
            }
        }
    }

    async fn note(&self) {
        if let Err(error) = self.access.note_uses().await {
            // The next time has them too.
            debug!(%error, "failed to note when tokens were last used");
        }
    }
}
