//! What changes while the gateway runs: the plugins and the configuration.
//!
//! One task reads the configuration again when it may have changed, and takes what became of the
//! plugins' files. What is bad changes nothing and says why; what is good is swapped in whole, and
//! work in flight finishes with what it began with. Never waits for a compiler.

mod canary;
mod missing;
mod noted;
mod plugins;
mod remembered;
mod reopening;
mod rows;
mod trusting;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use arc_swap::{ArcSwap, ArcSwapOption};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::canary::NextFiles;
use super::admission::{Admission, Refusals};
use super::endpoints::bound_delays;
use super::fronts::Fronts;
use super::handling;
use super::loading::Loading;
use super::{Parts, misfits, outline};
use crate::admin::{Access, Ask, Auditor, ConfigRow, PluginRow, ReloadRow, Report};
use crate::causes::chain;
use crate::config::{Config, Verify};
use crate::delivery::Delivery;
use crate::directory::Directory;
use crate::disk::Disk;
use crate::dispatch::{Dispatch, Reading, Rules};
use crate::egress;
use crate::ids::Name;
use crate::ingest;
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::plugin::{self, About, Plugin, Registry, Wish};
use crate::secrets::Redaction;
use crate::store::{self, Retention, Store};
use crate::watch::Watch;

/// How long a start waits for a plugin that has to be compiled, if no source has its own yet: then
/// it serves all the same.
const START_PATIENCE: Duration = Duration::from_secs(5);
/// How long who asks for a reload waits for plugins that have to be compiled.
const ASK_PATIENCE: Duration = Duration::from_secs(25);

/// The plugins and the configuration as they are now, and how they change.
pub(super) struct Live {
    path: PathBuf,
    config: Arc<Config>,
    /// The same, for whoever goes by it beside this.
    applied: Arc<ArcSwap<Config>>,
    /// The last complaint about the file, so that it is made once.
    complaint: Option<String>,
    /// Why the plugins folder can't be read, if it can't.
    folder_trouble: Arc<ArcSwapOption<String>>,
    loading: Loading,
    admission: Admission,
    /// The files that are not what runs, by stem, and why.
    refused: BTreeMap<String, String>,
    next_files: NextFiles,
    watch: Watch,
    asks: Vec<Waiting>,
    reopening: JoinSet<Result<(), store::Error>>,
    rows: Arc<ArcSwap<Vec<PluginRow>>>,
    host: plugin::Host,
    registry: Arc<Registry>,
    handlers: handling::Shared,
    store: Store,
    disk: Arc<Disk>,
    metrics: Metrics,
    retention: Arc<ArcSwap<Retention>>,
    sources: Arc<ingest::Sources>,
    dispatch: Arc<Dispatch>,
    delivery: Arc<Delivery>,
    directory: Directory,
    /// Looks at secrets, and writes to the audit log; nothing waits for it.
    telling: JoinSet<()>,
    auditor: Auditor,
    notices: Notices,
    /// Whether what changes now is a change of what ran.
    is_started: bool,
    /// The stems of the files that the start has left to be compiled: what becomes of these is no
    /// such change.
    starting: BTreeSet<String>,
    /// Cancelled once every file that was there at the start is loaded or refused.
    loaded: CancellationToken,
    redaction: Redaction,
    admin_hosts: Arc<ArcSwap<Vec<String>>>,
    access: Arc<Access>,
    fronts: Fronts,
}

/// Somebody who waits for what became of the files.
struct Waiting {
    ask: Ask,
    report: Report,
    until: Instant,
}

impl Live {
    /// Applies the configuration for the first time and loads the plugins. A plugin that is bad is
    /// reported and left out; one that has to be compiled comes later, and only the first source
    /// waits for that a while.
    pub(super) async fn start(path: &Path, config: Config, parts: &Parts) -> anyhow::Result<Self> {
        let config = Arc::new(config);
        let mut live = Self {
            path: path.to_owned(),
            loading: Loading::new(parts.host.clone(), config.plugins.clone()),
            admission: Admission::default(),
            refused: BTreeMap::new(),
            next_files: NextFiles::of(&parts.dispatch),
            applied: Arc::new(ArcSwap::new(config.clone())),
            config,
            complaint: None,
            folder_trouble: Arc::default(),
            watch: Watch::new(),
            asks: Vec::new(),
            reopening: JoinSet::new(),
            rows: Arc::default(),
            host: parts.host.clone(),
            registry: parts.registry.clone(),
            handlers: parts.handlers.clone(),
            store: parts.store.clone(),
            disk: parts.disk.clone(),
            metrics: parts.metrics.clone(),
            retention: parts.retention.clone(),
            sources: parts.sources.clone(),
            dispatch: parts.dispatch.clone(),
            delivery: parts.delivery.clone(),
            directory: parts.directory.clone(),
            redaction: parts.redaction.clone(),
            admin_hosts: parts.admin_hosts.clone(),
            access: parts.access.clone(),
            fronts: parts.fronts.clone(),
            telling: JoinSet::new(),
            auditor: parts.auditor(),
            notices: parts.notices.clone(),
            is_started: false,
            starting: BTreeSet::new(),
            loaded: CancellationToken::new(),
        };
        live.follow();
        live.apply();
        live.loading.look(Wish::default());
        let until = Instant::now() + START_PATIENCE;
        let mut has_looked = false;
        while !(live.loading.is_done() || has_looked && live.has_provider()) {
            // Only the waiting is cut off, and not the taking.
            let Ok(news) = tokio::time::timeout_at(until, live.loading.next()).await else { break };
            has_looked |= news.looked.is_some();
            live.take(news).await;
        }
        let unfinished = live.loading.unfinished().count();
        if live.loading.is_done() {
            live.all_loaded();
        } else {
            info!("the gateway parses no request until it has loaded more plugins: {unfinished}");
        }
        live.warn_of_missing();
        live.is_started = true;
        live.starting = live.loading.unfinished().map(str::to_owned).collect();
        Ok(live)
    }

    /// Resolves once every file that was there at the start is loaded or refused: until then an
    /// event could be routed past a handler that is still being compiled.
    pub(super) fn loaded(&self) -> CancellationToken {
        self.loaded.clone()
    }

    /// Whether a source can accept something, or there is none.
    fn has_provider(&self) -> bool {
        let sources = &self.config.sources;
        let loaded = |plugin: &Name| self.registry.get(plugin);
        let can_claim = |plugin: Arc<Plugin>| plugin.provider().is_some();
        sources.is_empty() || sources.values().any(|it| loaded(&it.plugin).is_some_and(can_claim))
    }

    fn note_loaded(&mut self) {
        if self.loading.is_done() && !self.loaded.is_cancelled() {
            info!("no plugin is left to load: the gateway parses requests");
            self.all_loaded();
        }
    }

    fn all_loaded(&mut self) {
        self.end_missing_canaries();
        self.loaded.cancel();
    }

    /// The configuration as it is whenever somebody asks.
    pub(super) fn config(&self) -> Arc<ArcSwap<Config>> {
        self.applied.clone()
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
        let living = async {
            loop {
                self.live(&mut asked).await?;
                self.rows.store(Arc::new(self.plugin_rows()));
                self.answer();
                self.note_loaded();
            }
        };
        tokio::select! {
            () = cancel.cancelled() => Ok(()),
            broken = living => broken,
        }
    }

    /// Does the next thing that there is to do.
    async fn live(&mut self, asked: &mut mpsc::Receiver<Ask>) -> anyhow::Result<()> {
        let patience = self.asks.iter().map(|waiting| waiting.until).min();
        tokio::select! {
            news = self.loading.next() => self.take(news).await,
            () = self.watch.changed() => drop(self.reload(false).await),
            moved = self.next_files.next() => self.act_on_canaries(moved),
            Some(ask) = asked.recv() => {
                let config = self.reload(true).await;
                let report = Report { config, plugins: Vec::new(), error: None };
                self.asks.push(Waiting { ask, report, until: Instant::now() + ASK_PATIENCE });
            }
            Some(reopened) = self.reopening.join_next() => match reopened {
                Ok(reopened) => reopened?,
                Err(error) => error!("failed to find dead letters to open again: {error}"),
            },
            () = until(patience) => (),
        }
        Ok(())
    }

    /// Reads the configuration, and has somebody look for plugins.
    async fn reload(&mut self, asked: bool) -> ConfigRow {
        self.take_out_dropped();
        // The configuration first: it may say how a new plugin is set up.
        let (row, mut again) = self.reload_config().await;
        if self.admission.take_unsure() {
            again.extend(self.ask_again().await);
        }
        self.loading.look(Wish { failed: asked, again });
        row
    }

    /// Answers those who asked for a reload, once there is nothing to wait for or it takes too
    /// long.
    fn answer(&mut self) {
        let is_moving = self.next_files.is_moving();
        let done = self.loading.is_done() && self.reopening.is_empty() && !is_moving;
        let now = Instant::now();
        let (ended, waiting): (Vec<_>, Vec<_>) =
            self.asks.drain(..).partition(|waiting| done || waiting.until <= now);
        self.asks = waiting;
        let trouble = self.folder_trouble.load();
        for Waiting { ask, mut report, .. } in ended {
            report.error = trouble.as_deref().cloned();
            report.plugins.extend(self.loading.unfinished().map(|stem| ReloadRow {
                plugin: stem.to_owned(),
                outcome: "loading",
                reason: Some("the file is still compiling".to_owned()),
            }));
            // Who asked may be gone by now.
            drop(ask.send(report));
        }
    }

    /// What became of the configuration, and the files that may load with it although they did not.
    async fn reload_config(&mut self) -> (ConfigRow, BTreeSet<String>) {
        match self.changed_config().await {
            Ok(None) => {
                self.complaint = None;
                (ConfigRow { outcome: "unchanged", reason: None }, BTreeSet::new())
            }
            Ok(Some((config, stopped))) => {
                if let Err(error) = self.delivery.egress().reload(egress_config(&config)) {
                    error!("failed to apply [egress]; the last good one stays in force: {error}");
                }
                self.complaint = None;
                config.warnings.iter().for_each(|warning| warn!("{warning}"));
                let changed = outline::difference(&self.config, &config);
                let mut again = self.refused_under_other_rules(&config);
                self.config = Arc::new(config);
                self.note_config(changed, "applied");
                again.extend(self.admission.applied(stopped));
                self.apply();
                self.ask_canaries().await;
                self.configure_access();
                self.warn_of_missing();
                let all = self.registry.list();
                self.tell_misfits(all);
                self.follow();
                info!(path = %self.path.display(), "applied the changed configuration");
                (ConfigRow { outcome: "applied", reason: None }, again)
            }
            Err(error) => {
                let reason = chain(error.as_ref()).replace('\n', "; ");
                if self.complaint.as_ref() != Some(&reason) {
                    error!(
                        "failed to apply the configuration; the last good one stays in force: \
                         {reason}"
                    );
                    self.complaint = Some(reason.clone());
                    self.note_config((Value::Null, json!({ "reason": reason })), "kept");
                }
                (ConfigRow { outcome: "kept", reason: Some(reason) }, BTreeSet::new())
            }
        }
    }

    /// The configuration if it is another than before and can be worked with, and what it leaves
    /// stopped of what was stopped before.
    async fn changed_config(&mut self) -> anyhow::Result<Option<(Config, Refusals)>> {
        let path = self.path.clone();
        let loaded = tokio::task::spawn_blocking(move || Config::load(&path)).await??;
        self.redaction.learn(&loaded.secrets);
        if loaded.fingerprint == self.config.fingerprint {
            return Ok(None);
        }
        let plugins = self.registry.list();
        let stopped = self
            .admission
            .of_config(&self.host, &loaded, &plugins)
            .await
            .map_err(|reason| anyhow!("{reason}"))?;
        let fixed = loaded.needs_restart(&self.config);
        if !fixed.is_empty() {
            warn!("restart the gateway to apply the new value of {}", fixed.join(", "));
        }
        Ok(Some((loaded, stopped)))
    }

    /// Has every part work by the configuration, without what is stopped.
    fn apply(&self) {
        let config = &self.config;
        self.applied.store(config.clone());
        // Before the vault, which has everything sealed again that an old key sealed.
        self.store.set_master_keys(config.master_keys.clone());
        self.directory.vault().configure(config.master_keys.clone());
        // Endpoints come first, so that no event is routed to one that delivery does not know; and
        // sources last, so that none takes what could not be parsed yet.
        self.directory.configure(config.endpoints.values().cloned().collect());
        self.metrics.show_endpoints(config.endpoints_max);
        self.delivery.use_breakers(config.limits.breaker);
        self.delivery.follow(None);
        bound_delays(&self.store, &self.directory);
        self.fronts.apply(config);
        // Before the first request of a source that is new, and the first run of a handler.
        self.store.know_ids_for(super::opening::terms(config));
        self.store.bound_state(super::opening::quotas(config));
        self.host.set_deadlines(super::calling::deadlines(&config.limits));
        self.host.set_rules(&config.plugin_rules);
        self.store.set_marks(config.limits.marks());
        self.disk.set_mark(config.limits.disk_free_bytes.map(|bytes| bytes as u64));
        self.retention.store(Arc::new(config.retention.clone()));
        self.admin_hosts.store(Arc::new(config.admin_hosts.clone()));
        self.remember_handlers();
        self.apply_rules();
    }

    /// Has what calls plugins work by the configuration, without what is stopped: all that a plugin
    /// that comes or goes can change.
    fn apply_rules(&self) {
        let config = &self.config;
        let reading = config.sources.iter().map(|(name, source)| {
            let reading = Reading {
                plugin: source.plugin.clone(),
                settings: source.settings.clone(),
                secrets: source.secrets.clone(),
                is_unverified: source.verify == Verify::None,
                tenant: source.tenant.clone(),
            };
            (name.clone(), reading)
        });
        let (stopped_sources, stopped_handlers) = self.admission.stopped();
        let mut sources = config.sources.clone();
        for (name, reason) in &stopped_sources {
            if let Some(source) = sources.get_mut(name) {
                source.stopped = Some(reason.as_str().into());
            }
        }
        self.dispatch.set_rules(Rules {
            sources: reading.collect(),
            handlers: config.handlers.clone(),
            plugins: config.plugin_rules.clone(),
            stopped_sources,
            stopped_handlers,
        });
        self.sources.store(Arc::new(sources));
    }

    /// Has the admin port go by the tokens of the configuration. The store is told beside
    /// everything else that there are some: those who ask now go by what is in memory.
    fn configure_access(&mut self) {
        self.access.configure(&self.config.tokens, self.config.open_metrics);
        let access = self.access.clone();
        while self.telling.try_join_next().is_some() {}
        self.telling.spawn(async move {
            if let Err(error) = access.note_needed().await {
                warn!("failed to note that the admin port needs a token from now on: {error}");
            }
        });
    }

    /// Says which secrets can't be keys. Beside everything else: nothing waits for it.
    pub(super) fn tell_misfits(&mut self, plugins: Vec<Arc<Plugin>>) {
        let host = self.host.clone();
        let config = self.config.clone();
        while self.telling.try_join_next().is_some() {}
        self.telling.spawn(async move {
            for plugin in plugins.iter().filter(|plugin| plugin.provider().is_some()) {
                let file = config.plugins.join(format!("{}.wasm", plugin.name()));
                let read = move || About::of_path(&file);
                let Ok(about) = tokio::task::spawn_blocking(read).await else { continue };
                for misfit in misfits(&host, &config, plugin, &about).await {
                    warn!("{misfit}");
                }
            }
        });
    }

    fn follow(&mut self) {
        let files =
            self.config.secret_files.iter().map(PathBuf::as_path).chain([self.path.as_path()]);
        self.watch.follow(files, [self.config.plugins.as_path()]);
        let providers = self.config.sources.values().map(|source| &source.plugin);
        let named = providers.chain(self.config.handlers.keys());
        self.loading.first(named.map(ToString::to_string).collect());
        self.loading.trust(&self.config.trusted_keys);
    }
}

/// The egress part of a configuration.
pub(super) fn egress_config(config: &Config) -> egress::Config {
    let (allow, ca) = (config.egress_allow.clone(), config.egress_ca.clone());
    egress::Config { allow, ca, ..egress::Config::default() }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
