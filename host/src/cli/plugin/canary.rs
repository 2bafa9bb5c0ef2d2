//! `hookgate plugin status`, `promote` and `drop`: the canary of a handler of a running gateway,
//! over its admin API.
//!
//! Shows both versions beside each other, and by what the gateway compares them. Never moves a file
//! itself.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::canary::{LOOK_EVERY, bound};
use crate::cli::http;
use crate::cli::rows::{One, text};
use crate::ids::Name;

/// Digits of a digest that are shown.
const DIGITS: usize = 12;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Show the canary of a handler (NAME@next.wasm) beside the live version: runs, failures,
    /// times, effects, and the test by which the gateway drops it
    Status(Of),
    /// Put the canary of a handler into the place of the live version
    Promote(Of),
    /// Drop the canary of a handler: the live version gets all its subjects
    Drop(Of),
}

/// A handler of a gateway.
#[derive(Debug, Args)]
pub(in crate::cli) struct Of {
    /// The name of the handler
    name: Name,
    #[command(flatten)]
    one: One,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Status(Of { name, one }) => {
            let path = format!("/v1/plugins/{name}/canary");
            let canary = http::json(&one.at.get(&one.at.url(&path)?).await?)?;
            one.say(&canary, &shown(&canary))
        }
        Command::Promote(of) => act(&of, "promote").await,
        Command::Drop(of) => act(&of, "drop").await,
    }
}

async fn act(Of { name, one }: &Of, what: &str) -> anyhow::Result<()> {
    let path = format!("/v1/plugins/{name}/canary/{what}");
    let canary = http::json(&one.at.post(&path, &json!({})).await?)?;
    one.say(&canary, &head(&canary))
}

/// Which versions they are, and what became of the canary.
fn head(canary: &Value) -> String {
    let [name, version, live_version, began, verdict, by] =
        ["name", "version", "live_version", "began", "verdict", "by"].map(|key| text(canary, key));
    let digest = |key: &str| text(canary, key).chars().take(DIGITS).collect::<String>();
    let (one, other) = (digest("digest"), digest("live_digest"));
    let selection = canary["selection"].as_str().unwrap_or("no `canary` in the configuration");
    let ended = match verdict.as_str() {
        "running" => verdict,
        _ => format!("{verdict} by {by} at {}", text(canary, "at")),
    };
    format!(
        "{name}  canary {version} ({one}) of {live_version} ({other}), {selection}, since {began}: \
         {ended}"
    )
}

/// Both versions beside each other.
fn shown(canary: &Value) -> String {
    let titles = ["", "RUNS", "FAILURES", "", "MEAN TIME", "EFFECTS A RUN"].map(str::to_owned);
    let mut lines = vec![head(canary), row(titles)];
    lines.extend(["canary", "live"].map(|key| row(figures(key, &canary[key]))));
    let p = canary["p"].as_f64().map_or("-".to_owned(), |p| format!("{p:.2e}"));
    let looks = canary["looks"].as_u64().unwrap_or_default();
    let next = match canary["verdict"].as_str() {
        Some("running") => format!(
            " (next look at {} runs; drops below {:.1e})",
            (looks + 1) * LOOK_EVERY,
            bound(looks + 1)
        ),
        _ => String::new(),
    };
    lines.push(format!("test      Fisher's exact, one-sided: p = {p}{next}"));
    lines.join("\n")
}

/// What was counted of a version.
fn figures(version: &str, tally: &Value) -> [String; 6] {
    let [runs, failures, time, effects] =
        ["runs", "failures", "time_us", "effects"].map(|key| tally[key].as_u64().unwrap_or(0));
    let a_run = |count: u64| if runs == 0 { 0.0 } else { count as f64 / runs as f64 };
    [
        version.to_owned(),
        runs.to_string(),
        failures.to_string(),
        format!("{:.2} %", 100.0 * a_run(failures)),
        format!("{:.0} us", a_run(time)),
        format!("{:.2}", a_run(effects)),
    ]
}

fn row([version, runs, failures, share, time, effects]: [String; 6]) -> String {
    format!("{version:<8}  {runs:>10}  {failures:>8} {share:>9}  {time:>12}  {effects:>13}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(verdict: &str) -> Value {
        json!({
            "name": "dunning", "digest": "3f9a".repeat(16), "version": "1.5.0",
            "live_digest": "77b0".repeat(16), "live_version": "1.4.2",
            "selection": "5% of the subjects", "began": "2026-11-22T14:02:00.000Z",
            "canary": { "runs": 412, "failures": 0, "time_us": 5768, "effects": 420 },
            "live": { "runs": 8104, "failures": 3, "time_us": 121560, "effects": 8185 },
            "verdict": verdict, "at": "2026-11-22T15:00:00.000Z", "by": "the API",
            "p": 1.0, "looks": 16,
        })
    }

    #[test]
    fn both_versions_stand_beside_each_other_with_the_test() {
        let expected = "\
dunning  canary 1.5.0 (3f9a3f9a3f9a) of 1.4.2 (77b077b077b0), 5% of the subjects, since \
2026-11-22T14:02:00.000Z: running
                RUNS  FAILURES               MEAN TIME  EFFECTS A RUN
canary           412         0    0.00 %         14 us           1.02
live            8104         3    0.04 %         15 us           1.01
test      Fisher's exact, one-sided: p = 1.00e0 (next look at 425 runs; drops below 2.1e-7)";
        assert_eq!(shown(&canary("running")), expected);
    }

    #[test]
    fn a_canary_that_ended_says_when_and_by_whom_and_looks_at_nothing_more() {
        let ended = shown(&canary("promoted"));
        assert!(ended.contains(": promoted by the API at 2026-11-22T15:00:00.000Z\n"), "{ended}");
        assert!(!ended.contains("next look"), "{ended}");
        let mut never = canary("removed");
        never["canary"]["runs"] = json!(0);
        assert!(shown(&never).contains("0.00 %"), "nothing is divided by nothing");
    }
}
