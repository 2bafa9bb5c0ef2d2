//! What is missing: sources and handlers without a plugin that works for them, and room for more.
//!
//! Told to whoever asks whether the gateway is ready, and to the log. Changes nothing: what is
//! missing may be dropped in later. Never repeats the name of a plugin that is nowhere unless it is
//! a plain word, since it may be a secret in the wrong place.

use std::sync::Arc;

use tracing::warn;

use super::super::high_water;
use super::Live;
use crate::admin::{Lack, NotReady, PluginRow, Ready};
use crate::causes::chain;
use crate::ids::Name;
use crate::plugin::Registry;
use crate::secrets::shown;
use crate::store::{self, HANDLERS_MAX};

impl Live {
    /// Says which sources have no provider that works for them, why the plugins folder can't be
    /// read, and why nothing can be stored or is to be. Not which source is at a mark of its own:
    /// the gateway accepts requests for all others.
    pub(in crate::gateway) fn ready(&self) -> Ready {
        let sources = self.sources.clone();
        let registry = self.registry.clone();
        let (store, disk) = (self.store.clone(), self.disk.clone());
        let rows = self.rows.clone();
        let folder_trouble = self.folder_trouble.clone();
        Ready(Arc::new(move || {
            let (sources, rows) = (sources.load(), rows.load());
            let of_sources = sources.iter().filter_map(|(name, source)| {
                let stopped = source.stopped.as_deref();
                let (lack, why) = match stopped {
                    Some(reason) => (Lack::SourceStopped, reason.to_owned()),
                    None => without_provider(&source.plugin, &registry, &rows)?,
                };
                Some(NotReady::of_source(lack, name, &why))
            });
            let folder = folder_trouble.load().as_deref().cloned();
            let folder = folder.map(|why| NotReady::new(Lack::PluginsFolder, why));
            let trouble = store.trouble().map(|error| of_store(&error));
            let marks = high_water::reached(&store, &disk);
            of_sources.chain(folder).chain(trouble).chain(marks).collect()
        }))
    }

    /// Says which names of the configuration have no plugin yet: they may be dropped in later.
    pub(super) fn warn_of_missing(&self) {
        for (name, source) in &self.config.sources {
            let named = &source.plugin;
            match self.registry.get(named) {
                Some(plugin) if plugin.provider().is_some() => (),
                Some(_) => {
                    warn!(source.name = %name, "plugin {named} is not a provider: answering 503");
                }
                None => {
                    let named = shown(named.as_str());
                    warn!(source.name = %name, "plugin {named} is not loaded: answering 503");
                }
            }
        }
        if let Some(first) = self.config.handlers.keys().nth(HANDLERS_MAX) {
            warn!(
                "events wait for {HANDLERS_MAX} handlers of the configuration when these are \
                 missing, and pass by {first} and those behind it"
            );
        }
        for name in self.config.handlers.keys() {
            match self.registry.get(name) {
                Some(plugin) if plugin.handler().is_some() => (),
                Some(_) => warn!(handler.name = %name, "plugin {name} is not a handler"),
                None => warn!(
                    handler.name = %name,
                    "handler plugin {name} is not loaded: its runs wait{}",
                    self.events_without(name)
                ),
            }
        }
    }

    /// What becomes of the new events for a handler without its plugin, to be said behind what
    /// becomes of its work. Nothing if it is no handler that anybody knows.
    pub(super) fn events_without(&self, name: &Name) -> &'static str {
        let is_named = self.config.handlers.contains_key(name);
        let is_handler = || self.registry.get(name).is_some_and(|it| it.handler().is_some());
        if self.is_remembered(name) {
            ", and new events for it wait too"
        } else if is_named {
            ", and new events pass it by, because it has not run here yet"
        } else if is_handler() {
            ", and new events pass it by, because no [handlers] table names it"
        } else {
            ""
        }
    }
}

/// Why this plugin can't claim for a source; `None` if it can.
fn without_provider(
    plugin: &Name,
    registry: &Registry,
    rows: &[PluginRow],
) -> Option<(Lack, String)> {
    match registry.get(plugin) {
        Some(it) if it.provider().is_some() => return None,
        Some(_) => return Some((Lack::NotAProvider, format!("plugin {plugin} is not a provider"))),
        None => (),
    }
    let row = rows.iter().find(|row| row.name == plugin.as_str());
    let shown = row.map_or(shown(plugin.as_str()), |row| row.name.as_str());
    let (lack, why) = match row {
        Some(PluginRow { loading: true, .. }) => {
            (Lack::PluginLoading, " yet: the file is still compiling".to_owned())
        }
        Some(PluginRow { refused: Some(reason), .. }) => {
            (Lack::PluginRefused, format!(": {reason}"))
        }
        _ => (Lack::PluginMissing, String::new()),
    };
    Some((lack, format!("plugin {shown} is not loaded{why}")))
}

/// Why the store keeps the gateway from accepting anything.
fn of_store(error: &store::Error) -> NotReady {
    let lack = match error {
        store::Error::Closed => Lack::Stopping,
        store::Error::Full | store::Error::Unavailable(_) => Lack::StoreUnavailable,
        // Whatever else it is, the store writes nothing any more.
        _ => Lack::StoreFailed,
    };
    NotReady::new(lack, chain(error))
}
