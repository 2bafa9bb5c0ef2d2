//! What another version of a plugin may make good: the dead letters of the one before it.
//!
//! They are found beside everything else; a reload that somebody asked for waits for that. Never
//! opens anything again for a plugin that is not new.

use tracing::{error, info, warn};

use super::Live;
use crate::ids::Name;
use crate::plugin::Plugin;
use crate::store;

impl Live {
    /// Receipts that an earlier version of this provider could not parse are tried again.
    pub(super) fn reopen(&mut self, plugin: &Plugin) {
        let of_it =
            self.config.sources.iter().filter(|(_, source)| source.plugin == *plugin.name());
        let sources: Vec<Name> = of_it.map(|(name, _)| name.clone()).collect();
        if plugin.provider().is_none() || sources.is_empty() {
            return;
        }
        let store = self.store.clone();
        let digest = plugin.digest().to_owned();
        let plugin = plugin.name().clone();
        self.reopening.spawn(async move {
            let reopened = loop {
                match store.reopen_parses(&sources, &digest).await {
                    Err(store::Error::Unavailable(_)) => store.available().await,
                    Err(error @ (store::Error::Damaged(_) | store::Error::Panicked(_))) => {
                        error!(plugin.name = %plugin, "failed to find dead receipts: {error}");
                        return Ok(());
                    }
                    reopened => break reopened?,
                }
            };
            let damaged = reopened.damaged;
            let reopened = reopened.reopened;
            if damaged > 0 {
                warn!(plugin.name = %plugin, damaged, "failed to read some dead letters");
            }
            if reopened > 0 {
                info!(plugin.name = %plugin, reopened, "parsing dead receipts again");
            }
            Ok(())
        });
    }
}
