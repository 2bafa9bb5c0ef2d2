//! `hookgate serve`: the gateway, until told to stop.
//!
//! On sockets that a service manager passes, if it does, which also hears how the gateway is.

mod sockets;
mod supervisor;

use std::path::Path;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::admin::Auditor;
use crate::clock::Clock;
use crate::gateway::{Gateway, Reloads, Seams};
use crate::plugin::Compiler;
use crate::store::Deed;

pub(super) async fn serve(config: &Path) -> anyhow::Result<()> {
    // Before anything else asks for the variables that it takes away.
    let sockets = sockets::passed()?;
    let stop = stop_signal()?;
    // Before there is anything to reload: its default is to end the process.
    let hangup = signal(SignalKind::hangup()).context("failed to listen for SIGHUP")?;
    outlast_a_full_disk()?;
    use_all_descriptors();
    let gateway = Gateway::start_on(config, seams()?, sockets).await?;
    // Whoever starts the gateway on port 0 reads the ports here: the fields stay as they are.
    let public = gateway.public_addr();
    let admin = gateway.admin_addr();
    let url = gateway.public_url();
    info!(%public, %admin, "accepting webhooks on {url}/in/{{source}}");
    let mut reloading = JoinSet::new();
    let store = gateway.store().clone();
    let auditor = Auditor { store, redaction: super::log::redaction().clone() };
    let status = format!("accepting webhooks on {url}/in/{{source}}, operators on {admin}");
    supervisor::ready(status.clone()).await;
    reloading.spawn(reload_at(hangup, (gateway.reloads(), status), auditor));
    reloading.spawn(supervisor::stay_alive());
    let stop = async {
        stop.await;
        supervisor::stopping().await;
    };
    gateway.run_until(stop).await?;
    info!("stopped");
    Ok(())
}

/// Has the gateway look at its files at each SIGHUP, as `POST /v1/reload` does.
async fn reload_at(mut hangup: Signal, (reloads, status): (Reloads, String), auditor: Auditor) {
    while hangup.recv().await.is_some() {
        info!("received SIGHUP: reading the configuration and the plugins again");
        supervisor::reloading().await;
        let Some(report) = reloads.reload().await else { return };
        let outcome = report.config.outcome;
        supervisor::ready(format!("{status}; the configuration was read again: {outcome}")).await;
        // What changed or is wrong was told where it happened.
        info!(
            config = report.config.outcome,
            plugins = report.plugins.len(),
            "read the configuration and the plugins again"
        );
        let deed = Deed {
            who: "who may send signals to the gateway".to_owned(),
            from: "SIGHUP".to_owned(),
            what: "reload".to_owned(),
            outcome: report.config.outcome.to_owned(),
            after: serde_json::to_value(&report).unwrap_or_default(),
            ..Deed::default()
        };
        // An error is in the log.
        drop(auditor.record(deed).await);
    }
}

/// The world as it is: its clock, and this very program to compile plugins.
pub(super) fn seams() -> anyhow::Result<Seams> {
    let program = std::env::current_exe().context("failed to find the file of this program")?;
    let compiler = Compiler::Child(program);
    let redaction = super::log::redaction().clone();
    Ok(Seams { clock: Clock::System, compiler, compiled: None, keys: None, redaction })
}

/// Where a limit on the size of files is reached, the write fails, as on a full disk; the signal
/// that comes with it would end the process.
fn outlast_a_full_disk() -> anyhow::Result<()> {
    let too_large = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    // Once it was listened for, it never ends the process, also when nobody listens any more.
    signal(too_large).map(drop).context("failed to listen for SIGXFSZ")
}

/// Each connection takes a descriptor, also one to an endpoint that hangs. The usual limit of 1,024
/// is for programs that can't deal with more, and may be raised by anybody up to the hard one.
fn use_all_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(limit = limit.current, "failed to raise the limit on open files: {error}");
    }
}

/// Resolves at the first SIGTERM or SIGINT. Whoever sends a second one means it: the process then
/// ends at once, and what was in flight is done again after the next start.
pub(super) fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for SIGINT")?;
    let mut told = JoinSet::new();
    let (stop, stopped) = oneshot::channel();
    told.spawn(async move {
        let mut next = async || {
            tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
        };
        next().await;
        if stop.send(()).is_ok() {
            next().await;
            warn!("received a second signal to stop: exiting at once");
        }
        std::process::exit(1);
    });
    Ok(async move {
        // The listening goes on until the process ends, for the second signal.
        let stopped = stopped.await;
        told.detach_all();
        debug_assert!(stopped.is_ok(), "the sender waits for a signal");
    })
}
