//! `hookgate event`: list, show and replay the events of a running gateway, over its admin API.
//!
//! An event is shown as its story, everything else as the API has it. Never sorts or judges.

pub(super) mod story;
mod tail;

use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::tail::Tail;
use super::at::At;
use super::filter::{About, Span};
use super::http;
use super::output::{cell, note, parts};
use super::progress::{Progress, Unit};
use super::rows::{Listing, One, given, text};
use crate::clock::Clock;

/// Between two looks how far a replay is.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List events, newest first
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show the story of an event: its receipt, runs, deliveries and attempts, and what waits; or
    /// one receipt, run, delivery or replay as the API has it
    Show {
        /// The id: evt_..., rcp_..., run_..., dlv_... or rpl_...
        id: String,
        #[command(flatten)]
        one: One,
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
        one: One,
    },
    /// Print a line for each event when it is stored or replayed, until you stop this command
    Tail(Box<Tail>),
    /// List replays by filter, newest first: all that are not finished, and the last 100 that are
    Replays {
        #[command(flatten)]
        one: One,
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
        Command::List { filter, listing } => {
            let head = row(["HOOKGATE ID", "RECORDED (UTC)", "STATE", "EVENT TYPE", "SUBJECT"]);
            let keys = ["id", "recorded_at", "state", "type", "subject"];
            let line = |event: &Value| row(keys.map(|key| text(event, key)));
            listing.print("/v1/events", filter.pairs(), &head, line).await
        }
        Command::Show { id, one } => show(&id, &one).await,
        Command::Replay { ids, filter, cancel, one } => {
            let filter = filter.pairs();
            match (cancel, ids.is_empty(), filter.is_empty()) {
                (Some(id), true, true) => cancel_replay(&one, &id).await,
                (Some(_), ..) => Err(anyhow!("give --cancel without ids and without a filter")),
                (None, true, true) => {
                    Err(anyhow!("say what to replay: ids, or a filter such as --state dead"))
                }
                (None, false, false) => Err(anyhow!("give either ids or a filter, not both")),
                (None, true, false) => replay_matching(&one, filter).await,
                (None, false, true) => {
                    let replayed = replay(&one.at, &json!({ "ids": ids })).await?;
                    one.say(&replayed, &format!("{replayed:#}"))
                }
            }
        }
        Command::Tail(args) => tail::tail(&args).await,
        Command::Replays { one } => list_replays(&one).await,
    }
}

async fn show(id: &str, one: &One) -> anyhow::Result<()> {
    let path = path(id);
    if one.json || !path.starts_with("/v1/events/") {
        return one.print(&path).await;
    }
    let answer = one.at.get(&one.at.url(&path)?).await?;
    let lines = story::story(http::ok(&answer)?, Clock::System.now())?;
    lines.iter().try_for_each(|line| {
        let line: Vec<_> = line.iter().map(|(ink, text)| (*ink, text.as_str())).collect();
        parts(&line)
    })
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

fn row<T: std::fmt::Display>([id, recorded, state, event_type, subject]: [T; 5]) -> String {
    format!("{id:<22}  {recorded:<24}  {state:<7}  {event_type:<28}  {subject}")
}

async fn replay(at: &At, body: &Value) -> anyhow::Result<Value> {
    http::json(&at.post("/v1/replay", body).await?)
}

async fn cancel_replay(one: &One, id: &str) -> anyhow::Result<()> {
    let canceled = http::json(&one.at.delete(&format!("/v1/replays/{id}")).await?)?;
    one.say(&canceled, &format!("{:#}", counts(&canceled)))
}

async fn list_replays(one: &One) -> anyhow::Result<()> {
    let answer = http::json(&one.at.get(&one.at.url("/v1/replays")?).await?)?;
    let mut replays = answer["replays"].as_array().into_iter().flatten();
    if one.json {
        return replays.try_for_each(|replay| say!("{replay}"));
    }
    let row = |[id, requested, finished, reopened, filter]: [&str; 5]| {
        format!("{id:<22}  {requested:<24}  {finished:<24}  {reopened:>10}  {filter}")
    };
    let head = ["HOOKGATE ID", "REQUESTED (UTC)", "FINISHED (UTC)", "REOPENED", "FILTER"];
    say!("{}", row(head))?;
    for replay in replays {
        let [id, requested, finished] =
            ["id", "requested_at", "finished_at"].map(|key| text(replay, key));
        let [reopened, filter] = ["reopened", "filter"].map(|key| cell(&replay[key].to_string()));
        say!("{}", row([&id, &requested, &finished, &reopened, &filter]))?;
    }
    Ok(())
}

/// Has the gateway begin a replay by filter, and says how far it is until it is finished.
async fn replay_matching(one: &One, filter: Vec<(&'static str, String)>) -> anyhow::Result<()> {
    let at = &one.at;
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
    let (mut progress, mut has_waited) = (Progress::new("reopened", Unit::Of("works")), false);
    while replay["finished_at"].is_null() {
        tokio::time::sleep(LOOK_PAUSE).await;
        let looked = at.get(&url).await.and_then(|answer| http::json(&answer));
        replay = looked.with_context(|| format!("the gateway may still go on with {id}"))?;
        progress.tell(replay["reopened"].as_u64().unwrap_or_default(), replay["total"].as_u64());
        if replay["waits"] == true && !has_waited {
            note(format_args!("it waits: too much work is open, or the disk has too little room"));
            has_waited = true;
        }
    }
    drop(progress);
    if replay["canceled"] == true {
        note(format_args!("somebody canceled {id} before its end"));
    }
    one.say(&replay, &format!("{:#}", counts(&replay)))
}

/// What a replay has come to.
fn counts(replay: &Value) -> Value {
    let count = |name: &str| Some((name.to_owned(), replay.get(name)?.clone()));
    let names = ["reopened", "hastened", "unchanged", "damaged"];
    Value::Object(names.into_iter().filter_map(count).collect())
}
