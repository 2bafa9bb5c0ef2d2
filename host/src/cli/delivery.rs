//! `hookgate delivery`: list, show, retry and discard the deliveries of a running gateway, over its
//! admin API.
//!
//! Never says more of a delivery than the gateway does.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::endpoint::{Called, called};
use super::filter::{About, Span};
use super::http;
use super::output::cell;
use super::rows::{Listing, One, given, text};
use crate::failure::Reason;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List deliveries, newest first
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show a delivery with all its attempts
    Show {
        /// The id: dlv_...
        id: String,
        #[command(flatten)]
        one: One,
    },
    /// Try deliveries again: now, if they wait for their next try
    Retry(These),
    /// End deliveries that wait for a try as dead letters
    Discard(These),
}

/// Some deliveries.
#[derive(Debug, Args)]
pub(super) struct These {
    /// The ids: dlv_...
    #[arg(required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    one: One,
}

/// Which deliveries.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only deliveries to this endpoint: its id (ep_...), its name, or TENANT/NAME
    #[arg(long)]
    endpoint: Option<Called>,
    /// Only deliveries in this state: pending, done or dead
    #[arg(long)]
    state: Option<String>,
    /// Only dead letters with this reason, such as endpoint_timeout
    #[arg(long)]
    reason: Option<Reason>,
    #[command(flatten)]
    about: About,
    /// Only deliveries of events of this tenant
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    span: Span,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { filter, listing } => list(filter, &listing).await,
        Command::Show { id, one } => one.print(&format!("/v1/deliveries/{id}")).await,
        Command::Retry(these) => each(&these, "retry").await,
        Command::Discard(these) => each(&these, "discard").await,
    }
}

async fn list(filter: Filter, listing: &Listing) -> anyhow::Result<()> {
    let endpoint = match &filter.endpoint {
        Some(called) => Some(called.id(&listing.at).await?),
        None => None,
    };
    let own = given([
        ("endpoint", endpoint),
        ("state", filter.state),
        ("reason", filter.reason.map(|reason| reason.to_string())),
        ("tenant", filter.tenant),
    ]);
    let filters = [own, filter.about.pairs(), filter.span.pairs()].concat();
    let head = row([
        "HOOKGATE ID",
        "STORED (UTC)",
        "STATE",
        "TRIES",
        "STATUS",
        "ENDPOINT",
        "EVENT TYPE",
        "REASON",
    ]);
    listing.print("/v1/deliveries", filters, &head, line).await
}

fn line(delivery: &Value) -> String {
    let tries = delivery["tries_made"].as_u64().unwrap_or_default().to_string();
    let status = delivery["last_attempt"]["status"].as_u64();
    let status = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let endpoint = called(&delivery["endpoint"]);
    let [id, stored, state, event_type, reason] =
        ["id", "recorded_at", "state", "type", "reason"].map(|key| text(delivery, key));
    row([id, stored, state, tries, status, endpoint, event_type, reason])
}

fn row<T: std::fmt::Display>(
    [id, stored, state, tries, status, endpoint, event_type, reason]: [T; 8],
) -> String {
    format!(
        "{id:<22}  {stored:<24}  {state:<7}  {tries:>5}  {status:<6}  {endpoint:<24}  \
         {event_type:<24}  {reason}"
    )
}

/// Asks the same for each of them, and prints what the gateway answered.
async fn each(these: &These, what: &str) -> anyhow::Result<()> {
    let These { ids, one } = these;
    for id in ids {
        let answer = one.at.post(&format!("/v1/deliveries/{id}/{what}"), &json!({})).await?;
        let answer = http::json(&answer)?;
        one.say(&answer, &format!("{}  {}", cell(id), text(&answer, "state")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_a_line_that_calls_its_endpoint_as_a_person_does() {
        let mut delivery = json!({
            "id": "dlv_000000000001000000", "recorded_at": "2026-11-22T03:00:00.000Z",
            "endpoint": { "id": "ep_000000000001000000", "name": "crm", "tenant": "acme" },
            "type": "payment.failed", "state": "dead", "reason": "endpoint_refused",
            "tries_made": 2, "last_attempt": { "status": 500 },
        });
        let words = |delivery: &Value| {
            line(delivery).split_whitespace().skip(2).map(str::to_owned).collect::<Vec<_>>()
        };
        let expected = ["dead", "2", "500", "acme/crm", "payment.failed", "endpoint_refused"];
        assert_eq!(words(&delivery), expected);
        delivery["endpoint"] = json!({ "name": "crm", "tenant": null });
        delivery["last_attempt"] = Value::Null;
        assert_eq!(words(&delivery)[2..4], ["-", "crm"]);
    }
}
