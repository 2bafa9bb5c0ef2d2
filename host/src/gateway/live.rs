//! What changes while the gateway runs: the plugins and the configuration.
//!
//! One task reads the files again when they may have changed. What is bad changes nothing and says
//! why; what is good is swapped in whole, and work in flight finishes with what it began with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Parts;
use crate::admin::{Ask, ConfigRow, PluginRow, ReloadRow, Report};
use crate::config::Config;
use crate::delivery::Delivery;
use crate::dispatch::{Dispatch, Rules};
use crate::ids::Name;
use crate::ingest;
use crate::metrics::Metrics;
use crate::plugin::{self, Face, Folder, Plugin, Registry, Reloaded};
use crate::reload::Watch;
use crate::store::{self, Store};

/// The plugins and the configuration as they are now, and how they change.
pub(super) struct Live {
    path: PathBuf,
    config: Arc<Config>,
    /// The last complaint about the file, so that each is made once.
    complaint: Option<String>,
    folder: Folder,
    watch: Watch,
    rows: Arc<ArcSwap<Vec<PluginRow>>>,
    host: plugin::Host,
    registry: Arc<Registry>,
    store: Store,
    metrics: Metrics,
    sources: Arc<ingest::Sources>,
    dispatch: Arc<Dispatch>,
    delivery: Arc<Delivery>,
}

impl Live {
    /// Loads the plugins and applies the configuration for the first time. A plugin that is bad is
    /// reported and left out; settings that a plugin refuses end the start.
    pub(super) async fn start(path: &Path, config: Config, parts: &Parts) -> anyhow::Result<Self> {
        let mut live = Self {
            path: path.to_owned(),
            folder: Folder::new(config.plugins.clone()),
            config: Arc::new(config),
            complaint: None,
            watch: Watch::new(),
            rows: Arc::default(),
            host: parts.host.clone(),
            registry: parts.registry.clone(),
            store: parts.store.clone(),
            metrics: parts.metrics.clone(),
            sources: parts.sources.clone(),
            dispatch: parts.dispatch.clone(),
            delivery: parts.delivery.clone(),
        };
        live.follow();
        live.rescan().await?;
        live.warn_of_missing();
        live.apply(live.config.clone());
        Ok(live)
    }

    /// The plugins as they are now, for operators.
    pub(super) fn plugins(&self) -> Arc<ArcSwap<Vec<PluginRow>>> {
        self.rows.clone()
    }

    /// Reads the files again whenever they may have changed or somebody asks, until cancelled. An
    /// error means that the store is broken.
    pub(super) async fn run(
        mut self,
        mut asked: mpsc::Receiver<Ask>,
        cancel: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            let ask = tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                () = self.watch.changed() => None,
                Some(ask) = asked.recv() => Some(ask),
            };
            // The configuration first: it may say how a new plugin is set up.
            let config = self.reload_config().await;
            let plugins = self.rescan().await?;
            if let Some(ask) = ask {
                // Who asked may be gone by now.
                drop(ask.send(Report { config, plugins }));
            }
        }
    }

    async fn rescan(&mut self) -> anyhow::Result<Vec<ReloadRow>> {
        let (host, registry, config) =
            (self.host.clone(), self.registry.clone(), self.config.clone());
        let mut folder = std::mem::take(&mut self.folder);
        let runtime = Handle::current();
        let scanned = move || {
            let admit = |plugin: &Arc<Plugin>| {
                runtime.block_on(check_settings(&host, &config, plugin))
            };
            let changes = folder.rescan(&host, &registry, &admit);
            (folder, changes)
        };
        let (folder, changes) = tokio::task::spawn_blocking(scanned)
            .await
            .context("failed to look through the plugins folder")?;
        self.folder = folder;

        let mut rows = Vec::new();
        for (name, change) in changes {
            if let Some(row) = self.note(&name, &change) {
                rows.push(row);
            }
            if let Reloaded::Loaded(plugin) = &change {
                self.reopen(plugin).await?;
            }
        }
        self.rows.store(Arc::new(self.plugin_rows()));
        Ok(rows)
    }

    /// Receipts that an earlier version of this provider could not parse are tried again.
    async fn reopen(&self, plugin: &Plugin) -> Result<(), store::Error> {
        let of_it = self.config.sources.iter().filter(|(_, source)| source.plugin == *plugin.name());
        let sources: Vec<Name> = of_it.map(|(name, _)| name.clone()).collect();
        if plugin.provider().is_none() || sources.is_empty() {
            return Ok(());
        }
        let reopened = self.store.reopen_parses(&sources, plugin.digest()).await?;
        if reopened > 0 {
            info!(plugin = %plugin.name(), reopened, "trying receipts again that were dead letters");
        }
        Ok(())
    }

    fn note(&self, name: &Name, change: &Reloaded) -> Option<ReloadRow> {
        let (outcome, reason) = match change {
            Reloaded::Unchanged => return None,
            Reloaded::Loaded(plugin) => {
                info!(plugin = %name, digest = %plugin.digest(), "loaded a plugin");
                ("loaded", None)
            }
            Reloaded::Removed => {
                warn!(plugin = %name, "a plugin's file is gone: it is no longer run");
                ("removed", None)
            }
            Reloaded::Kept(refused) => {
                let kept = self.registry.get(name).is_some();
                let now = if kept { "keeping the last good one" } else { "there is none to keep" };
                error!(plugin = %name, "failed to load a plugin, {now}: {refused}");
                (if kept { "kept" } else { "refused" }, Some(refused.to_string()))
            }
        };
        self.metrics.reloaded(name, outcome);
        Some(ReloadRow { plugin: name.clone(), outcome, reason })
    }

    fn plugin_rows(&self) -> Vec<PluginRow> {
        let loaded = self.registry.list();
        let row = |plugin: &Arc<Plugin>| PluginRow::new(plugin, self.folder.complaint(plugin.name()));
        let refused = self.folder.complaints().into_iter();
        let refused = refused.filter(|(name, _)| self.registry.get(name).is_none());
        let mut rows: Vec<_> = loaded.iter().map(row).collect();
        rows.extend(refused.map(|(name, complaint)| PluginRow::refused(name, complaint)));
        rows
    }

    async fn reload_config(&mut self) -> ConfigRow {
        match self.changed_config().await {
            Ok(None) => {
                self.complaint = None;
                ConfigRow { outcome: "unchanged", reason: None }
            }
            Ok(Some(config)) => {
                self.complaint = None;
                self.config = Arc::new(config);
                self.apply(self.config.clone());
                self.warn_of_missing();
                self.follow();
                info!(path = %self.path.display(), "applied the changed configuration");
                ConfigRow { outcome: "applied", reason: None }
            }
            Err(error) => {
                let reason = format!("{error:#}");
                if self.complaint.as_ref() != Some(&reason) {
                    error!("failed to apply the configuration, keeping the last good one: {reason}");
                    self.complaint = Some(reason.clone());
                }
                ConfigRow { outcome: "kept", reason: Some(reason) }
            }
        }
    }

    /// The configuration if it is another than before and can be worked with.
    async fn changed_config(&self) -> anyhow::Result<Option<Config>> {
        let path = self.path.clone();
        let loaded = tokio::task::spawn_blocking(move || Config::load(&path)).await??;
        if loaded == *self.config {
            return Ok(None);
        }
        for plugin in self.registry.list().iter() {
            let checked = check_settings(&self.host, &loaded, plugin).await;
            checked.map_err(|reason| anyhow!("{reason}"))?;
        }
        let fixed = |config: &Config| {
            let Config { listen, admin, data, plugins, limits, .. } = config;
            (*listen, *admin, data.clone(), plugins.clone(), limits.clone())
        };
        if fixed(&loaded) != fixed(&self.config) {
            warn!("listen, admin, data, plugins and limits change only with a restart");
        }
        Ok(Some(loaded))
    }

    fn apply(&self, config: Arc<Config>) {
        let settings = config.sources.iter().map(|(name, source)| {
            (name.clone(), (source.plugin.clone(), source.settings.clone()))
        });
        let subscriptions = config.endpoints.iter();
        self.dispatch.rules.store(Arc::new(Rules {
            sources: settings.collect(),
            handlers: config.handlers.clone(),
            subscriptions: subscriptions
                .map(|(name, (patterns, _))| (name.clone(), patterns.clone()))
                .collect(),
        }));
        let endpoints = config.endpoints.iter();
        self.delivery.endpoints.store(Arc::new(
            endpoints.map(|(name, (_, endpoint))| (name.clone(), endpoint.clone())).collect(),
        ));
        self.delivery.egress.allow(config.egress_allow.clone());
        self.sources.store(Arc::new(config.sources.clone()));
    }

    /// Says which names of the configuration have no plugin yet: they may be dropped in later.
    fn warn_of_missing(&self) {
        for (name, source) in &self.config.sources {
            let plugin = self.registry.get(&source.plugin);
            if plugin.is_none_or(|plugin| plugin.provider().is_none()) {
                warn!(source.name = %name, "no provider plugin {} is loaded: answering 503", source.plugin);
            }
        }
        for name in self.config.handlers.keys() {
            if self.registry.get(name).is_none_or(|plugin| plugin.handler().is_none()) {
                warn!(handler = %name, "no handler plugin {name} is loaded");
            }
        }
    }

    fn follow(&mut self) {
        let files = self.config.secret_files.iter().map(PathBuf::as_path);
        let files = files.chain([self.path.as_path()]);
        self.watch.follow(files, [self.config.plugins.as_path()]);
    }
}

/// Asks the plugin whether it can work with what the operator wrote for it.
pub(crate) async fn check_settings(
    host: &plugin::Host,
    config: &Config,
    plugin: &Arc<Plugin>,
) -> Result<(), String> {
    let name = plugin.name();
    let mut asked = Vec::new();
    if plugin.provider().is_some() {
        let sources = config.sources.iter().filter(|(_, source)| source.plugin == *name);
        asked.extend(sources.map(|(at, source)| {
            (Face::Provider, source.settings.clone(), format!("[sources.{at}]"))
        }));
    }
    if plugin.handler().is_some() {
        let settings = config.handlers.get(name).map_or("{}".into(), |it| it.settings.clone());
        asked.push((Face::Handler, settings, format!("[handlers.{name}]")));
    }
    for (face, settings, place) in asked {
        let checked = host.check(plugin, face, &settings).await;
        let checked = checked.map_err(|error| error.to_string()).flatten();
        checked.map_err(|reason| format!("plugin {name} refuses the config of {place}: {reason}"))?;
    }
    Ok(())
}
