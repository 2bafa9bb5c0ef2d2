//! How the gateway has plugins called: with how much of everything, and from when on.
//!
//! Only what the configuration says becomes of the plugins' door, and when the loops begin that
//! call them. Never calls a plugin itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::config::Limits;
use crate::dispatch::{Dispatch, Parses};
use crate::plugin::{self, Compiler};
use crate::store;
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
/// an event that was routed meanwhile would never reach a handler that is still being compiled.
pub(super) async fn once_loaded<T>(
    loaded: CancellationToken,
    cancel: CancellationToken,
    then: impl Future<Output = T>,
) -> T {
    tokio::select! {
        () = loaded.cancelled() => (),
        () = cancel.cancelled() => (),
        () = tokio::time::sleep(LOADING_MAX) => {
            warn!("some plugins are still compiling: the gateway routes events without these");
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
