//! How the gateway has plugins called: with how much of everything, and from when on.
//!
//! Only what the configuration says becomes of the plugins' door, and when the loops begin that
//! call them. Never calls a plugin itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::clock::Clock;
use crate::config::Limits;
use crate::directory::Directory;
use crate::dispatch::{Breakers, Canaries, Dispatch, Early, Excess, Parses};
use crate::metrics::{Kind, Metrics};
use crate::notices::Notices;
use crate::plugin::{self, Compiler, Registry};
use crate::retry::RetryPolicy;
use crate::store::{self, Store};
use crate::telemetry::Telemetry;
use crate::worker::work;

/// How long parses and runs wait for plugins that are compiled at the start.
const LOADING_MAX: Duration = Duration::from_secs(60);

/// How plugins are called, and where what is compiled of them is kept.
pub(super) fn plugins(limits: &Limits, compiler: Compiler, compiled: PathBuf) -> plugin::Config {
    let mut plugins = plugin::Config::new(compiler, Some(compiled));
    plugins.threads = limits.threads();
    plugins.deadlines = deadlines(limits);
    plugins.memory_max = limits.plugin_memory_bytes;
    plugins
}

/// What hands parses and runs to plugins. It has no rules yet.
pub(super) fn dispatch(
    limits: &Limits,
    (host, registry, directory, store): (plugin::Host, Arc<Registry>, Directory, Store),
    (clock, metrics, telemetry, notices): (Clock, Metrics, Telemetry, Notices),
    canaries: Canaries,
) -> Dispatch {
    let breakers =
        |kind| Breakers::new(kind, clock.clone(), metrics.clone()).telling(notices.clone());
    let (parse_breakers, run_breakers) = (breakers(Kind::Receipt), breakers(Kind::Run));
    Dispatch {
        host,
        registry,
        directory,
        store,
        clock,
        metrics,
        telemetry,
        rules: ArcSwap::default(),
        failures: RetryPolicy::plugins(),
        crashes: RetryPolicy::crashes(),
        runs_per_handler: limits.runs_per_handler,
        allowance: limits.allowance(),
        early: Early::default(),
        parse_breakers,
        run_breakers,
        canaries,
        excess: Excess::default(),
    }
}

/// Parses receipts, so many at a time, and from now on requests before they are stored too.
pub(super) async fn parsing(
    dispatch: Arc<Dispatch>,
    most: usize,
    cancel: CancellationToken,
) -> Result<(), store::Error> {
    // A stop may have come before all plugins were loaded.
    if most > 0 && !cancel.is_cancelled() {
        dispatch.early.open();
    }
    work(Parses::new(dispatch), most, cancel).await
}

/// What calls plugins begins once those that were there at the start are loaded, or after a while:
/// an event that was routed meanwhile would never reach a handler that is still being compiled,
/// unless it has run here before.
pub(super) async fn once_loaded<T>(
    loaded: CancellationToken,
    cancel: CancellationToken,
    then: impl Future<Output = T>,
) -> T {
    tokio::select! {
        () = loaded.cancelled() => (),
        () = cancel.cancelled() => (),
        () = tokio::time::sleep(LOADING_MAX) => {
            warn!(
                "some plugins are still compiling, and the gateway waits no longer: new events \
                 wait for the handlers of the configuration that have run here before, and pass \
                 others by"
            );
        }
    }
    then.await
}

/// A task's own end, with its name.
pub(super) async fn ending<E: std::error::Error + Send + Sync + 'static>(
    name: &'static str,
    task: impl Future<Output = Result<(), E>>,
) -> anyhow::Result<()> {
    task.await.with_context(|| format!("{name} ended"))
}

/// How long each kind of call may take.
pub(super) fn deadlines(limits: &Limits) -> plugin::Deadlines {
    plugin::Deadlines {
        claims: limits.claims_deadline(),
        early: limits.early_parse(),
        parse: limits.parse_deadline(),
        handle: limits.handle_deadline(),
        ..plugin::Deadlines::default()
    }
}
