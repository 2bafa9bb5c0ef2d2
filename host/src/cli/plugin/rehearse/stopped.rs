//! A rehearsal by this program, over a data folder on which no gateway runs, or over a backup.
//!
//! The configuration says the rest: settings, grants, secrets, and whom the operator trusts. Shows
//! no secret of it. Changes nothing in the folder.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use anyhow::Context;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::{Asked, Found, LOOK};
use crate::cli::log;
use crate::cli::output::note;
use crate::cli::serve::stop_signal;
use crate::config::Config;
use crate::directory::Directory;
use crate::directory::vault::Vault;
use crate::gateway::{load_version, memory_limit, rehearsal_host, roles, stage};
use crate::plugin::{Compiler, Role};
use crate::rehearsal::{Ask, Progress, Report, Stage, rehearse as run_again};
use crate::store::{Past, VolumeKeys};

pub(super) async fn rehearse(config: &Path, folder: &Path, asked: Asked) -> anyhow::Result<Found> {
    let config = Config::load(config)?;
    // Before anything can be said of what was read.
    log::redaction().learn(&config.secrets);
    let program = std::env::current_exe().context("failed to find the file of this program")?;
    let host = rehearsal_host(&config, Compiler::Child(program))?;
    let Asked { plugin: name, file, wasm, signature, source, event_type, since, until, limit } =
        asked;
    let plugin = load_version(&host, &config, (&name, &wasm), signature.as_deref())
        .with_context(|| format!("failed to load {}", file.display()))?;

    let keys = VolumeKeys::opening(config.master_keys.clone());
    let past = Past::of_folder_with(folder, &keys)?;
    if past.is_behind() {
        note(format_args!(
            "hookgate: the log of the store goes on behind its last checkpoint, and this looks at \
             nothing there"
        ));
    }
    let vault = Arc::new(Vault::new(config.master_keys.clone()));
    let directory = Directory::of_rows(past.endpoints()?, vault);
    directory.configure(config.endpoints.values().cloned().collect());
    let stage = stage(&host, &config, &name, (&directory, log::redaction()));
    let limit = limit.unwrap_or(u64::MAX);
    let role = Role::Handler;
    let ask = Ask { plugin, role, source, event_type, since, until, limit };
    let mut reports = Vec::new();
    for role in roles(&ask.plugin) {
        let ask = Ask { role, ..ask.clone() };
        reports.push(one(past.renewed()?, stage.clone(), ask).await?);
    }
    // As the admin port shows it.
    let shown = log::redaction().of_json(&serde_json::to_string(&reports)?);
    let reports = serde_json::from_str(&shown)?;
    Ok(Found { reports, memory_limit_bytes: memory_limit(&config, &name) })
}

/// Rehearses in one role, and says how far it is.
async fn one(past: Past, stage: Stage, ask: Ask) -> anyhow::Result<Report> {
    let progress = Arc::new(Progress::default());
    let shared = Arc::clone(&progress);
    let mut running = spawn_blocking(move || run_again(past, &stage, &ask, &shared));
    let mut stop = pin!(stop_signal()?);
    let (mut shown, mut is_stopped) = (super::progress(), false);
    loop {
        tokio::select! {
            ended = &mut running => return Ok(ended??),
            () = &mut stop, if !is_stopped => {
                progress.cancel();
                is_stopped = true;
            }
            () = sleep(LOOK) => {
                let of = Some(progress.of()).filter(|of| *of > 0);
                shown.tell(progress.done(), of);
            }
        }
    }
}
