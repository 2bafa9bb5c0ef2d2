//! Has it written down when tokens were last used, and that the port asks for one: now and then,
//! and at a stop.
//!
//! A reload has the latter noted at once, but the disk may be away just then. Never with a request:
//! none of them is a write.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::admin::Access;

/// Between two times.
const PAUSE: Duration = Duration::from_secs(300);

pub(super) struct Noting {
    pub(super) access: Arc<Access>,
}

impl Noting {
    /// Notes uses until cancelled, and once more then.
    pub(super) async fn run(self, cancel: CancellationToken) {
        loop {
            tokio::select! {
                () = cancel.cancelled() => return self.note().await,
                () = tokio::time::sleep(PAUSE) => self.note().await,
            }
        }
    }

    async fn note(&self) {
        if let Err(error) = self.access.note_needed().await {
            warn!(%error, "failed to note that the admin port needs a token");
        }
        if let Err(error) = self.access.note_uses().await {
            // The next time has them too.
            debug!(%error, "failed to note when tokens were last used");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::FileToken;
    use crate::clock::Clock;
    use crate::event::Timestamp;
    use crate::store::{self, Store};
    use crate::token::{Scopes, TokenHash};

    /// Else a port whose configuration had tokens answers everybody on this machine after a start
    /// without them, because the disk was away at one reload.
    #[tokio::test]
    async fn that_a_token_is_needed_is_noted_later_where_it_could_not_be_at_the_reload() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(Timestamp(1)));
        let store = Store::open(&store::Config::at(folder.path()), clock.clone()).unwrap();
        let access = Access::open(store.clone(), clock, (&[], false)).await.unwrap();
        let token = FileToken {
            name: "ops".parse().unwrap(),
            hashes: vec![TokenHash::of("a token that an operator has written into a file")],
            scopes: Scopes::ADMIN,
            expires_at: None,
            tenant: None,
        };
        access.configure(&[token], false);
        assert!(!store.tokens().await.unwrap().is_needed);

        let stopped = CancellationToken::new();
        stopped.cancel();
        Noting { access: Arc::new(access) }.run(stopped).await;

        assert!(store.tokens().await.unwrap().is_needed);
    }
}
