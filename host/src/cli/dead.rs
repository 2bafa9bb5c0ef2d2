//! `hookgate dead`: list the dead letters of a running gateway, over its admin API.
//!
//! `hookgate event show` shows one of them, and `hookgate event replay` has it tried again.

use clap::{Args, Subcommand};

use super::at::At;
use super::event::{given, table, text};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List dead letters, those of the newest receipts, runs and deliveries first
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
    /// Only dead letters with exactly this reason
    #[arg(long)]
    reason: Option<String>,
}

impl Filter {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let Self { kind, name, reason } = self;
        let pairs = [("kind", kind.clone()), ("name", name.clone()), ("reason", reason.clone())];
        given(pairs)
    }
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::List { filter, limit, at } = command;
    let mut url = at.url("/v1/dead")?;
    url.query_pairs_mut().extend_pairs(filter.pairs());
    let head = row(["HOOKGATE ID", "DIED (UTC)", "KIND", "NAME", "REASON"]);
    table(&at, url, limit, &head, |letter| {
        row(["id", "died_at", "kind", "name", "reason"].map(|key| text(letter, key)))
    })
    .await
}

fn row<T: std::fmt::Display>([id, died, kind, name, reason]: [T; 5]) -> String {
    format!("{id:<22}  {died:<24}  {kind:<8}  {name:<20}  {reason}")
}
