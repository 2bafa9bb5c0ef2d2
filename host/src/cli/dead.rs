//! `hookgate dead`: list, show and export the dead letters of a running gateway, over its admin
//! API.
//!
//! `hookgate event replay` and `hookgate replay start` have letters tried again. Never says more of
//! a letter than the gateway does.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};

use super::at::At;
use super::event;
use super::output::note;
use super::rows::{Listing, One, each, given, text};
use crate::failure::Reason;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List dead letters, those of the newest receipts, runs and deliveries first, and count the
    /// listed ones by their reasons
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show the receipt, run or delivery of a dead letter with all its tries
    Show {
        /// The id: rcp_..., run_... or dlv_...
        id: String,
        #[command(flatten)]
        one: One,
    },
    /// Write all dead letters to standard output, one JSON document a line
    Export {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        at: At,
    },
}

/// Which dead letters.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only dead letters of this kind of work: parse, run or delivery
    #[arg(long)]
    kind: Option<String>,
    /// Only dead letters of this source, handler or endpoint; for an endpoint of the API, its id
    /// with - for _
    #[arg(long)]
    name: Option<String>,
    /// Only dead letters with this reason, such as endpoint_timeout
    #[arg(long)]
    reason: Option<Reason>,
}

impl Filter {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let Self { kind, name, reason } = self;
        let reason = reason.map(|reason| reason.to_string());
        given([("kind", kind.clone()), ("name", name.clone()), ("reason", reason)])
    }
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { filter, listing } => list(&filter, &listing).await,
        Command::Show { id, one } => one.print(&event::path(&id)).await,
        Command::Export { filter, at } => {
            let mut url = at.url("/v1/dead")?;
            url.query_pairs_mut().extend_pairs(filter.pairs());
            each(&at, url, None, |letter| say!("{letter}")).await
        }
    }
}

async fn list(filter: &Filter, listing: &Listing) -> anyhow::Result<()> {
    let head = row(["HOOKGATE ID", "DIED (UTC)", "KIND", "NAME", "REASON", "DETAIL"]);
    let mut counts = BTreeMap::new();
    let line = |letter: &serde_json::Value| {
        *counts.entry(text(letter, "reason")).or_insert(0_u32) += 1;
        row(["id", "died_at", "kind", "name", "reason", "detail"].map(|key| text(letter, key)))
    };
    listing.print("/v1/dead", filter.pairs(), &head, line).await?;
    if !counts.is_empty() {
        let counts = counts.iter().map(|(reason, count)| format!("{count} {reason}"));
        note(format_args!("by reason: {}", counts.collect::<Vec<_>>().join(", ")));
    }
    Ok(())
}

fn row<T: std::fmt::Display>([id, died, kind, name, reason, detail]: [T; 6]) -> String {
    format!("{id:<22}  {died:<24}  {kind:<8}  {name:<21}  {reason:<20}  {detail}")
}
