//! `hookgate subject`: has a running gateway erase all that is known of a subject, over its admin
//! API.
//!
//! The gateway goes on with it by itself, whether or not anybody waits. Never shows a subject but
//! to whoever typed it.

use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};

use super::at::At;
use super::http;
use super::output::note;
use super::rows::One;

/// Between two looks at an erasure that is waited for.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Erase all that is known of a subject: bodies, data, labels, answers, logs and state; ids and
    /// counts stay
    Forget {
        /// The subject, as events name it
        id: String,
        /// Do not ask whether to do it
        #[arg(long)]
        yes: bool,
        /// Wait until it is done
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        one: One,
    },
    /// Show how far an erasure is, or list all that go on and the last that are done
    Status {
        /// The id: ers_...
        id: Option<String>,
        #[command(flatten)]
        one: One,
    },
}

/// Nobody said that it shall be done.
#[derive(Debug, thiserror::Error)]
#[error("nothing was erased: {0}")]
pub(super) struct NotErased(&'static str);

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Forget { id, yes, wait, one } => forget(&id, yes, wait, &one).await,
        Command::Status { id: Some(id), one } => one.print(&format!("/v1/erasures/{id}")).await,
        Command::Status { id: None, one } => {
            let answer = http::json(&one.at.get(&one.at.url("/v1/erasures")?).await?)?;
            let mut erasures = answer["erasures"].as_array().into_iter().flatten();
            erasures.try_for_each(|erasure| one.say(erasure, &line(erasure)))
        }
    }
}

async fn forget(id: &str, yes: bool, wait: bool, one: &One) -> anyhow::Result<()> {
    if !yes && !is_wanted(id)? {
        return Err(NotErased("the answer was not yes").into());
    }
    let begun = http::json(&one.at.post(&path(id)?, &json!({})).await?)?;
    let erasure = if wait { done(&one.at, begun).await? } else { begun };
    one.say(&erasure, &line(&erasure))?;
    if erasure["state"] != "done" {
        let id = erasure["id"].as_str().unwrap_or_default();
        note(format_args!("the gateway goes on: look with `hookgate subject status {id}`"));
    }
    Ok(())
}

/// Whether the person at the terminal wants it.
fn is_wanted(id: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(NotErased("give --yes: the command has no terminal on which to ask").into());
    }
    note(format_args!(
        "This erases all that the gateway knows of {id:?}, and can't be undone. Type yes to do it:"
    ));
    std::io::stderr().flush().context("failed to write to the terminal")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("failed to read from the terminal")?;
    Ok(answer.trim() == "yes")
}

/// Where a subject is forgotten, whatever characters it has.
fn path(id: &str) -> anyhow::Result<String> {
    let mut url: url::Url = "http://localhost/v1/subjects".parse()?;
    // Of this URL there always are segments.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.extend([id, "forget"]);
    }
    Ok(url.path().to_owned())
}

/// The erasure once it is done.
async fn done(at: &At, mut erasure: Value) -> anyhow::Result<Value> {
    while erasure["state"] != "done" {
        tokio::time::sleep(LOOK_PAUSE).await;
        let id = erasure["id"].as_str().context("the answer has no `id`")?.to_owned();
        erasure = http::json(&at.get(&at.url(&format!("/v1/erasures/{id}"))?).await?)?;
    }
    Ok(erasure)
}

fn line(erasure: &Value) -> String {
    let text = |key: &str| erasure[key].as_str().unwrap_or("-").to_owned();
    let count = |key: &str| erasure[key].as_u64().unwrap_or_default();
    let damaged = match count("damaged") {
        0 => String::new(),
        damaged => format!(", {damaged} records that can't be read"),
    };
    let kept = match erasure["state_kept"].as_bool() {
        Some(true) => "; what handlers remember of it stays, because it may be of other tenants",
        _ => "",
    };
    format!(
        "{}  {}  {} events, {} records, {} open works ended, {} keys of state{damaged}{kept}",
        text("id"),
        text("state"),
        count("events"),
        count("records"),
        count("ended"),
        count("states"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_segment_of_the_path_whatever_it_has() {
        assert_eq!(path("cus_1").unwrap(), "/v1/subjects/cus_1/forget");
        assert_eq!(path("a/b?c d#é").unwrap(), "/v1/subjects/a%2Fb%3Fc%20d%23%C3%A9/forget");
    }
}
