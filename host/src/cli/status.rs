//! `hookgate status`: a running gateway at a glance, over its admin API.
//!
//! What came and went, what waits, and what somebody should look at, on a screen at most. Never
//! shows one event, and changes nothing.

mod attention;

use std::cmp::Reverse;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use self::attention::Attention;
use super::at::At;
use super::http;
use super::output::cell;
use super::rows::{One, each};
use crate::dashboard::figure;
use crate::event::Timestamp;

/// The widest line.
const COLUMNS: usize = 100;
/// Lines of what somebody should look at.
const LINES_MAX: usize = 20;
/// Sources with refused requests that are looked at, those with most of them.
const SOURCES_MAX: usize = 20;

#[derive(Debug, Args)]
pub(super) struct Status {
    /// How far back the figures go
    #[arg(long, default_value = "hour", value_parser = ["hour", "day", "week"])]
    span: String,
    #[command(flatten)]
    one: One,
}

pub(super) async fn status(args: Status) -> anyhow::Result<()> {
    let Status { span, one } = args;
    let (overview, attention) = look(&one.at, &span).await?;
    let words = words(&overview, &attention);
    one.say(&with(overview, &attention), &words)
}

/// The same as `--json` prints it.
pub(super) async fn overview(at: &At, span: &str) -> anyhow::Result<Value> {
    let (overview, attention) = look(at, span).await?;
    Ok(with(overview, &attention))
}

/// What the gateway says, and what follows from all that was asked.
fn with(mut overview: Value, attention: &[Attention]) -> Value {
    overview["attention"] = json!(attention);
    overview
}

async fn look(at: &At, span: &str) -> anyhow::Result<(Value, Vec<Attention>)> {
    let mut url = at.url("/v1/overview")?;
    url.query_pairs_mut().append_pair("span", span);
    let overview = http::json(&at.get(&url).await?)?;
    let attention = attention_of(at, &overview).await?;
    Ok((overview, attention))
}

/// What somebody should look at: what keeps requests out comes first.
async fn attention_of(at: &At, overview: &Value) -> anyhow::Result<Vec<Attention>> {
    let now = time(&overview["now"]).unwrap_or_default();
    let mut found = attention::of_reasons(overview);
    each(at, at.url("/v1/endpoints")?, None, |endpoint| {
        found.extend(attention::of_endpoint(endpoint, now));
        Ok(())
    })
    .await?;
    let sources = http::json(&at.get(&at.url("/v1/sources")?).await?)?;
    for source in with_most_refused(&sources) {
        let path = format!("/v1/sources/{source}/refused");
        let refused = http::json(&at.get(&at.url(&path)?).await?)?;
        found.extend(attention::of_refused(source, &refused, now));
    }
    let plugins = http::json(&at.get(&at.url("/v1/plugins")?).await?)?;
    for plugin in plugins["plugins"].as_array().into_iter().flatten() {
        let of_plugin = attention::of_plugin(plugin).into_iter();
        // A source that is stopped says the same.
        let new = of_plugin.filter(|it| !found.iter().any(|other| other.text == it.text));
        let new: Vec<Attention> = new.collect();
        found.extend(new);
    }
    Ok(found)
}

/// The names of the sources that have refused requests, those with most of them first.
fn with_most_refused(sources: &Value) -> Vec<&str> {
    let refused = |source: &Value| source["answered"]["refused"].as_u64().unwrap_or_default();
    let mut all: Vec<&Value> = sources["sources"].as_array().into_iter().flatten().collect();
    all.retain(|source| refused(source) > 0);
    all.sort_by_key(|source| Reverse(refused(source)));
    all.into_iter().take(SOURCES_MAX).filter_map(|source| source["name"].as_str()).collect()
}

/// All of it, for a person.
fn words(overview: &Value, attention: &[Attention]) -> String {
    let total = &overview["total"];
    let count = |of: &Value, key: &str| of[key].as_u64().unwrap_or_default();
    let [accepted, duplicates, refused] =
        ["accepted", "duplicates", "refused"].map(|key| count(total, key));
    let (delivered, failed) = (count(total, "delivered"), count(total, "attempt_failures"));
    let (asked, over) = (accepted + duplicates + refused, covered(overview));
    let rate = |many: u64| format!("{}/s", figure::per_second(many, over));
    let within =
        |key: &str, share: &str| total[key][share].as_u64().map_or("-".to_owned(), figure::micros);
    let times = |key: &str| format!("p50 {}  p99 {}", within(key, "p50"), within(key, "p99"));
    let waiting_for = overview["waiting_for_s"].as_u64().map(Duration::from_secs);
    let oldest = waiting_for.map_or_else(String::new, |it| format!("oldest {}", figure::span(it)));
    let refused = format!("refused {}", figure::share(refused, asked));
    let duplicates = format!("duplicates {}", figure::share(duplicates, asked));
    let done = format!("{} of the attempts", figure::share(delivered, delivered + failed));
    let mut lines = vec![
        head(overview),
        format!(
            "accepted  {:<9}{refused:<16}{duplicates:<19}answer {}",
            rate(accepted),
            times("answer_us")
        ),
        format!("delivered {:<9}{done:<42}{}", rate(delivered), times("delivery_us")),
        format!(
            "waiting   {:<9}{oldest:<16}dead {}",
            figure::number(count(overview, "waiting")),
            figure::number(count(overview, "dead"))
        ),
    ];
    lines.extend(attention_lines(attention));
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// What runs, for how long, and whether it can store anything.
fn head(overview: &Value) -> String {
    let version = overview["version"].as_str().unwrap_or("-");
    let up = time(&overview["now"]).zip(time(&overview["since"]));
    let up = up.map_or("-".to_owned(), |(now, since)| figure::span(now.since(since)));
    let lacks = |name: &str| {
        let mut reasons = overview["reasons"].as_array().into_iter().flatten();
        reasons.any(|reason| reason["name"] == name)
    };
    let troubles = [
        ("store_failed", "store failed"),
        ("store_unavailable", "store unavailable"),
        ("stopping", "stopping"),
    ];
    let trouble = troubles.into_iter().find(|(name, _)| lacks(name));
    let store = trouble.map_or("store healthy", |(_, said)| said);
    let free = overview["disk"]["free_bytes"].as_u64();
    let free = free.map_or_else(String::new, |it| format!(", {} free", figure::bytes(it)));
    format!("gateway   {}, up {up}, {store}{free}", cell(version))
}

/// What somebody should look at, with a title; nothing if all is well.
fn attention_lines(attention: &[Attention]) -> Vec<String> {
    if attention.is_empty() {
        return Vec::new();
    }
    let shown = attention.iter().take(LINES_MAX);
    let width = shown.clone().map(|it| it.name.chars().count()).max().unwrap_or_default();
    let line = |it: &Attention| {
        let text = cell(&it.text.replace('\n', "; "));
        cut(&format!("  {:<8} {:<width$}   {text}", it.kind, cell(&it.name)))
    };
    let mut lines = vec!["attention".to_owned()];
    lines.extend(shown.map(line));
    let left = attention.len().saturating_sub(LINES_MAX);
    if left > 0 {
        lines.push(format!("  and {left} more: --json has all of them"));
    }
    lines
}

/// The line as far as it fits.
fn cut(line: &str) -> String {
    if line.chars().count() <= COLUMNS {
        return line.to_owned();
    }
    line.chars().take(COLUMNS - 3).chain("...".chars()).collect()
}

/// The time that the figures are about: from the first point, or from the start within it.
fn covered(overview: &Value) -> Duration {
    let of = |value: &Value| time(value).unwrap_or_default();
    let from = of(&overview["points"][0]["at"]).max(of(&overview["since"]));
    of(&overview["now"]).since(from)
}

/// A time, if it is one.
fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overview() -> Value {
        json!({
            "version": "0.3.0", "now": "2026-11-22T18:00:10.000Z",
            "since": "2026-11-10T17:00:00.000Z", "span": "hour", "step_s": 60,
            "points": [{ "at": "2026-11-22T17:58:30.000Z" }, { "at": "2026-11-22T18:00:00.000Z" }],
            "total": {
                "accepted": 41_200, "duplicates": 800, "refused": 168,
                "delivered": 39_800, "attempt_failures": 119,
                "answer_us": { "p50": 600, "p99": 1_900 },
                "delivery_us": { "p50": 1_400, "p99": null },
            },
            "waiting": 1_312, "waiting_for_s": 250, "dead": 3,
            "disk": { "free_bytes": 44_023_414_784_u64, "mark_bytes": 1, "is_low": false },
            "not_ready": [], "reasons": [],
        })
    }

    #[test]
    fn a_gateway_that_is_well_is_four_lines() {
        let expected = "\
gateway   0.3.0, up 12 days, store healthy, 41 GiB free
accepted  412/s    refused 0.4 %   duplicates 1.9 %   answer p50 0.6 ms  p99 1.9 ms
delivered 398/s    99.7 % of the attempts                    p50 1.4 ms  p99 -
waiting   1,312    oldest 4 min    dead 3";
        assert_eq!(words(&overview(), &[]), expected);
        let mut failed = overview();
        failed["reasons"] = json!([{ "name": "store_failed", "detail": "it has failed" }]);
        assert!(head(&failed).contains(", store failed,"), "{}", head(&failed));
    }

    #[test]
    fn what_to_look_at_is_a_line_each_that_fits_and_begins_no_other() {
        let of =
            |name: &str, text: String| Attention { kind: "plugin", name: name.to_owned(), text };
        let many: Vec<Attention> = (0..LINES_MAX + 2)
            .map(|number| of("dunning", format!("{number}\nsecond {}", "x".repeat(number * 9))))
            .collect();
        let lines = attention_lines(&many);
        assert_eq!((lines[0].as_str(), lines.len()), ("attention", LINES_MAX + 2));
        assert_eq!(lines[1], "  plugin   dunning   0; second ");
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS), "{lines:#?}");
        assert!(lines[LINES_MAX].ends_with("x..."), "{}", lines[LINES_MAX]);
        assert_eq!(lines[LINES_MAX + 1], "  and 2 more: --json has all of them");
    }

    #[test]
    fn figures_are_about_the_time_since_the_start_where_that_is_later() {
        let mut overview = overview();
        assert_eq!(covered(&overview), Duration::from_secs(100));
        overview["since"] = json!("2026-11-22T18:00:00.000Z");
        assert_eq!(covered(&overview), Duration::from_secs(10));
    }

    #[test]
    fn the_sources_with_most_refused_requests_come_first() {
        let source =
            |name: &str, refused: u64| json!({ "name": name, "answered": { "refused": refused } });
        let sources = json!({ "sources": [source("a", 0), source("b", 3), source("c", 9)] });
        assert_eq!(with_most_refused(&sources), ["c", "b"]);
    }
}
