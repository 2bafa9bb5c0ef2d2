//! What another version of a plugin may make good: the dead letters of the one before it, and what
//! waits for a plugin.
//!
//! Dead letters are found beside everything else; a reload that somebody asked for waits for that.
//! Never opens anything again for a plugin that is not new.

use tracing::{error, info, warn};

use super::Live;
use crate::ids::Name;
use crate::plugin::Plugin;
use crate::store;

/// Dead letters that a plugin may make good.
#[derive(Debug)]
enum Letters {
    /// What an earlier version of a provider could not parse, of these sources.
    Parses(Vec<Name>),
    /// What died of an earlier version of a handler.
    Runs,
}

impl Letters {
    /// What the gateway does, in words.
    fn again(&self) -> &'static str {
        match self {
            Self::Parses(_) => "parsing dead receipts again",
            Self::Runs => "making dead runs again",
        }
    }
}

impl Live {
    /// A plugin is in its place: what waits for it goes on, and what an earlier version of it could
    /// not parse is tried again. What died of an earlier version is, too, if the operator wants it.
    pub(super) fn reopen(&mut self, plugin: &Plugin) {
        self.dispatch.look_again();
        let of_it =
            self.config.sources.iter().filter(|(_, source)| source.plugin == *plugin.name());
        let sources: Vec<Name> = of_it.map(|(name, _)| name.clone()).collect();
        if plugin.provider().is_some() && !sources.is_empty() {
            self.reopen_letters(plugin, Letters::Parses(sources));
        }
        let rules = self.config.plugin_rules.get(plugin.name());
        if plugin.handler().is_some() && rules.is_some_and(|rules| rules.retry_dead) {
            self.reopen_letters(plugin, Letters::Runs);
        }
    }

    fn reopen_letters(&mut self, plugin: &Plugin, letters: Letters) {
        let store = self.store.clone();
        let digest = plugin.digest().to_owned();
        let plugin = plugin.name().clone();
        self.reopening.spawn(async move {
            let reopened = loop {
                let reopened = match &letters {
                    Letters::Parses(sources) => store.reopen_parses(sources, &digest).await,
                    Letters::Runs => store.reopen_runs(&plugin, &digest).await,
                };
                match reopened {
                    Err(store::Error::Unavailable(_)) => store.available().await,
                    Err(error @ (store::Error::Damaged(_) | store::Error::Panicked(_))) => {
                        error!(plugin.name = %plugin, "failed to find dead letters: {error}");
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
                let what = letters.again();
                info!(plugin.name = %plugin, reopened, "{what}");
            }
            Ok(())
        });
    }
}
