//! `hookgate event`: list, show and replay the events of a running gateway, over its admin API.

use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use url::Url;

use super::at::At;
use super::filter::{About, Span};
use super::http;
use super::indented::indented;
use super::output::{cell, note};
use super::rows::{given, table, text};

/// Between two looks how far a replay is.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List events, newest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// The number of events
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[command(flatten)]
        at: At,
    },
    /// Show one event with its receipt, runs, deliveries and attempts; or one receipt, run,
    /// delivery or replay
    Show {
        /// The id: evt_..., rcp_..., run_..., dlv_... or rpl_...
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Parse, run or deliver again, oldest first: the work of the given ids, or of all events that
    /// a filter matches. Work that waits for its next try is tried now. The gateway goes on with a
    /// replay by filter if you stop this command; --cancel ends it
    Replay {
        /// Ids: evt_..., rcp_..., run_... or dlv_...; without ids, a filter is needed
        ids: Vec<String>,
        #[command(flatten)]
        filter: Filter,
        /// End this replay by filter where it is; the work that it reopened stays open
        #[arg(long, value_name = "RPL_ID")]
        cancel: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// List replays by filter, newest first: all that are not finished, and the last 100 that are
    Replays {
        #[command(flatten)]
        at: At,
    },
}

/// Which events.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only events of this source
    #[arg(long)]
    source: Option<String>,
    #[command(flatten)]
    about: About,
    /// Only events in this state: pending, done or dead
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    span: Span,
}

impl Filter {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let own = given([("source", self.source.clone()), ("state", self.state.clone())]);
        [own, self.about.pairs(), self.span.pairs()].concat()
    }
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { filter, limit, at } => {
            let mut url = at.url("/v1/events")?;
            url.query_pairs_mut().extend_pairs(filter.pairs());
            list(&at, url, limit).await
        }
        Command::Show { id, at } => {
            let answer = at.get(&at.url(&path(&id))?).await?;
            say!("{}", indented(http::ok(&answer)?))
        }
        Command::Replay { ids, filter, cancel, at } => {
            let filter = filter.pairs();
            match (cancel, ids.is_empty(), filter.is_empty()) {
                (Some(id), true, true) => cancel_replay(&at, &id).await,
                (Some(_), ..) => Err(anyhow!("give --cancel without ids and without a filter")),
                (None, true, true) => {
                    Err(anyhow!("say what to replay: ids, or a filter such as --state dead"))
                }
                (None, false, false) => Err(anyhow!("give either ids or a filter, not both")),
                (None, true, false) => replay_matching(&at, filter).await,
                (None, false, true) => {
                    let replayed = replay(&at, &json!({ "ids": ids })).await?;
                    say!("{replayed:#}")
                }
            }
        }
        Command::Replays { at } => list_replays(&at).await,
    }
}

/// Where an event is, or the receipt, run, delivery or replay of this id.
pub(super) fn path(id: &str) -> String {
    let list = match id.split_once('_') {
        Some(("rcp", _)) => "receipts",
        Some(("run", _)) => "runs",
        Some(("dlv", _)) => "deliveries",
        Some(("rpl", _)) => "replays",
        _ => "events",
    };
    format!("/v1/{list}/{id}")
}

async fn list(at: &At, url: Url, limit: u32) -> anyhow::Result<()> {
    let head = row(["HOOKGATE ID", "RECORDED (UTC)", "STATE", "EVENT TYPE", "SUBJECT"]);
    table(at, url, limit, &head, |event| {
        row(["id", "recorded_at", "state", "type", "subject"].map(|key| text(event, key)))
    })
    .await
}

fn row<T: std::fmt::Display>([id, recorded, state, event_type, subject]: [T; 5]) -> String {
    format!("{id:<22}  {recorded:<24}  {state:<7}  {event_type:<28}  {subject}")
}

async fn replay(at: &At, body: &Value) -> anyhow::Result<Value> {
    http::json(&at.post("/v1/replay", body).await?)
}

async fn cancel_replay(at: &At, id: &str) -> anyhow::Result<()> {
    let answer = at.delete(&format!("/v1/replays/{id}")).await?;
    say!("{:#}", counts(&http::json(&answer)?))
}

async fn list_replays(at: &At) -> anyhow::Result<()> {
    let answer = http::json(&at.get(&at.url("/v1/replays")?).await?)?;
    let row = |[id, requested, finished, reopened, filter]: [&str; 5]| {
        format!("{id:<22}  {requested:<24}  {finished:<24}  {reopened:>10}  {filter}")
    };
    let head = ["HOOKGATE ID", "REQUESTED (UTC)", "FINISHED (UTC)", "REOPENED", "FILTER"];
    say!("{}", row(head))?;
    for replay in answer["replays"].as_array().into_iter().flatten() {
        let [id, requested, finished] =
            ["id", "requested_at", "finished_at"].map(|key| text(replay, key));
        let [reopened, filter] = ["reopened", "filter"].map(|key| cell(&replay[key].to_string()));
        say!("{}", row([&id, &requested, &finished, &reopened, &filter]))?;
    }
    Ok(())
}

/// Has the gateway begin a replay by filter, and says how far it is until it is finished.
async fn replay_matching(at: &At, filter: Vec<(&'static str, String)>) -> anyhow::Result<()> {
    let filter: serde_json::Map<_, _> =
        filter.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    let mut replay = replay(at, &json!({ "filter": filter })).await?;
    let id = replay["id"].as_str().context("the answer of the gateway has no id")?.to_owned();
    let url = at.url(&format!("/v1/replays/{id}"))?;
    note(format_args!(
        "the gateway began {id}, and goes on with it if you stop this command; \
         `hookgate event show {id}` shows how far it is, \
         `hookgate event replay --cancel {id}` ends it"
    ));
    let (mut shown, mut has_waited) = (counts(&replay), false);
    while replay["finished_at"].is_null() {
        tokio::time::sleep(LOOK_PAUSE).await;
        let looked = at.get(&url).await.and_then(|answer| http::json(&answer));
        replay = looked.with_context(|| format!("the gateway may still go on with {id}"))?;
        let now = counts(&replay);
        if now != shown {
            note(format_args!("replayed so far: {now}"));
            shown = now;
        }
        if replay["waits"] == true && !has_waited {
            note(format_args!("it waits: too much work is open, or the disk has too little room"));
            has_waited = true;
        }
    }
    if replay["canceled"] == true {
        note(format_args!("somebody canceled {id} before its end"));
    }
    say!("{:#}", counts(&replay))
}

/// What a replay has come to.
fn counts(replay: &Value) -> Value {
    let count = |name: &str| Some((name.to_owned(), replay.get(name)?.clone()));
    let names = ["reopened", "hastened", "unchanged", "damaged"];
    Value::Object(names.into_iter().filter_map(count).collect())
}
