//! `hookgate source`: what a source of a running gateway has refused, over its admin API.
//!
//! For an operator whose genuine provider gets 401. Never shows what a source is proven by.

use clap::Subcommand;
use serde_json::Value;

use super::http;
use super::output::cell;
use super::rows::{One, text};
use crate::ids::Name;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the requests that a source has refused last, newest first, and why. The gateway keeps
    /// at most 100 of each source, until it stops
    Refused {
        /// The name of the source
        name: Name,
        /// The number of requests
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        /// Show the headers and the first 4 KiB of the body of each; JSON has them anyway
        #[arg(long)]
        full: bool,
        #[command(flatten)]
        one: One,
    },
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Refused { name, limit, full, one } = command;
    let url = one.at.url(&format!("/v1/sources/{name}/refused"))?;
    let answer = http::json(&one.at.get(&url).await?)?;
    let items = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
    let mut items = items.iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
    if one.json {
        return items.try_for_each(|request| say!("{request}"));
    }
    say!("{}", row(["RECEIVED (UTC)", "STATUS", "FROM", "REASON"].map(str::to_owned)))?;
    for request in items {
        say!("{}", line(request))?;
        if full {
            say!("{}", details(request))?;
        }
    }
    Ok(())
}

fn line(request: &Value) -> String {
    let [at, peer, reason] = ["at", "peer", "reason"].map(|key| text(request, key));
    row([at, request["status"].to_string(), peer, reason])
}

fn row([at, status, peer, reason]: [String; 4]) -> String {
    format!("{at:<24}  {status:<6}  {peer:<15}  {reason}")
}

/// What the request says, as its sender would write it.
fn details(request: &Value) -> String {
    let mut lines = vec![format!("    {} {}", text(request, "method"), text(request, "url"))];
    for header in request["headers"].as_array().into_iter().flatten() {
        let part = |number: usize| cell(header[number].as_str().unwrap_or_default());
        lines.push(format!("    {}: {}", part(0), part(1)));
    }
    let size = match request["body_bytes"].as_u64() {
        Some(bytes) => format!("{bytes} bytes"),
        None => "not read to its end".to_owned(),
    };
    let (kind, body) = match (request["body"].as_str(), request["body_base64"].as_str()) {
        (Some(body), _) => ("body", body),
        (None, Some(body)) => ("body in base64", body),
        (None, None) => ("body", ""),
    };
    lines.push(format!("    {kind} ({size}):"));
    lines.extend(body.lines().map(|line| format!("      {line}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_a_line_and_its_details_below_it() {
        let request = json!({
            "at": "2026-11-22T03:00:00.000Z", "peer": "192.0.2.1", "status": 401,
            "reason": "no secret matches", "method": "POST", "url": "/in/acme",
            "headers": [["x-signature", "v1=0"]], "body": "{\n}", "body_bytes": 3,
        });
        let shown = line(&request);
        let words: Vec<&str> = shown.split_whitespace().take(3).collect();
        assert_eq!(words, ["2026-11-22T03:00:00.000Z", "401", "192.0.2.1"]);
        assert!(shown.ends_with("no secret matches"));
        let expected =
            "    POST /in/acme\n    x-signature: v1=0\n    body (3 bytes):\n      {\n      }";
        assert_eq!(details(&request), expected);
    }
}
