//! `hookgate replay`: replays by filter of a running gateway, over its admin API.
//!
//! The gateway does them by itself, whether or not anybody looks. `hookgate event replay` waits for
//! the end of one, and replays single works. Never asks for more than one at a time.

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::at::At;
use super::endpoint::Called;
use super::filter::{About, Span};
use super::http;
use super::output::{cell, note};
use super::rows::{One, given, text};
use crate::failure::Reason;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Begin to replay all work that a filter matches, oldest first
    Start(Box<Start>),
    /// Show how far a replay is, or list all that are not finished and the last that are
    Status {
        /// The id: rpl_...
        id: Option<String>,
        #[command(flatten)]
        one: One,
    },
    /// Have a replay open nothing more until it is resumed
    Pause(Of),
    /// Have a replay that is paused go on
    Resume(Of),
    /// End a replay where it is; the work that it reopened stays open
    Cancel(Of),
}

/// A replay to begin.
#[derive(Debug, Args)]
pub(super) struct Start {
    #[command(flatten)]
    filter: Filter,
    /// Works to open in a second, at most
    #[arg(long)]
    rate: Option<u32>,
    /// Begin nothing: count what matches, and show some of it
    #[arg(long)]
    preview: bool,
    #[command(flatten)]
    one: One,
}

/// Which work.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only work on events of this source
    #[arg(long)]
    source: Option<String>,
    #[command(flatten)]
    about: About,
    /// Only work on events of this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Only work in this state: pending, done or dead
    #[arg(long)]
    state: Option<String>,
    /// Only deliveries to this endpoint: its id (ep_...), its name, or TENANT/NAME
    #[arg(long)]
    endpoint: Option<Called>,
    /// Only dead letters with this reason, such as endpoint_timeout
    #[arg(long)]
    reason: Option<Reason>,
    /// Only work of this kind: parse, run or delivery
    #[arg(long)]
    kind: Option<String>,
    #[command(flatten)]
    span: Span,
}

/// A replay of a gateway.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The id: rpl_...
    id: String,
    #[command(flatten)]
    one: One,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Start(start) => begin(*start).await,
        Command::Status { id: Some(id), one } => one.print(&format!("/v1/replays/{id}")).await,
        Command::Status { id: None, one } => list(&one).await,
        Command::Pause(of) => act(&of, "pause").await,
        Command::Resume(of) => act(&of, "resume").await,
        Command::Cancel(of) => act(&of, "cancel").await,
    }
}

impl Filter {
    /// As the body of the request has it.
    async fn members(self, at: &At) -> anyhow::Result<Map<String, Value>> {
        let endpoint = match &self.endpoint {
            Some(called) => Some(called.id(at).await?),
            None => None,
        };
        let own = given([
            ("source", self.source),
            ("tenant", self.tenant),
            ("state", self.state),
            ("endpoint", endpoint),
            ("reason", self.reason.map(|reason| reason.to_string())),
            ("kind", self.kind),
        ]);
        let members = [own, self.about.pairs(), self.span.pairs()].concat();
        Ok(members.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect())
    }
}

async fn begin(start: Start) -> anyhow::Result<()> {
    let Start { filter, rate, preview, one } = start;
    let filter = filter.members(&one.at).await?;
    if filter.is_empty() {
        bail!("say what to replay by a filter, such as --state dead");
    }
    let mut body = json!({ "filter": filter, "preview": preview });
    if let Some(rate) = rate {
        body["rate"] = rate.into();
    }
    let answer = http::json(&one.at.post("/v1/replays", &body).await?)?;
    if preview {
        return one.say(&answer, &found(&answer));
    }
    let id = text(&answer, "id");
    one.say(&answer, &id)?;
    note(format_args!(
        "the gateway goes on with it by itself: `hookgate replay status {id}` shows how far it is"
    ));
    Ok(())
}

/// What a preview has found.
fn found(preview: &Value) -> String {
    let least = if preview["at_least"] == true { "at least " } else { "" };
    let mut lines = vec![format!("works that match: {least}{}", preview["matches"])];
    for row in preview["by_endpoint"].as_array().into_iter().flatten() {
        let endpoint = text(row, "endpoint");
        lines.push(format!("  {endpoint:<28}  {}", row["matches"]));
    }
    let samples = preview["samples"].as_array().into_iter().flatten();
    lines.extend(samples.map(|sample| format!("  {}", cell(&sample.to_string()))));
    lines.join("\n")
}

async fn list(one: &One) -> anyhow::Result<()> {
    let answer = http::json(&one.at.get(&one.at.url("/v1/replays")?).await?)?;
    let mut replays = answer["replays"].as_array().into_iter().flatten();
    if one.json {
        return replays.try_for_each(|replay| say!("{replay}"));
    }
    let head = ["HOOKGATE ID", "REQUESTED (UTC)", "STATE", "REOPENED", "TOTAL", "FILTER"];
    say!("{}", row(head.map(str::to_owned)))?;
    for replay in replays {
        say!("{}", line(replay))?;
    }
    Ok(())
}

fn line(replay: &Value) -> String {
    let [id, requested] = ["id", "requested_at"].map(|key| text(replay, key));
    let number = |key: &str| replay[key].as_u64().map_or("-".to_owned(), |count| count.to_string());
    let (reopened, total) = (number("reopened"), number("total"));
    row([
        id,
        requested,
        stands(replay).to_owned(),
        reopened,
        total,
        cell(&replay["filter"].to_string()),
    ])
}

fn row([id, requested, state, reopened, total, filter]: [String; 6]) -> String {
    format!("{id:<22}  {requested:<24}  {state:<8}  {reopened:>10}  {total:>10}  {filter}")
}

/// How a replay stands.
fn stands(replay: &Value) -> &'static str {
    let is = |name: &str| replay[name] == true;
    if is("canceled") {
        "canceled"
    } else if !replay["finished_at"].is_null() {
        "finished"
    } else if is("paused") {
        "paused"
    } else if is("waits") {
        "waits"
    } else {
        "goes on"
    }
}

async fn act(Of { id, one }: &Of, what: &str) -> anyhow::Result<()> {
    let path = format!("/v1/replays/{id}/{what}");
    let now = http::json(&one.at.post(&path, &json!({})).await?)?;
    one.say(&now, &format!("{}  {}", text(&now, "id"), stands(&now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_a_line_that_says_how_it_stands() {
        let mut replay = json!({
            "id": "rpl_000000000001000000", "requested_at": "2026-11-22T03:00:00.000Z",
            "finished_at": null, "canceled": false, "paused": false, "waits": false,
            "reopened": 7, "total": null, "filter": { "state": "dead" },
        });
        let shown = line(&replay);
        let words = ["goes on", "7", "-", "{\"state\":\"dead\"}"].map(str::to_owned);
        assert!(words.iter().all(|word| shown.contains(word)), "{shown}");
        for (key, value, state) in [
            ("waits", json!(true), "waits"),
            ("paused", json!(true), "paused"),
            ("finished_at", json!("2026-11-22T03:00:00.000Z"), "finished"),
            ("canceled", json!(true), "canceled"),
        ] {
            replay[key] = value;
            assert_eq!(stands(&replay), state);
        }
    }
}
