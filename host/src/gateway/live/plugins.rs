//! What became of the plugins' files: which run now, which do not, and why.
//!
//! A plugin that refuses settings with which the one before it works changes nothing; one that is
//! the first of its name runs, and what it refuses is stopped. Tells each complaint once. What
//! nobody has signed whom the operator trusts never runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::{error, info, warn};

use super::super::loading::News;
use super::Live;
use super::trusting::UNTRUSTED;
use crate::admin::ReloadRow;
use crate::causes::chain;
use crate::config::Config;
use crate::ids::Name;
use crate::metrics;
use crate::plugin::{NEXT, Plugin, Reloaded, Wish, name_of};

impl Live {
    /// Takes what became known of the files.
    pub(super) async fn take(&mut self, News { mut files, looked }: News) {
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
        self.distrust(&files);
        self.distrust_canaries(&files);
        // What has another name now is there before it is gone.
        files.sort_by_key(|(_, change)| matches!(change, Reloaded::Removed));
        let mut loaded = Vec::new();
        for (stem, change) in files {
            let is_next = stem.ends_with(NEXT);
            if let Reloaded::Loaded(plugin) = &change
                && !is_next
            {
                loaded.push(plugin.clone());
            }
            let row = match change {
                Reloaded::Unchanged => continue,
                Reloaded::Removed if is_next => self.remove_next(stem),
                Reloaded::Removed => self.remove(stem),
                Reloaded::Kept(error) => self.keep(stem, chain(&error)),
                Reloaded::Loaded(plugin) if is_next => self.admit_next(stem, &plugin).await,
                Reloaded::Loaded(plugin) => self.admit(stem, &plugin).await,
            };
            for waiting in &mut self.asks {
                waiting.report.plugins.push(row.clone());
            }
        }
        self.let_canaries_go();
        let before = self.rows.swap(Arc::new(self.plugin_rows()));
        self.note_plugins(&before);
        if !loaded.is_empty() {
            self.remember_handlers();
            self.tell_misfits(loaded);
        }
    }

    /// Lets a plugin run, unless it refuses settings with which the one before it works.
    async fn admit(&mut self, stem: String, plugin: &Arc<Plugin>) -> ReloadRow {
        if !self.is_trusted(plugin) {
            return self.keep(stem, UNTRUSTED.to_owned());
        }
        let before = self.registry.get(plugin.name());
        let is_first = before.is_none_or(|before| !self.is_trusted(&before));
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
        self.follow_canary(plugin.name());
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
        let name = stem.parse::<Name>();
        let events = name.as_ref().map_or("", |name| self.events_without(name));
        warn!(
            plugin.name = stem,
            "a plugin's file was removed; the gateway no longer runs it, and its work waits{events}"
        );
        if let Ok(name) = name {
            self.registry.remove(&name);
            self.apply_rules();
            self.metrics.reload(&name, metrics::Reloaded::Removed);
        }
        ReloadRow { plugin: stem, outcome: "removed", reason: None }
    }

    pub(super) fn keep(&mut self, stem: String, reason: String) -> ReloadRow {
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

    /// The files that are not what runs, and that may use something else by this configuration: one
    /// that had too little memory may load with more.
    pub(super) fn refused_under_other_rules(&self, config: &Config) -> BTreeSet<String> {
        let is_other = |stem: &&String| {
            let name = name_of(stem);
            let rules = |of: &Config| of.plugin_rules.get(name.as_ref().ok()?).cloned();
            rules(&self.config) != rules(config)
        };
        self.refused.keys().filter(is_other).cloned().collect()
    }

    fn registered(&self, stem: &str) -> Option<Arc<Plugin>> {
        let name = name_of(stem).ok()?;
        if stem.ends_with(NEXT) { self.registry.next(&name) } else { self.registry.get(&name) }
    }
}
