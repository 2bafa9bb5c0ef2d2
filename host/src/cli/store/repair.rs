//! `hookgate store repair`: a new file of rows for a store, made from its volumes.
//!
//! Asks no gateway, and refuses while one runs. Never removes the old file.

use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::super::deed::by_command;
use super::super::progress::{Progress, Unit};
use super::Place;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{self, Repaired, Undecided};

/// Where it can't be told how long attempts were kept.
const UNKNOWN: &str = "the configuration says which work was never tried, and can't be used: mend \
                       it, or name the data folder instead, and no work counts as never tried";

/// What to repair, and how.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    place: Place,
    /// What becomes of work of which nothing shows any more whether it was done
    #[arg(long, value_enum, default_value = "dead")]
    undecided: Fate,
    /// Make a new file although redb finds no fault in the old one
    #[arg(long)]
    anyway: bool,
    /// Print one JSON document instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fate {
    /// It becomes a dead letter, which you may replay
    Dead,
    /// It counts as done
    Done,
}

/// What a repair did, for programs.
#[derive(Debug, Serialize)]
struct Document<'r> {
    store: String,
    #[serde(flatten)]
    repaired: &'r Repaired,
}

impl Place {
    /// How long attempts are kept, by the configuration: not known of a folder alone, nor where a
    /// limit of size removes them sooner.
    fn attempts(&self) -> anyhow::Result<Option<Duration>> {
        if self.place.is_dir() {
            return Ok(None);
        }
        // Without it, what is open would silently become dead letters.
        let retention = Config::load(&self.place).context(UNKNOWN)?.retention;
        Ok(retention.size_bytes.is_none().then_some(retention.attempts))
    }
}

/// Repairs a store, and prints what was found and what was done.
pub(super) fn repair(options: &Options) -> anyhow::Result<()> {
    let Options { place, undecided, anyway, json } = options;
    let folder = place.folder()?;
    let undecided = match undecided {
        Fate::Dead => Undecided::Dead,
        Fate::Done => Undecided::Done,
    };
    let keys = place.keys()?;
    let attempts = place.attempts()?;
    let draft = store::draft_in(&folder);
    let written = || std::fs::metadata(&draft).map_or(0, |file| file.len());
    let repaired = Progress::new("rebuilt", Unit::Bytes).during(
        || (written(), None),
        || store::repair_with(&folder, &keys, *anyway, (undecided, attempts)),
    )?;
    let deed = by_command("hookgate store repair", serde_json::to_value(&repaired)?);
    store::record(&folder, &deed, Clock::System.now())
        .context("the store is repaired, but its audit log could not be written")?;
    let store = folder.display().to_string();
    if *json {
        let document = Document { store, repaired: &repaired };
        return say!("{}", serde_json::to_string_pretty(&document)?);
    }
    told(&repaired, &store, undecided)
}

/// Prints what was found and what was done, for a person.
fn told(repaired: &Repaired, store: &str, undecided: Undecided) -> anyhow::Result<()> {
    let Repaired { volumes, frames, damaged, segments, histories, undecided: count, lost, .. } =
        repaired;
    say!(
        "repaired the store in {store}: volumes {volumes}, whole frames {frames}, damaged places \
         {damaged}, segments {segments}, works by their histories {histories}"
    )?;
    if *lost > 0 {
        say!("records of the history of works that can't be read any more: {lost}")?;
    }
    if *count > 0 {
        let now = if undecided == Undecided::Dead { "dead letters" } else { "done" };
        say!("works of which nothing shows whether they were done: {count}, now {now}")?;
    }
    for lost in &repaired.state_lost {
        say!("keys that the handler {} has lost: {}", lost.handler, lost.keys)?;
    }
    if repaired.tokens_lost {
        say!(
            "nothing shows any more which tokens of the admin port there were: it asks for one \
             now, and `hookgate token reset` makes one"
        )?;
    }
    if repaired.audit_lost {
        say!("the audit log has lost entries: `hookgate audit verify` says which")?;
    }
    if repaired.endpoints_lost {
        say!(
            "endpoints that the API made may be gone: compare the list with what you know, since \
             deliveries to one that is gone become dead letters"
        )?;
    }
    if repaired.canaries_lost {
        say!("verdicts of canaries may be gone: a version that was dropped may run again")?;
    }
    if repaired.handlers_lost {
        say!("events may pass by handlers that are missing now: load each of them once")?;
    }
    if let Some(kept) = &repaired.kept {
        say!("the old file is now {}", kept.display())?;
    }
    Ok(())
}
