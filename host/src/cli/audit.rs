//! `hookgate audit`: list and export the audit log of a running gateway, over its admin API; or
//! look whether that of a stopped one is as it was written.
//!
//! Verifying reads the files and changes nothing.

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::at::At;
use super::http;
use super::rows::{Listing, given, text};
use super::store::Place;
use crate::event::Timestamp;
use crate::store;

/// Entries that are asked for at a time.
const PART: &str = "500";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List who changed what, newest first
    List {
        #[command(flatten)]
        search: Search,
        #[command(flatten)]
        listing: Listing,
    },
    /// Write all entries to standard output, oldest first, one JSON document a line
    Export {
        #[command(flatten)]
        at: At,
    },
    /// Look for entries that were changed, removed or added, in a store on which no gateway runs or
    /// in a copy of one. The exit code is 0 if there are none, 1 if there are, and 2 if the store
    /// can't be looked at
    Verify {
        #[command(flatten)]
        place: Place,
        /// An entry and the hash that it is known to have, as the log of the gateway has them: this
        /// also finds an audit log that somebody made anew, or whose end somebody cut off
        #[arg(long, value_name = "NUMBER:HASH", value_parser = known)]
        expect: Option<(u64, String)>,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
}

/// Which entries.
#[derive(Debug, Args)]
pub(super) struct Search {
    /// Only what was done by somebody in whose name this stands, such as "token ci"
    #[arg(long, value_name = "TEXT")]
    actor: Option<String>,
    /// Only entries in whose WHAT this stands, such as "DELETE /v1/tokens"
    #[arg(long, value_name = "TEXT")]
    operation: Option<String>,
    /// Only from this time on, such as 2026-11-22T03:00:00Z
    #[arg(long)]
    since: Option<Timestamp>,
    /// Only before this time, such as 2026-11-23T03:00:00Z
    #[arg(long)]
    until: Option<Timestamp>,
}

impl Search {
    fn pairs(self) -> Vec<(&'static str, String)> {
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        given([
            ("actor", self.actor),
            ("operation", self.operation),
            ("since", text(self.since)),
            ("until", text(self.until)),
        ])
    }
}

/// A number and a hash.
fn known(text: &str) -> Result<(u64, String), String> {
    let parsed = text.split_once(':').and_then(|(number, hash)| {
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some((number.parse().ok()?, hash.to_owned())).filter(|_| is_hash)
    });
    let wrong = "write the number of an entry, a colon and its hash of 64 hexadecimal digits";
    parsed.ok_or_else(|| wrong.to_owned())
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { search, listing } => list(search, &listing).await,
        Command::Export { at } => export(&at).await,
        Command::Verify { place, expect, json } => {
            verify(&place, expect.as_ref().map(|(number, hash)| (*number, hash.as_str())), json)
        }
    }
}

async fn list(search: Search, listing: &Listing) -> anyhow::Result<()> {
    let head = ["NUMBER", "AT (UTC)", "WHO", "FROM", "OUTCOME", "WHAT"].map(str::to_owned);
    listing
        .print("/v1/audit", search.pairs(), &row(head), |entry| {
            let number = entry["number"].to_string();
            let [time, who, from, outcome, what] =
                ["at", "who", "from", "outcome", "what"].map(|key| text(entry, key));
            row([number, time, who, from, outcome, what])
        })
        .await
}

fn row([number, time, who, from, outcome, what]: [String; 6]) -> String {
    format!("{number:>8}  {time:<24}  {who:<20}  {from:<21}  {outcome:<8}  {what}")
}

async fn export(at: &At) -> anyhow::Result<()> {
    let mut url = at.url("/v1/audit")?;
    let mut cursor: Option<String> = None;
    loop {
        let mut pairs = url.query_pairs_mut();
        pairs.clear().append_pair("order", "oldest").append_pair("limit", PART);
        if let Some(cursor) = &cursor {
            pairs.append_pair("cursor", cursor);
        }
        drop(pairs);
        let page: Value = http::json(&at.get(&url).await?)?;
        for entry in page["items"].as_array().into_iter().flatten() {
            say!("{entry}")?;
        }
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(()),
        }
    }
}

fn verify(place: &Place, known: Option<(u64, &str)>, is_json: bool) -> anyhow::Result<()> {
    let checked = look(place, known).map_err(|error| error.context(super::store::NotChecked))?;
    if is_json {
        say!("{}", serde_json::to_string(&checked)?)?;
        let found = checked.found;
        return if found == 0 { Ok(()) } else { Err(anyhow!("faults found: {found}")) };
    }
    for fault in &checked.faults {
        say!("FAULT {fault}")?;
    }
    say!("entries of the audit log: {}, the last one's hash {}", checked.entries, checked.hash)?;
    match checked.found {
        0 => say!("the audit log is as it was written"),
        found => Err(anyhow!("faults found: {found}")),
    }
}

fn look(place: &Place, known: Option<(u64, &str)>) -> anyhow::Result<store::AuditChecked> {
    let folder = place.folder()?;
    if !store::file_in(&folder).exists() {
        bail!("the folder {} has no store", folder.display());
    }
    Ok(store::check_audit(&folder, known)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_known_is_a_number_and_a_hash() {
        let hash = "0f".repeat(32);
        assert_eq!(known(&format!("7:{hash}")), Ok((7, hash.clone())));
        for wrong in [&*hash, "7", "7:0f", "x:", &*format!("-1:{hash}")] {
            assert!(known(wrong).is_err(), "{wrong}");
        }
    }
}
