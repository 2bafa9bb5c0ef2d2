//! `hookgate receipt`: list the accepted requests of a running gateway, over its admin API.
//!
//! `hookgate event show` shows one of them. Never shows what a request says.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::filter::Span;
use super::rows::{Listing, given, text};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List accepted requests, newest first
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        listing: Listing,
    },
}

/// Which receipts.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only receipts of this source
    #[arg(long)]
    source: Option<String>,
    /// Only receipts whose parse is in this state: pending, done or dead
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    span: Span,
}

impl Filter {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let own = given([("source", self.source.clone()), ("state", self.state.clone())]);
        [own, self.span.pairs()].concat()
    }
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::List { filter, listing } = command;
    let head = row(["HOOKGATE ID", "RECEIVED (UTC)", "STATE", "TRIES", "SOURCE"]);
    listing.print("/v1/receipts", filter.pairs(), &head, line).await
}

fn line(receipt: &Value) -> String {
    let tries = receipt["tries_made"].as_u64().unwrap_or_default().to_string();
    let [id, received, state, source] =
        ["id", "received_at", "state", "source"].map(|key| text(receipt, key));
    row([id, received, state, tries, source])
}

fn row<T: std::fmt::Display>([id, received, state, tries, source]: [T; 5]) -> String {
    format!("{id:<22}  {received:<24}  {state:<7}  {tries:>5}  {source}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_receipt_is_a_line_below_its_heads() {
        let receipt = json!({
            "id": "rcp_000000000001000000", "received_at": "2026-11-22T03:00:00.000Z",
            "state": "dead", "tries_made": 7, "source": "stripe",
        });
        let shown = line(&receipt);
        let head = row(["HOOKGATE ID", "RECEIVED (UTC)", "STATE", "TRIES", "SOURCE"]);
        for (name, value) in [("STATE", "dead"), ("SOURCE", "stripe")] {
            assert_eq!(head.find(name), shown.find(value), "{head}\n{shown}");
        }
    }
}
