//! `hookgate dead`: list the dead letters of a running gateway, over its admin API.
//!
//! `hookgate event show` shows one of them, and `hookgate event replay` has it tried again. Never
//! says more of a letter than the list does.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};

use super::at::At;
use super::event::{given, table, text};
use super::output::note;
use crate::failure::Reason;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List dead letters, those of the newest receipts, runs and deliveries first, and count the
    /// listed ones by their reasons
    List {
        #[command(flatten)]
        filter: Filter,
        /// The number of dead letters
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
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
    /// Only dead letters of this source, handler or endpoint
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
    let Command::List { filter, limit, at } = command;
    let mut url = at.url("/v1/dead")?;
    url.query_pairs_mut().extend_pairs(filter.pairs());
    let head = row(["HOOKGATE ID", "DIED (UTC)", "KIND", "NAME", "REASON", "DETAIL"]);
    let mut counts = BTreeMap::new();
    table(&at, url, limit, &head, |letter| {
        *counts.entry(text(letter, "reason")).or_insert(0_u32) += 1;
        row(["id", "died_at", "kind", "name", "reason", "detail"].map(|key| text(letter, key)))
    })
    .await?;
    if !counts.is_empty() {
        let counts = counts.iter().map(|(reason, count)| format!("{count} {reason}"));
        note(format_args!("by reason: {}", counts.collect::<Vec<_>>().join(", ")));
    }
    Ok(())
}

fn row<T: std::fmt::Display>([id, died, kind, name, reason, detail]: [T; 6]) -> String {
    format!("{id:<22}  {died:<24}  {kind:<8}  {name:<20}  {reason:<20}  {detail}")
}
