//! What changes while the gateway runs: the plugins and the configuration.
//!
//! One task reads the files again when they may have changed. What is bad changes nothing and says
//! why; what is good is swapped in whole, and work in flight finishes with what it began with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::unquoted::unquoted;
use super::{Parts, misfits};
use crate::admin::{Ask, ConfigRow, PluginRow, Ready, ReloadRow, Report};
use crate::claims::{ProofKind, ProviderInfo};
use crate::config::{Config, Verify};
use crate::delivery::Delivery;
use crate::dispatch::{Dispatch, Rules};
use crate::egress;
use crate::ids::Name;
use crate::ingest;
use crate::metrics::{self, Metrics};
use crate::plugin::{self, About, Face, Folder, Plugin, Registry, Reloaded};
use crate::reload::Watch;
use crate::retry::RetryPolicy;
use crate::secrets::Redaction;
use crate::store::{self, Store};

/// The plugins and the configuration as they are now, and how they change.
pub(super) struct Live {
    path: PathBuf,
    config: Arc<Config>,
    /// The last complaint about the file, so that each is made once.
    complaint: Option<String>,
    folder: Folder,
    /// The files that are not what runs, by stem, and why.
    refused: BTreeMap<String, String>,
    watch: Watch,
    rows: Arc<ArcSwap<Vec<PluginRow>>>,
    host: plugin::Host,
    registry: Arc<Registry>,
    store: Store,
    metrics: Metrics,
    sources: Arc<ingest::Sources>,
    dispatch: Arc<Dispatch>,
    delivery: Arc<Delivery>,
    /// Looks at secrets; nothing waits for it.
    telling: JoinSet<()>,
    redaction: Redaction,
    admin_hosts: Arc<ArcSwap<Vec<String>>>,
}

impl Live {
    /// Loads the plugins and applies the configuration for the first time. A plugin that is bad is
    /// reported and left out; settings that a plugin refuses end the start.
    pub(super) async fn start(path: &Path, config: Config, parts: &Parts) -> anyhow::Result<Self> {
        let mut live = Self {
            path: path.to_owned(),
            folder: Folder::new(config.plugins.clone()),
            refused: BTreeMap::new(),
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
            redaction: parts.redaction.clone(),
            admin_hosts: parts.admin_hosts.clone(),
            telling: JoinSet::new(),
        };
        live.follow();
        live.rescan().await?;
        live.warn_of_missing();
        live.apply(&live.config);
        Ok(live)
    }

    /// Says which sources have no provider loaded, and why nothing can be stored.
    pub(super) fn ready(&self) -> Ready {
        let (sources, registry) = (self.sources.clone(), self.registry.clone());
        let store = self.store.clone();
        Ready(Arc::new(move || {
            let loaded = |name: &Name| registry.get(name).is_some_and(|it| it.provider().is_some());
            let sources = sources.load();
            let missing = sources.iter().filter(|(_, source)| !loaded(&source.plugin));
            let missing = missing.map(|(name, source)| {
                format!("source {name}: plugin {} is not loaded", source.plugin)
            });
            let trouble = store.trouble().map(|error| chain(&error));
            missing.chain(trouble).collect()
        }))
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
        let mut folder = self.folder.clone();
        let runtime = Handle::current();
        let scan = move || {
            let admit =
                |plugin: &Arc<Plugin>| runtime.block_on(check_settings(&host, &config, plugin));
            let scanned = folder.rescan(&host, &registry, &admit);
            (folder, scanned)
        };
        let (folder, scanned) = tokio::task::spawn_blocking(scan)
            .await
            .context("failed to look through the plugins folder")?;
        self.folder = folder;
        let changes = match scanned {
            Ok(changes) => changes,
            Err(error) => {
                let path = self.config.plugins.display();
                warn!("failed to read the plugins folder {path}, changing nothing: {error}");
                return Ok(Vec::new());
            }
        };
        let (mut rows, mut loaded) = (Vec::new(), Vec::new());
        for (stem, change) in changes {
            rows.extend(self.note(&stem, &change));
            if let Reloaded::Loaded(plugin) = &change {
                loaded.push(plugin.clone());
                self.reopen(plugin).await?;
            }
        }
        self.rows.store(Arc::new(self.plugin_rows()));
        self.tell_misfits(loaded);
        Ok(rows)
    }

    /// Receipts that an earlier version of this provider could not parse are tried again.
    async fn reopen(&self, plugin: &Plugin) -> Result<(), store::Error> {
        let of_it =
            self.config.sources.iter().filter(|(_, source)| source.plugin == *plugin.name());
        let sources: Vec<Name> = of_it.map(|(name, _)| name.clone()).collect();
        if plugin.provider().is_none() || sources.is_empty() {
            return Ok(());
        }
        let reopened = loop {
            match self.store.reopen_parses(&sources, plugin.digest()).await {
                Err(store::Error::Unavailable(_)) => self.store.available().await,
                Err(error @ (store::Error::Damaged(_) | store::Error::Panicked(_))) => {
                    let name = plugin.name();
                    error!(plugin = %name, "failed to look for receipts to try again: {error}");
                    return Ok(());
                }
                reopened => break reopened?,
            }
        };
        if reopened.damaged > 0 {
            let (name, damaged) = (plugin.name(), reopened.damaged);
            warn!(plugin = %name, damaged, "dead letters that can't be read are not tried again");
        }
        if reopened.reopened > 0 {
            let reopened = reopened.reopened;
            info!(plugin = %plugin.name(), reopened, "trying receipts again that were dead letters");
        }
        Ok(())
    }

    fn note(&mut self, stem: &str, change: &Reloaded) -> Option<ReloadRow> {
        let (outcome, reason, counted) = match change {
            Reloaded::Unchanged => return None,
            Reloaded::Loaded(plugin) => {
                self.refused.remove(stem);
                info!(plugin = stem, digest = %plugin.digest(), "loaded a plugin");
                ("loaded", None, metrics::Reloaded::Swapped)
            }
            Reloaded::Removed => {
                self.refused.remove(stem);
                warn!(plugin = stem, "a plugin's file is gone: it is no longer run");
                ("removed", None, metrics::Reloaded::Removed)
            }
            Reloaded::Kept(error) => {
                let reason = chain(error);
                self.refused.insert(stem.to_owned(), reason.clone());
                let kept = self.registered(stem).is_some();
                let now = if kept { "keeping the last good one" } else { "there is none to keep" };
                error!(plugin = stem, "failed to load a plugin, {now}: {reason}");
                (if kept { "kept" } else { "refused" }, Some(reason), metrics::Reloaded::Kept)
            }
        };
        if let Ok(name) = stem.parse() {
            self.metrics.reload(&name, counted);
        }
        Some(ReloadRow { plugin: stem.to_owned(), outcome, reason })
    }

    fn registered(&self, stem: &str) -> Option<Arc<Plugin>> {
        self.registry.get(&stem.parse().ok()?)
    }

    fn plugin_rows(&self) -> Vec<PluginRow> {
        let row = |plugin: &Arc<Plugin>| {
            PluginRow::new(plugin, self.refused.get(plugin.name().as_str()).cloned())
        };
        let never_loaded = self.refused.iter().filter(|(stem, _)| self.registered(stem).is_none());
        let mut rows: Vec<_> = self.registry.list().iter().map(row).collect();
        rows.extend(never_loaded.map(|(stem, reason)| PluginRow::refused(stem, reason)));
        rows
    }

    async fn reload_config(&mut self) -> ConfigRow {
        match self.changed_config().await {
            Ok(None) => {
                self.complaint = None;
                ConfigRow { outcome: "unchanged", reason: None }
            }
            Ok(Some(config)) => {
                if let Err(error) = self.delivery.egress().reload(egress_config(&config)) {
                    error!("failed to apply [egress], keeping the last good one: {error}");
                }
                self.complaint = None;
                config.warnings.iter().for_each(|warning| warn!("{warning}"));
                self.config = Arc::new(config);
                self.apply(&self.config);
                // What was refused for its settings may do now.
                self.folder.forget_refused();
                self.warn_of_missing();
                let all = self.registry.list();
                self.tell_misfits(all);
                self.follow();
                info!(path = %self.path.display(), "applied the changed configuration");
                ConfigRow { outcome: "applied", reason: None }
            }
            Err(error) => {
                let reason = format!("{error:#}").replace('\n', "; ");
                if self.complaint.as_ref() != Some(&reason) {
                    error!(
                        "failed to apply the configuration, keeping the last good one: {reason}"
                    );
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
        self.redaction.learn(&loaded.secrets);
        if loaded.fingerprint == self.config.fingerprint {
            return Ok(None);
        }
        for plugin in self.registry.list().iter() {
            let checked = check_settings(&self.host, &loaded, plugin).await;
            checked.map_err(|reason| anyhow!("{reason}"))?;
        }
        let fixed = |config: &Config| {
            let Config { listen, admin, data, plugins, limits, retention, .. } = config;
            (*listen, *admin, data.clone(), plugins.clone(), limits.clone(), retention.clone())
        };
        if fixed(&loaded) != fixed(&self.config) {
            warn!("listen, admin, data, plugins, limits and retention change only with a restart");
        }
        Ok(Some(loaded))
    }

    fn apply(&self, config: &Config) {
        let delays = config.endpoints.values().map(|(_, endpoint)| endpoint.retry.longest_delay());
        let plugins = [RetryPolicy::plugins(), RetryPolicy::deliveries()];
        let delays = delays.chain(plugins.iter().map(RetryPolicy::longest_delay));
        self.store.bound_delays(delays.max().unwrap_or_default());
        let settings = config
            .sources
            .iter()
            .map(|(name, source)| (name.clone(), (source.plugin.clone(), source.settings.clone())));
        let subscriptions = config.endpoints.iter();
        self.dispatch.rules.store(Arc::new(Rules {
            sources: settings.collect(),
            handlers: config.handlers.clone(),
            subscriptions: subscriptions
                .map(|(name, (patterns, _))| (name.clone(), patterns.clone()))
                .collect(),
        }));
        let endpoints = config.endpoints.iter();
        self.delivery.configure(
            endpoints.map(|(name, (_, endpoint))| (name.clone(), endpoint.clone())).collect(),
        );
        self.sources.store(Arc::new(config.sources.clone()));
        self.admin_hosts.store(Arc::new(config.admin_hosts.clone()));
    }

    /// Says which secrets can't be keys. Beside everything else: nothing waits for it.
    fn tell_misfits(&mut self, plugins: Vec<Arc<Plugin>>) {
        let (host, config) = (self.host.clone(), self.config.clone());
        while self.telling.try_join_next().is_some() {}
        self.telling.spawn(async move {
            for plugin in plugins.iter().filter(|plugin| plugin.provider().is_some()) {
                let file = config.plugins.join(format!("{}.wasm", plugin.name()));
                let read = move || std::fs::read(file).map(|wasm| About::of_file(&wasm));
                let Ok(Ok(about)) = tokio::task::spawn_blocking(read).await else { continue };
                for misfit in misfits(&host, &config, plugin, &about).await {
                    warn!("{misfit}");
                }
            }
        });
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

/// The egress part of a configuration.
pub(super) fn egress_config(config: &Config) -> egress::Config {
    egress::Config { allow: config.egress_allow.clone(), ..egress::Config::default() }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Asks the plugin whether it can work with what the operator wrote for it.
pub(crate) async fn check_settings(
    host: &plugin::Host,
    config: &Config,
    plugin: &Arc<Plugin>,
) -> Result<(), String> {
    let name = plugin.name();
    let mut asked = Vec::new();
    if let Some(info) = plugin.provider() {
        check_keys(config, plugin.name(), info)?;
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
        checked.map_err(|reason| {
            let reason = unquoted(&settings, reason);
            format!("plugin {name} refuses the config of {place}: {reason}")
        })?;
    }
    Ok(())
}

/// Whether the operator allows to ask for keys where the provider has them, and nowhere else.
fn check_keys(config: &Config, plugin: &Name, info: &ProviderInfo) -> Result<(), String> {
    let hosts: BTreeSet<&str> =
        info.key_places.iter().filter_map(|place| place.url.host_str()).collect();
    for (at, source) in config.sources.iter().filter(|(_, source)| source.plugin == *plugin) {
        if source.verify == Verify::None {
            continue;
        }
        if source.keys_from.iter().any(|host| !hosts.contains(host.as_str())) {
            let hosts: Vec<_> = hosts.into_iter().collect();
            let hosts = if hosts.is_empty() { "none".to_owned() } else { hosts.join(", ") };
            return Err(format!(
                "keys_from of [sources.{at}] names a host where plugin {plugin} has no keys; its \
                 hosts are: {hosts}"
            ));
        }
        let nothing_else = info.proofs == [ProofKind::Signature] && !hosts.is_empty();
        if source.keys_from.is_empty() && nothing_else {
            let hosts: Vec<_> = hosts.into_iter().collect();
            return Err(format!(
                "plugin {plugin} has its keys at other hosts; allow those that [sources.{at}] may \
                 ask: keys_from = [...] out of {}",
                hosts.join(", ")
            ));
        }
    }
    Ok(())
}
