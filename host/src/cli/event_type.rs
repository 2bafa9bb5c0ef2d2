//! `hookgate event-type`: the event types that a running gateway knows, over its admin API.
//!
//! Never makes up an example: it is what the plugins bring along.

use clap::Subcommand;
use serde_json::Value;

use super::http::{self, Absent};
use super::indented::indented;
use super::output::cell;
use super::rows::{One, text};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the event types with the plugins that they come from
    List {
        #[command(flatten)]
        one: One,
    },
    /// Show an event type with its description and an example
    Show {
        /// The name of the type, such as payment.failed
        name: String,
        #[command(flatten)]
        one: One,
    },
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let (name, one) = match command {
        Command::List { one } => (None, one),
        Command::Show { name, one } => (Some(name), one),
    };
    let answer = http::json(&one.at.get(&one.at.url("/v1/event-types")?).await?)?;
    let mut types = answer["event_types"].as_array().into_iter().flatten();
    if let Some(name) = name {
        let found = types.find(|it| it["name"] == name.as_str());
        let found =
            found.ok_or_else(|| Absent(format!("the gateway knows no event type `{name}`")))?;
        return one.say(found, &indented(&found.to_string()));
    }
    if one.json {
        return types.try_for_each(|it| say!("{it}"));
    }
    say!("{}", row(["EVENT TYPE", "FROM", "DESCRIPTION"].map(str::to_owned)))?;
    types.try_for_each(|it| say!("{}", line(it)))
}

fn line(event_type: &Value) -> String {
    let from = event_type["from"].as_array().into_iter().flatten();
    let from: Vec<_> = from.filter_map(Value::as_str).map(cell).collect();
    row([text(event_type, "name"), from.join(","), text(event_type, "description")])
}

fn row([name, from, description]: [String; 3]) -> String {
    format!("{name:<36}  {from:<24}  {description}")
}
