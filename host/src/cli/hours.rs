//! `hookgate hours`: what came in each hour to a running gateway, over its admin API.
//!
//! One line for each hour; the API has it by source, type and verdict. Never adds up hours.

use clap::Args;
use serde_json::Value;

use super::filter::Span;
use super::http;
use super::rows::One;

#[derive(Debug, Args)]
pub(super) struct Hours {
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    one: One,
}

pub(super) async fn hours(args: Hours) -> anyhow::Result<()> {
    let Hours { span, one } = args;
    let mut url = one.at.url("/v1/hours")?;
    url.query_pairs_mut().extend_pairs(span.pairs());
    let answer = http::json(&one.at.get(&url).await?)?;
    let mut hours = answer["hours"].as_array().into_iter().flatten();
    if one.json {
        return hours.try_for_each(|hour| say!("{hour}"));
    }
    say!(
        "{}",
        row(["HOUR (UTC)", "RECEIPTS", "EVENTS", "DONE", "RETRIED", "DEAD"].map(String::from))
    )?;
    hours.try_for_each(|hour| say!("{}", line(hour)))
}

fn line(hour: &Value) -> String {
    let receipts = hour["receipts"].as_object();
    let receipts: u64 = receipts.into_iter().flatten().filter_map(|(_, it)| it.as_u64()).sum();
    let sum = |list: &str, is_it: &dyn Fn(&Value) -> bool| -> u64 {
        let rows = hour[list].as_array().into_iter().flatten().filter(|&row| is_it(row));
        rows.filter_map(|row| row["count"].as_u64()).sum()
    };
    let tries = |verdict: &str| sum("tries", &|row| row["verdict"] == verdict);
    let counts = [receipts, sum("events", &|_| true), tries("done"), tries("retry"), tries("dead")];
    let [receipts, events, done, retried, dead] = counts.map(|count| count.to_string());
    let begin = hour["hour"].as_str().unwrap_or("-").to_owned();
    row([begin, receipts, events, done, retried, dead])
}

fn row([hour, receipts, events, done, retried, dead]: [String; 6]) -> String {
    format!("{hour:<24}  {receipts:>9}  {events:>9}  {done:>9}  {retried:>9}  {dead:>9}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_hour_is_a_line_with_its_sums() {
        let hour = json!({
            "hour": "2026-11-22T03:00:00.000Z",
            "receipts": { "stripe": 3, "adyen": 4 },
            "events": [{ "source": "stripe", "type": "a", "count": 5 }],
            "tries": [
                { "kind": "run", "verdict": "done", "count": 6 },
                { "kind": "delivery", "verdict": "done", "count": 1 },
                { "kind": "delivery", "verdict": "dead", "count": 2 },
            ],
        });
        let shown = line(&hour);
        let words: Vec<&str> = shown.split_whitespace().collect();
        assert_eq!(words, ["2026-11-22T03:00:00.000Z", "7", "5", "7", "0", "2"]);
    }
}
