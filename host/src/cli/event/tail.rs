//! `hookgate event tail`: a line for each event as it is stored or replayed, until somebody stops
//! it.
//!
//! With a cursor file it goes on where it ended. Never says how the work on an event goes on.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::row;
use crate::cli::at::At;
use crate::cli::cursor_file::{CursorFile, Mark};
use crate::cli::follower::{Choice, Follower, Heard, News};
use crate::cli::output::note;
use crate::cli::rows::text;
use crate::clock::Clock;

#[derive(Debug, Args)]
pub(in crate::cli) struct Tail {
    #[command(flatten)]
    choice: Choice,
    /// File that remembers what was printed, so that the next start goes on behind it; one process
    /// at a time has it. What was printed last may come again
    #[arg(long, value_name = "FILE")]
    cursor_file: Option<PathBuf>,
    /// Print a line of JSON for each event and for each gap
    #[arg(long)]
    json: bool,
    /// Add the event itself, with its data, to the JSON
    #[arg(long, requires = "json")]
    data: bool,
    #[command(flatten)]
    at: At,
}

pub(super) async fn tail(args: &Tail) -> anyhow::Result<()> {
    let filters = args.choice.pairs();
    let after = args.choice.after(Clock::System.now());
    let open = |path: &PathBuf| CursorFile::open(path, &filters, after);
    let mut file = args.cursor_file.as_ref().map(open).transpose()?;
    let (mark, after) = match &file {
        Some(file) => (file.mark().clone(), file.after()),
        None => (Mark::default(), after),
    };
    let data = [("data", "true")];
    let more = if args.data { &data[..] } else { &[] };
    let mut follower = Follower::open(&args.at, &filters, after, (mark, more)).await?;
    let mut has_head = false;
    loop {
        match follower.next().await? {
            // Line ends in it are blanks between its parts.
            News::Event(Heard { text, .. }) if args.json => say!("{}", text.replace('\n', " "))?,
            News::Event(heard) => say!("{}", line(&heard)?)?,
            News::Gap(gap) if args.json => say!("{}", gap.json())?,
            News::Gap(gap) => note(format_args!("{}", gap.words())),
            // The gateway says it behind all that came at once: one sync for all of that.
            News::Far(mark) => {
                if let Some(file) = &mut file {
                    file.save(mark)?;
                }
                if !args.json && !std::mem::replace(&mut has_head, true) {
                    say!(
                        "{}",
                        row(["HOOKGATE ID", "RECORDED (UTC)", "STATE", "EVENT TYPE", "SUBJECT"])
                    )?;
                }
            }
        }
    }
}

/// An event as a row of the list, marked if it was replayed.
fn line(heard: &Heard) -> anyhow::Result<String> {
    let event: Value = serde_json::from_str(&heard.text)?;
    let line = row(["id", "recorded_at", "state", "type", "subject"].map(|key| text(&event, key)));
    Ok(match heard.is_replay {
        true => format!("{line}  replayed at {}", text(&event, "replayed_at")),
        false => line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replayed_event_is_marked() {
        let heard = |is_replay| Heard {
            text: r#"{"id":"evt_1","recorded_at":"a","state":"done","type":"payment.failed",
                "subject":"pi\u001b1","replayed_at":"b"}"#
                .to_owned(),
            is_replay,
            mark: Mark::default(),
        };
        let line = |is_replay| line(&heard(is_replay)).unwrap();
        assert!(
            line(false).ends_with("payment.failed                pi\\u001b1"),
            "{}",
            line(false)
        );
        assert!(line(true).ends_with("pi\\u001b1  replayed at b"), "{}", line(true));
    }
}
