//! `hookgate store`: checks, exports or repairs a store while no gateway runs on it.
//!
//! Asks no gateway: it opens the files itself. Never removes anything that a store has.

mod export;
mod repair;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::ConfigFile;
use super::progress::{Progress, Unit};
use crate::config::Config;
use crate::store::{self, Checked, VolumeKeys};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check that everything in a store can be read, and change nothing. The exit code is 0 if the
    /// store is sound, 1 if it has faults, and 2 if it can't be checked
    Check {
        #[command(flatten)]
        place: Place,
        /// Print one JSON document instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Make a new hookgate.redb from the volumes of a store, if a start says that it is damaged.
    /// Keeps the old one beside it, as hookgate.redb.before-repair
    Repair(repair::Options),
    /// Write all receipts, and all events with their runs and deliveries, to standard output:
    /// oldest first, one JSON document a line, without secrets
    Export(ConfigFile),
}

/// Which store.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The data folder, or the configuration file that names it
    #[arg(value_name = "DATA_OR_CONFIG", default_value = "hookgate.toml")]
    place: PathBuf,
}

impl Place {
    pub(super) fn folder(&self) -> anyhow::Result<PathBuf> {
        if self.place.is_dir() {
            return Ok(self.place.clone());
        }
        Ok(Config::data_folder(&self.place)?)
    }

    /// What opens the store, if it is encrypted: not known of a folder alone.
    pub(super) fn keys(&self) -> anyhow::Result<VolumeKeys> {
        if self.place.is_dir() {
            return Ok(VolumeKeys::default());
        }
        Ok(Config::volume_keys(&self.place)?)
    }
}

/// Nothing is known of the store; the cause of this error says why.
#[derive(Debug, thiserror::Error)]
#[error("failed to check the store")]
pub(super) struct NotChecked;

/// What a check found, for programs.
#[derive(Debug, Serialize)]
struct Document<'c> {
    store: String,
    sound: bool,
    #[serde(flatten)]
    checked: &'c Checked,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Check { place, json } => match check(&place, json) {
            Ok(0) => Ok(()),
            Ok(found) => Err(anyhow!("faults found: {found}")),
            Err(error) => Err(error.context(NotChecked)),
        },
        Command::Repair(options) => repair::repair(&options),
        Command::Export(file) => export::export(&file.config).await,
    }
}

/// Prints what is wrong with a store, and gives how much that is.
fn check(place: &Place, json: bool) -> anyhow::Result<u64> {
    let folder = place.folder()?;
    // Without them it says what they would open.
    let keys = place.keys().unwrap_or_default();
    let seen = AtomicU64::new(0);
    let checked = Progress::new("checked", Unit::Of("records")).during(
        || (seen.load(Ordering::Relaxed), None),
        || store::check_counting(&folder, &keys, &seen),
    )?;
    let found = checked.found;
    let store = folder.display().to_string();
    if json {
        let document =
            Document { store, sound: found == 0 && checked.locked == 0, checked: &checked };
        say!("{}", serde_json::to_string_pretty(&document)?)?;
        return known(&checked);
    }
    for fault in &checked.faults {
        say!("FAULT {fault}")?;
    }
    let more = found - checked.faults.len() as u64;
    if more > 0 {
        say!("and {more} more faults")?;
    }
    let Checked { volumes, frames, segments, records, standings, .. } = &checked;
    say!(
        "checked the store in {store}: volumes {volumes}, frames of commits {frames}, segments \
         {segments}, records {records}, works that were tried {standings}"
    )?;
    if found == 0 && checked.locked == 0 {
        say!("the store is sound")?;
    }
    let path = store::file_in(&folder);
    if checked.faults.iter().any(|fault| path.ends_with(&fault.file)) {
        say!("`hookgate store repair --anyway` makes {} anew", path.display())?;
    }
    known(&checked)
}

/// How many faults there are, if all could be looked at.
fn known(checked: &Checked) -> anyhow::Result<u64> {
    if checked.locked == 0 || checked.found > 0 {
        return Ok(checked.found);
    }
    let keys = checked.locked_by.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    bail!(
        "{} segments are encrypted and nothing in them was checked but their checksums, nor what \
         depends on them: check with a configuration whose `master_key` has {keys}",
        checked.locked
    )
}
