//! What became of the plugins' files: which run now, which do not, and why.
//!
//! A plugin that refuses settings with which the one before it works changes nothing; one that is
//! the first of its name runs, and what it refuses is stopped. Tells each complaint once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tracing::{error, info, warn};

use super::super::loading::News;
use super::Live;
use crate::admin::{PluginRow, ReloadRow};
use crate::causes::chain;
use crate::ids::Name;
use crate::metrics;
use crate::plugin::{Plugin, Reloaded, Wish};
use crate::store;

impl Live {
    /// Takes what became known of the files.
    pub(super) async fn take(&mut self, News { files, looked }: News) {
        match looked {
            Some(Ok(())) => self.folder_trouble.store(None),
            Some(Err(error)) => {
                let path = self.loading.folder().display();
                let trouble = format!("failed to read the plugins folder {path}: {error}");
                if self.folder_trouble.load().as_deref() != Some(&trouble) {
                    error!("{trouble}; all plugins stay as they are");
                    self.folder_trouble.store(Some(Arc::new(trouble)));
                }
            }
            // A file may have changed while it was compiled.
            None => self.loading.look(Wish::default()),
        }
        let mut loaded = Vec::new();
        for (stem, change) in files {
            if let Reloaded::Loaded(plugin) = &change {
                loaded.push(plugin.clone());
            }
            let row = match change {
                Reloaded::Unchanged => continue,
                Reloaded::Removed => self.remove(stem),
                Reloaded::Kept(error) => self.keep(stem, chain(&error)),
                Reloaded::Loaded(plugin) => self.admit(stem, &plugin).await,
            };
            for waiting in &mut self.asks {
                waiting.report.plugins.push(row.clone());
            }
        }
        let before = self.rows.swap(Arc::new(self.plugin_rows()));
        self.note_plugins(&before);
        if !loaded.is_empty() {
            self.tell_misfits(loaded);
        }
    }

    /// Lets a plugin run, unless it refuses settings with which the one before it works.
    async fn admit(&mut self, stem: String, plugin: &Arc<Plugin>) -> ReloadRow {
        let is_first = self.registry.get(plugin.name()).is_none();
        let admitted = self.admission.admit(&self.host, &self.config, &stem, plugin, is_first);
        let refusals = match admitted.await {
            Ok(refusals) => refusals,
            Err(reason) => return self.keep(stem, reason),
        };
        self.refused.remove(&stem);
        info!(plugin.name = stem, plugin.digest = %plugin.digest(), "loaded a plugin");
        let reasons: Vec<_> = refusals.values().cloned().collect();
        for (place, reason) in &refusals {
            error!(plugin.name = stem, "{place} is stopped: {reason}");
        }
        self.apply_rules();
        self.registry.insert(plugin);
        self.admission.forget(&self.registry);
        self.reopen(plugin);
        self.metrics.reload(plugin.name(), metrics::Reloaded::Swapped);
        let reason = (!reasons.is_empty()).then(|| reasons.join("; "));
        ReloadRow { plugin: stem, outcome: "loaded", reason }
    }

    /// Asks once more where a plugin could not say whether it can work with its settings, and gives
    /// the files that may load now.
    pub(super) async fn ask_again(&mut self) -> BTreeSet<String> {
        let plugins = self.registry.list();
        let again = self.admission.ask_again(&self.host, &self.config, &plugins).await;
        self.apply_rules();
        again
    }

    fn remove(&mut self, stem: String) -> ReloadRow {
        self.refused.remove(&stem);
        self.admission.removed(&self.config, &stem);
        warn!(plugin.name = stem, "a plugin's file was removed; the gateway no longer runs it");
        if let Ok(name) = stem.parse::<Name>() {
            self.registry.remove(&name);
            self.apply_rules();
            self.metrics.reload(&name, metrics::Reloaded::Removed);
        }
        ReloadRow { plugin: stem, outcome: "removed", reason: None }
    }

    fn keep(&mut self, stem: String, reason: String) -> ReloadRow {
        let kept = self.registered(&stem).is_some();
        if self.refused.insert(stem.clone(), reason.clone()).as_ref() != Some(&reason) {
            let now = if kept { "the last good one keeps running" } else { "none is running" };
            error!(plugin.name = stem, "failed to load a plugin; {now}: {reason}");
        }
        if let Ok(name) = stem.parse() {
            self.metrics.reload(&name, metrics::Reloaded::Kept);
        }
        let outcome = if kept { "kept" } else { "refused" };
        ReloadRow { plugin: stem, outcome, reason: Some(reason) }
    }

    /// Receipts that an earlier version of this provider could not parse are tried again.
    fn reopen(&mut self, plugin: &Plugin) {
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

    fn registered(&self, stem: &str) -> Option<Arc<Plugin>> {
        self.registry.get(&stem.parse().ok()?)
    }

    pub(super) fn plugin_rows(&self) -> Vec<PluginRow> {
        let loading: BTreeSet<&str> = self.loading.unfinished().collect();
        let mut rows: BTreeMap<String, PluginRow> = BTreeMap::new();
        for plugin in self.registry.list().iter() {
            let mut row = PluginRow::new(plugin);
            row.stopped = self.admission.stopped_of(&self.config, plugin.name());
            rows.insert(row.name.clone(), row);
        }
        for stem in self.refused.keys().map(String::as_str).chain(loading.iter().copied()) {
            let row = rows.entry(stem.to_owned()).or_insert_with(|| PluginRow::file(stem));
            row.refused = self.refused.get(stem).cloned();
            row.loading = loading.contains(stem);
        }
        rows.into_values().collect()
    }
}
