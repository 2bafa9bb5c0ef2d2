//! `hookgate plugin try`: stored work, run again by another version of a plugin, and what differs.
//!
//! A gateway that runs does it, or this program over a data folder on which none runs. Two runs
//! over the same store print the same; times differ by nature, and so are notes on standard error.
//! Never changes a store, and never puts a plugin in place.

mod running;
mod shown;
mod stopped;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{Args, value_parser};

use crate::cli::at::At;
use crate::cli::filter::{When, when};
use crate::cli::output::note;
use crate::cli::progress::{Progress, Unit};
use crate::clock::Clock;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::minisign::{self, signature_of};
use crate::plugin::{FILE_BYTES_MAX, name_of};
use crate::regular_file;
use crate::rehearsal::Report;
use crate::route::Pattern;

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(in crate::cli) struct Command {
    /// The .wasm file of the new version; its signature, where one has to be, lies beside it
    file: PathBuf,
    /// The name of the plugin that it is a version of; if left out, that of the file
    #[arg(long = "as", value_name = "NAME")]
    name: Option<Name>,
    /// Only requests of this source, or runs on events of this source or handler
    #[arg(long)]
    source: Option<Name>,
    /// Only runs on events of this type, or requests that brought one, such as payment.*
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<Pattern>,
    /// Only what was stored from this time on, such as 2026-11-22T03:00:00Z, or within this time,
    /// such as 7d
    #[arg(long, value_name = "TIME", value_parser = when)]
    since: Option<When>,
    /// Only what was stored before this time
    #[arg(long, value_name = "TIME", value_parser = when)]
    until: Option<When>,
    /// The most requests or runs, the oldest first
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Print a line of JSON for each role of the plugin, with all samples
    #[arg(long)]
    json: bool,
    /// Add the times of the calls to the JSON
    #[arg(long, requires = "json")]
    times: bool,
    /// Ask no gateway: read the store in this folder, which may be a backup; no gateway must run on
    /// it. The configuration has the settings, grants and secrets
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["admin", "profile", "token_file"])]
    data: Option<PathBuf>,
    #[command(flatten)]
    at: At,
}

/// Nothing is known of the version; the cause of this error says why.
#[derive(Debug, thiserror::Error)]
#[error("failed to try the plugin")]
pub(in crate::cli) struct NotRehearsed;

/// What to try, and over what.
struct Asked {
    /// The plugin that it is a version of.
    plugin: Name,
    file: PathBuf,
    wasm: Vec<u8>,
    /// What lies beside the file.
    signature: Option<Vec<u8>>,
    source: Option<Name>,
    event_type: Option<Pattern>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    limit: Option<u64>,
}

/// What a rehearsal has found: a report for each role of the plugin.
struct Found {
    reports: Vec<Report>,
    memory_limit_bytes: u64,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let Found { mut reports, memory_limit_bytes } =
        found(&command).await.map_err(|error| error.context(NotRehearsed))?;
    for report in &mut reports {
        if let Some(measured) = report.measured.take_if(|_| !command.times) {
            let (now, then) = (measured.median_us, measured.recorded_median_us);
            let role = &report.role;
            note(format_args!("hookgate: {role}: median {now} us a call, recorded {then} us"));
        }
        if command.json {
            say!("{}", serde_json::to_string(&*report)?)?;
        } else {
            shown::print(report, memory_limit_bytes)?;
        }
    }
    let sum = |of: fn(&Report) -> u64| -> u64 { reports.iter().map(of).sum() };
    match (sum(|it| it.compared), sum(|it| it.differing)) {
        (0, _) => Err(anyhow!("there was nothing to compare")),
        (_, 0) => Ok(()),
        (all, differing) => Err(anyhow!("the version differs in {differing} of {all}")),
    }
}

async fn found(command: &Command) -> anyhow::Result<Found> {
    let asked = Asked::of(command, Clock::System.now())?;
    match &command.data {
        Some(folder) => stopped::rehearse(command.at.config(), folder, asked).await,
        None => running::rehearse(&command.at, asked).await,
    }
}

impl Asked {
    fn of(command: &Command, now: Timestamp) -> anyhow::Result<Self> {
        let file = &command.file;
        if file.extension().is_none_or(|extension| extension != "wasm") {
            bail!("{} is not a .wasm file", file.display());
        }
        let plugin = match &command.name {
            Some(name) => name.clone(),
            None => {
                let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
                let wrong = || format!("name the plugin with --as, or rename {}", file.display());
                name_of(stem).with_context(wrong)?
            }
        };
        Ok(Self {
            plugin,
            file: file.clone(),
            wasm: read(file, FILE_BYTES_MAX)?,
            signature: signature(file)?,
            source: command.source.clone(),
            event_type: command.event_type.clone(),
            since: command.since.map(|when| when.resolve(now)),
            until: command.until.map(|when| when.resolve(now)),
            limit: command.limit,
        })
    }
}

/// The signature beside a file, if there is one.
fn signature(file: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let path = signature_of(file);
    path.exists().then(|| read(&path, minisign::FILE_BYTES_MAX)).transpose()
}

fn read(path: &Path, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    regular_file::read(path, bytes_max)
        .with_context(|| format!("failed to read {}", path.display()))
}

/// How far a rehearsal is.
fn progress() -> Progress {
    Progress::new("looked at", Unit::Of("positions of the log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_one_of_the_calendar_or_how_long_ago() {
        let now = Timestamp(1_700_000_000_000);
        let of = |text: &str| when(text).map(|when| when.resolve(now).0);
        assert_eq!(of("7d"), Ok(now.0 - 7 * 24 * 3_600_000));
        assert_eq!(of("2023-11-14T22:13:20Z"), Ok(now.0));
        for wrong in ["", "yesterday", "7", "-7d"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
