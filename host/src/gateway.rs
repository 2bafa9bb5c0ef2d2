//! The whole gateway: made from a configuration, run until told to stop.
//!
//! Wiring only: it starts the parts, hands each its own configuration, and waits for them. No task
//! hands data to another except through the store, so there is no order in which they must stop.

mod admission;
mod calling;
mod canaries;
mod crowding;
mod drafting;
mod early;
mod endpoints;
mod erasing;
mod faring;
mod fitting;
mod fronts;
mod handling;
mod high_water;
mod holding;
mod live;
mod loading;
mod noting;
mod opening;
mod operations;
mod operators;
mod outline;
mod passed;
mod posting;
mod publishing;
mod reach;
mod redacting;
mod rehearsing;
mod replaying;
mod sampling;
mod sealing;
mod showing;
mod staging;
mod starting;
mod sweeping;
mod unquoted;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::address::Address;
use crate::admin::{self, Access, Ask, Report};
use crate::clock::Clock;
use crate::config::{Config, Limits};
use crate::dashboard;
use crate::delivery::{Deliveries, Delivery};
use crate::directory::Directory;
use crate::directory::vault::Vault;
use crate::disk::Disk;
use crate::dispatch::{Dispatch, Runs};
use crate::egress::Egress;
use crate::ingest::{self, Ingest, Intake, Notes, Pacing};
use crate::keys::Keys;
use crate::listener::{Front, Port, Socket};
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::plugin::{self, Compiler, Registry};
use crate::refused::RefusedRequests;
use crate::secrets::Redaction;
use crate::store::{Retention, Store};
use crate::telemetry::{Exports, Telemetry};
use crate::traffic::Traffic;
use crate::worker::work;

pub(crate) use admission::Admission;
use calling::{ending, once_loaded, parsing};
use canaries::Canarying;
use endpoints::Endpoints;
use erasing::Erasing;
use faring::Faring;
pub(crate) use fitting::misfits;
use fronts::Fronts;
use handling::Handling;
use high_water::HighWater;
use live::Live;
use noting::Noting;
use opening::open_counted;
pub(crate) use opening::open_store;
use operations::Operations;
pub use passed::{PassedAdmin, PassedSockets};
use publishing::Publishing;
use rehearsing::Desk;
use replaying::Replaying;
use sealing::Sealing;
pub(crate) use staging::{load_version, memory_limit, rehearsal_host, roles, stage};
use sweeping::Sweeping;

/// Connections to the admin port at a time; half of them for those who look whether it is well.
const ADMIN_CONNECTIONS: usize = 256;

/// Who asks for a reload at a time; more wait.
const ASKS_MAX: usize = 8;

/// Why a stop waits for nothing.
const NOTHING_STORED: &str = "stopped at once, because the gateway can't store anything any more";

/// What a gateway can be started with, beside its configuration.
#[derive(Debug, Clone)]
pub struct Seams {
    /// The time.
    pub clock: Clock,
    /// Who compiles plugins.
    pub compiler: Compiler,
    /// Where compiled plugins are kept, if not with the data.
    pub compiled: Option<PathBuf>,
    /// What stands in for the public keys that are fetched, if anything does.
    pub keys: Option<Keys>,
    /// Learns the secrets that nobody may be shown; the log's own, in a process that has one
    /// gateway.
    pub redaction: Redaction,
}

/// Asks a gateway to look at its files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reloads(mpsc::Sender<Ask>);

impl Reloads {
    /// Has the gateway look at its files now, waits for plugins that have to be compiled (25 s at
    /// most), and gives what became of them; nothing if the gateway is stopping.
    pub async fn reload(&self) -> Option<Report> {
        let (ask, answered) = oneshot::channel();
        self.0.send(ask).await.ok()?;
        answered.await.ok()
    }
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    public: SocketAddr,
    admin: Address,
    /// Whether the public port has TLS at the start.
    is_secured: bool,
    store: Store,
    grace: Duration,
    reload: mpsc::Sender<Ask>,
    cancel: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    /// They end behind all others.
    exports: Exports,
}

/// The parts that more than one task needs.
struct Parts {
    store: Store,
    disk: Arc<Disk>,
    host: plugin::Host,
    registry: Arc<Registry>,
    handlers: handling::Shared,
    metrics: Metrics,
    telemetry: Telemetry,
    exports: Exports,
    notices: Notices,
    clock: Clock,
    dispatch: Arc<Dispatch>,
    delivery: Arc<Delivery>,
    directory: Directory,
    jwks: Arc<ArcSwapOption<Bytes>>,
    keys: Keys,
    sources: Arc<ingest::Sources>,
    refused: Arc<RefusedRequests>,
    redaction: Redaction,
    access: Arc<Access>,
    traffic: Arc<Traffic>,
    admin_hosts: Arc<ArcSwap<Vec<String>>>,
    fronts: Fronts,
    retention: Arc<ArcSwap<Retention>>,
}

impl Gateway {
    /// Starts what the file at `path` says: opens the store, loads the plugins, binds both ports.
    pub async fn start(path: &Path, seams: Seams) -> anyhow::Result<Self> {
        Self::start_on(path, seams, PassedSockets::default()).await
    }

    /// The same on these sockets, as far as they are there, in place of the addresses of the file.
    pub async fn start_on(
        path: &Path,
        seams: Seams,
        sockets: PassedSockets,
    ) -> anyhow::Result<Self> {
        let config = Config::load_to_start(path)?;
        starting::tell(&config.limits);
        config.warnings.iter().for_each(|warning| warn!("{warning}"));
        let tokens = (&config.tokens[..], seams.clock.now());
        let admin_at = sockets.admin_at(&config.admin)?;
        reach::check_before(&admin_at, tokens, &config.data)?;
        let mut parts = Parts::open(&config, seams).await?;
        reach::check(&admin_at, &parts.access)?;
        let (public, admin) = sockets.or_bound(config.listen, &config.admin)?;
        let addresses = (public.local_addr()?, admin.address()?);

        let limits = config.limits.clone();
        let is_secured = config.public_tls.is_some();
        let live = Live::start(path, config, &parts).await?;
        let (reload, asked) = mpsc::channel(ASKS_MAX);
        let mut gateway = Self {
            public: addresses.0,
            admin: addresses.1,
            is_secured,
            store: parts.store.clone(),
            grace: limits.grace(),
            reload,
            cancel: CancellationToken::new(),
            tasks: JoinSet::new(),
            exports: std::mem::take(&mut parts.exports),
        };
        let desk = Desk::of(&parts, live.config());
        gateway.spawn_beside(&parts, &desk);
        let (dispatch, loaded) = (parts.dispatch.clone(), live.loaded());
        gateway.beside(crowding::look(dispatch, loaded, gateway.cancel.clone()));
        gateway.beside(desk.clone().closed(gateway.cancel.clone()));
        gateway.spawn(parts, (live, asked, desk), &limits, public.into(), admin);
        Ok(gateway)
    }

    /// What goes on beside the path of events.
    fn spawn_beside(&mut self, parts: &Parts, desk: &Desk) {
        let sweeping = Sweeping {
            store: parts.store.clone(),
            clock: parts.clock.clone(),
            metrics: parts.metrics.clone(),
            retention: parts.retention.clone(),
        };
        let high_water = HighWater { store: parts.store.clone(), disk: parts.disk.clone() };
        let noting = Noting { access: parts.access.clone() };
        let erasing = Erasing {
            store: parts.store.clone(),
            auditor: parts.auditor(),
            refused: parts.refused.clone(),
            desk: desk.clone(),
        };
        let replaying = Replaying { store: parts.store.clone(), disk: parts.disk.clone() };
        self.beside(Endpoints::of(parts).run(self.cancel.clone()));
        self.beside(Faring::of(parts).run(self.cancel.clone()));
        self.beside(sweeping.run(self.cancel.clone()));
        self.beside(high_water.run(self.cancel.clone()));
        self.beside(noting.run(self.cancel.clone()));
        self.beside(replaying.run(self.cancel.clone()));
        self.beside(erasing.run(self.cancel.clone()));
        self.beside(Sealing::of(parts).run(self.cancel.clone()));
        self.beside(Publishing::of(parts).run(self.cancel.clone()));
        self.beside(Operations::of(parts).run(self.cancel.clone()));
        self.beside(Canarying::of(parts).run(self.cancel.clone()));
        self.beside(Handling::of(parts).run(self.cancel.clone()));
        self.beside(sampling::sample(parts.traffic.clone(), self.cancel.clone()));
    }

    fn beside(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            task.await;
            Ok(())
        });
    }

    fn spawn(
        &mut self,
        parts: Parts,
        (live, asked, desk): (Live, mpsc::Receiver<Ask>, Desk),
        limits: &Limits,
        public: Socket,
        admin: Socket,
    ) {
        let cancel = &self.cancel;
        let ingest = Arc::new(Ingest {
            host: parts.host.clone(),
            registry: parts.registry.clone(),
            store: parts.store.clone(),
            disk: parts.disk.clone(),
            keys: parts.keys.clone(),
            early: parts.dispatch.clone(),
            clock: parts.clock.clone(),
            metrics: parts.metrics.clone(),
            telemetry: parts.telemetry.clone(),
            front: parts.fronts.public.clone(),
            sources: parts.sources.clone(),
            intake: Intake::new(limits.bodies(), cancel.clone()),
            requests: Semaphore::new(limits.requests),
            notes: Notes::default(),
            refused: parts.refused.clone(),
            jwks: parts.jwks.clone(),
            unknown: Pacing::default(),
        });
        let writes = TaskTracker::new();
        let of = (&live, desk, ingest.clone());
        let operators = parts.operators(of, self.reload.clone(), writes.clone(), cancel);
        let operators = Arc::new(operators);
        let measured = Arc::clone(&operators);
        self.exports.measure(move || measured.measured());
        let (metrics, clock) = (&parts.metrics, parts.clock.clone());
        let cancelled = cancel.clone();
        let port = |socket, name, limits, front: &Arc<Front>| {
            let (front, metrics) = (front.clone(), metrics.clone());
            Port { socket, name, limits, front, metrics }
        };
        let public = port(public, "public", limits.public(), &parts.fronts.public)
            .serve(ingest::Routes::of(ingest), cancelled.clone());
        let admin = port(admin, "admin", limits.admin(ADMIN_CONNECTIONS), &parts.fronts.admin)
            .serve(dashboard::router(admin::router(operators), clock), cancelled);
        // With none at a time the loop only waits for its end, and receipts stay in the store.
        let parsing = parsing(parts.dispatch.clone(), limits.parses, cancel.clone());
        let parses = once_loaded(live.loaded(), cancel.clone(), parsing);
        let running = work(Runs(parts.dispatch), limits.runs, cancel.clone());
        let runs = once_loaded(live.loaded(), cancel.clone(), running);
        let deliveries = work(Deliveries(parts.delivery), limits.deliveries, cancel.clone());

        self.tasks.spawn(async move {
            public.await;
            Ok(())
        });
        self.tasks.spawn(async move {
            admin.await;
            // Also those of who hung up: each has an entry in the audit log.
            writes.close();
            writes.wait().await;
            Ok(())
        });
        self.tasks.spawn(ending("parsing", parses));
        self.tasks.spawn(ending("running", runs));
        self.tasks.spawn(ending("delivering", deliveries));
        self.tasks.spawn(live.run(asked, cancel.clone()));
    }

    /// Where payment gateways post.
    pub fn public_addr(&self) -> SocketAddr {
        self.public
    }

    /// The same as a URL.
    pub fn public_url(&self) -> String {
        let scheme = if self.is_secured { "https" } else { "http" };
        format!("{scheme}://{}", self.public)
    }

    /// Where operators ask.
    pub fn admin_addr(&self) -> Address {
        self.admin.clone()
    }

    /// Where to ask for a look at the configuration and the plugins.
    pub fn reloads(&self) -> Reloads {
        Reloads(self.reload.clone())
    }

    /// The store, for what wants to wait until nothing is due.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Runs until `stop` resolves or a task ends by itself, then drains.
    ///
    /// A task ends by itself only when the host is broken, so that is an error and the process
    /// exits: everything accepted is in the store, and a restart continues from there.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let ending = tokio::select! {
            () = stop => Ok(()),
            Some(ended) = self.tasks.join_next() => Err(unexpected_end(ended)),
        };
        info!(grace_s = self.grace.as_secs(), "stopping: the gateway finishes the work in flight");
        self.cancel.cancel();
        let drain = async {
            while let Some(ended) = self.tasks.join_next().await {
                if let Err(error) = ended.map_err(anyhow::Error::from).flatten() {
                    error!("a task of the gateway failed while it stopped: {error:#}");
                }
            }
        };
        let cut_off = tokio::select! {
            () = drain => None,
            () = tokio::time::sleep(self.grace) => {
                Some("the grace period is over; unfinished work stays in the store")
            }
            // What is in flight could not be recorded, however long it took.
            () = self.store.displaced() => Some(NOTHING_STORED),
        };
        if let Some(why) = cut_off {
            warn!(tasks = self.tasks.len(), "{why}");
            self.tasks.abort_all();
        }
        self.exports.stop().await;
        let failed = cut_off.filter(|why| *why == NOTHING_STORED);
        self.store.close().await.context(failed.unwrap_or("failed to close the store"))?;
        ending
    }
}

fn unexpected_end(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow!("a task of the gateway ended unexpectedly"),
        Ok(Err(error)) => error,
        Err(error) => anyhow::Error::from(error).context("a task of the gateway panicked"),
    }
}

impl Parts {
    async fn open(config: &Config, seams: Seams) -> anyhow::Result<Self> {
        let Seams { clock, compiler, compiled, keys, redaction } = seams;
        // Before anything can be said of what was read.
        redaction.learn(&config.secrets);
        let limits = &config.limits;
        let metrics = Metrics::new();
        let store = open_counted(config, clock.clone(), &metrics).await?;
        let settings = config.telemetry.as_ref();
        let (telemetry, exports) = Telemetry::start(settings, &store, &clock, &metrics)?;
        let vault = Arc::new(Vault::new(config.master_keys.clone()));
        let directory = Directory::open(store.clone(), vault, clock.clone()).await?;
        let disk = Arc::new(Disk::of(config.data.clone()));
        high_water::look(&disk).await;
        let compiled = compiled.unwrap_or_else(|| config.data.join("compiled"));
        let host = plugin::Host::new(calling::plugins(limits, compiler, compiled))?;
        let registry = Arc::new(Registry::default());
        let notices = Notices::new(metrics.clone());
        let dispatch = Arc::new(calling::dispatch(
            limits,
            (host.clone(), registry.clone(), directory.clone(), store.clone()),
            (clock.clone(), metrics.clone(), telemetry.clone(), notices.clone()),
            canaries::restored(&store).await?,
        ));
        let egress = Egress::new(live::egress_config(config), clock.clone())?;
        let keys = keys.map_or_else(|| Keys::fetched(egress.clone(), clock.clone()), Ok)?;
        let (owed, seen) =
            ((store.clone(), directory.clone()), (metrics.clone(), telemetry.clone()));
        let delivery = Delivery::new(owed, clock.clone(), seen, egress, limits.deliveries);
        let tokens = (&config.tokens[..], config.open_metrics);
        let access = Access::open(store.clone(), clock.clone(), tokens).await?;
        let handlers = handling::restored(&store).await?;
        let traffic = Traffic::new(metrics.clone(), store.clone(), clock.clone());
        Ok(Self {
            store,
            disk,
            host,
            registry,
            handlers,
            metrics,
            notices,
            clock,
            telemetry,
            exports,
            dispatch,
            delivery: Arc::new(delivery),
            directory,
            jwks: Arc::default(),
            keys,
            sources: Arc::default(),
            refused: Arc::default(),
            redaction,
            access: Arc::new(access),
            traffic: Arc::new(traffic),
            admin_hosts: Arc::new(ArcSwap::from_pointee(config.admin_hosts.clone())),
            fronts: Fronts::default(),
            retention: Arc::new(ArcSwap::from_pointee(config.retention.clone())),
        })
    }
}
