//! One source: how it fares, what it refused and why, how its provider is set up, and a sample.
//!
//! Reads the source, its newest receipts, and the last hundred requests that it refused. Never
//! shows a secret, nor anything of a request that was refused but why it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

use super::{Receipts, Source, Sources};
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::notes::Note;
use crate::dashboard::page::page;
use crate::dashboard::visible::cut;
use crate::dashboard::{Dashboard, Failed, Submitted, Visitor, chart, figure, link};
use crate::event::Timestamp;
use crate::token::Scope;

/// Most reasons that are shown; of all others only how many requests they had.
const REASONS_MAX: usize = 8;
/// How much of a reason is shown, in bytes.
const REASON_BYTES: usize = 240;
/// Most event types that are shown.
const TYPES_MAX: usize = 24;
/// How much of the answer to a sample is shown, in bytes.
const ANSWER_BYTES: usize = 400;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/sources/{name}", get(show)).route("/sources/{name}/sample", post(send))
}

#[derive(Deserialize)]
struct RefusedList {
    items: Vec<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    at: Timestamp,
    peer: String,
    status: u16,
    reason: String,
}

/// Why requests were refused, and how many for this reason.
struct Reason {
    said: Markup,
    count: String,
    bar: Markup,
    last: String,
}

/// A receipt in the list of the newest.
struct ReceiptRow {
    id: Markup,
    state: Markup,
    at: Markup,
}

/// A figure with its note.
struct Tile {
    label: &'static str,
    value: String,
    note: String,
    is_bad: bool,
}

#[derive(Template)]
#[template(path = "source.html")]
struct SourcePage {
    frame: Frame,
    name: String,
    state: Markup,
    stopped: Option<Markup>,
    is_open: bool,
    tiles: Vec<Tile>,
    provider: String,
    /// Its address, or its path if nobody said where the internet reaches the port.
    url: String,
    is_whole: bool,
    scheme: Option<Markup>,
    plugin: Markup,
    version: Option<String>,
    secrets: String,
    keys_from: Option<String>,
    types: Vec<String>,
    types_left: Option<String>,
    reasons: Vec<Reason>,
    /// How many requests had other reasons, if any had.
    others: Option<String>,
    receipts: Vec<ReceiptRow>,
    events: String,
    /// Where the form of a sample goes.
    sample: String,
    /// The names of those that there are.
    samples: Vec<String>,
    can_write: bool,
}

/// A sentence of a plugin about itself.
fn in_full(said: &str) -> Markup {
    markup::sentence(said, usize::MAX)
}

async fn show(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Failed> {
    let Sources { sources } = visitor.get("/v1/sources").await?;
    let found = sources.into_iter().find(|source| source.name == name);
    let source = found.ok_or_else(Failed::no_such_page)?;
    let refused = format!("{}/refused", link::below("/v1/sources", &name));
    let RefusedList { items: refused } = visitor.get(&refused).await?;
    let receipts: Receipts = visitor.get(&source.receipts("10")).await?;
    let now = visitor.now();
    let (reasons, others) = reasons(now, &refused);
    let last = receipts.items.first().map(|receipt| receipt.received_at);
    let receipt = |receipt: &super::Receipt| ReceiptRow {
        id: markup::code_link(&link::below("/receipts", &receipt.id), &receipt.id),
        state: markup::state(&receipt.state),
        at: markup::when(now, receipt.received_at),
    };
    let left = source.types.len().saturating_sub(TYPES_MAX) as u64;
    Ok(page(&SourcePage {
        state: source.state(),
        stopped: source.stopped.as_deref().map(in_full),
        is_open: !source.verified,
        tiles: tiles(&source, now, last).into(),
        provider: source.provider().to_owned(),
        url: source.url.clone().unwrap_or_else(|| source.path.clone()),
        is_whole: source.url.is_some(),
        scheme: source.scheme.as_deref().map(in_full),
        plugin: markup::link(&link::below("/plugins", &source.plugin), &source.plugin),
        version: source.version.clone(),
        secrets: source.secrets(now),
        keys_from: Some(source.keys_from.join(", ")).filter(|hosts| !hosts.is_empty()),
        types: source.types.iter().take(TYPES_MAX).cloned().collect(),
        types_left: (left > 0).then(|| figure::counted(left, "more", "more")),
        reasons,
        others,
        receipts: receipts.items.iter().map(receipt).collect(),
        events: link::with_query("/events", [("source", &*name)]),
        sample: format!("{}/sample", link::below("/sources", &name)),
        samples: source.samples.clone(),
        can_write: visitor.can(Scope::Write),
        frame: visitor.frame(Section::Sources, name.clone()),
        name,
    }))
}

/// How a source answered a sample.
#[derive(Deserialize)]
struct Sent {
    sample: String,
    status: u16,
    receipt: Option<String>,
    is_duplicate: bool,
    body: String,
}

async fn send(Path(name): Path<String>, submitted: Submitted) -> Response {
    let Submitted { visitor, fields } = submitted;
    let (place, path) = (link::below("/sources", &name), link::below("/v1/sources", &name));
    let body = json!({ "sample": fields.given("sample") });
    match visitor.send((Method::POST, &format!("{path}/sample")), Some(&body)).await {
        Ok(sent) => visitor.say(&place, said(&sent)),
        Err(failed) => visitor.failed(&place, &failed),
    }
}

/// What became of a sample, in a sentence.
fn said(sent: &Sent) -> Note {
    let Sent { sample, status, receipt, is_duplicate, body } = sent;
    let is_bad = !(200..300).contains(status);
    let said = match receipt {
        _ if is_bad => {
            let body = cut(body.trim(), ANSWER_BYTES).shown;
            // What is genuine may come again.
            let done = if matches!(*status, 429 | 503) { "put off" } else { "refused" };
            format!("The source {done} the sample {sample} with {status}: {body}")
        }
        Some(receipt) if *is_duplicate => {
            format!("The sample {sample} is a duplicate: its events are stored with {receipt}.")
        }
        Some(receipt) => format!("The source accepted the sample {sample}: {receipt} is new."),
        None => format!("The source accepted the sample {sample} with {status}."),
    };
    Note { said, is_bad, secret: None }
}

fn tiles(source: &Source, now: Timestamp, last: Option<Timestamp>) -> [Tile; 4] {
    let counted = |outcome: &str| figure::number(source.answered.of(outcome));
    let refused = source.answered.of("refused");
    let judged = source.answered.judged();
    [
        Tile {
            label: "Accepted",
            value: counted("accepted"),
            note: "since the gateway started".to_owned(),
            is_bad: false,
        },
        Tile {
            label: "Duplicates",
            value: counted("duplicate"),
            note: "stored already".to_owned(),
            is_bad: false,
        },
        Tile {
            label: "Refused",
            value: counted("refused"),
            note: format!("{} of requests", figure::share(refused, judged)),
            is_bad: refused > 0,
        },
        Tile {
            label: "Last stored",
            value: last.map_or_else(|| "-".to_owned(), |at| figure::distance(now, at)),
            note: "as its newest receipt says".to_owned(),
            is_bad: false,
        },
    ]
}

/// The last refused requests by their reason, the most frequent first, and how many had none of
/// these reasons.
fn reasons(now: Timestamp, refused: &[Refused]) -> (Vec<Reason>, Option<String>) {
    let mut by_reason: BTreeMap<(&str, u16), (u64, &Refused)> = BTreeMap::new();
    for request in refused {
        // The newest comes first.
        let (count, _) =
            by_reason.entry((&*request.reason, request.status)).or_insert((0, request));
        *count += 1;
    }
    let mut groups: Vec<_> = by_reason.into_iter().collect();
    groups.sort_by_key(|(_, (count, newest))| (u64::MAX - count, u64::MAX - newest.at.0));
    let most = groups.first().map_or(0, |(_, (count, _))| *count);
    let shown = |((reason, status), (count, newest)): ((&str, u16), (u64, &Refused))| Reason {
        said: markup::sentence(reason, REASON_BYTES),
        count: figure::number(count),
        bar: chart::meter(count as f64, most as f64, Mood::Warn),
        last: format!("{status}, {} by {}", figure::distance(now, newest.at), newest.peer),
    };
    let others: u64 = groups.iter().skip(REASONS_MAX).map(|(_, (count, _))| count).sum();
    let others = (others > 0).then(|| figure::counted(others, "request", "requests"));
    (groups.into_iter().take(REASONS_MAX).map(shown).collect(), others)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the order of the arms in `said`.
    #[test]
    fn a_sample_says_what_became_of_it() {
        let said = |status, receipt: Option<&str>, is_duplicate| {
            let sent = Sent {
                sample: "paid".to_owned(),
                status,
                receipt: receipt.map(str::to_owned),
                is_duplicate,
                body: "no secret matches".to_owned(),
            };
            let note = said(&sent);
            (note.said, note.is_bad)
        };
        let (refused, is_bad) = said(401, None, false);
        assert!(is_bad && refused.ends_with("401: no secret matches"), "{refused}");
        assert!(refused.contains("refused") && said(503, None, false).0.contains("put off"));
        let (new, is_bad) = said(200, Some("rcp_1"), false);
        assert!(!is_bad && new.ends_with("rcp_1 is new."), "{new}");
        assert!(said(200, Some("rcp_1"), true).0.contains("duplicate"));
        assert!(said(202, None, false).0.ends_with("with 202."));
    }

    /// Guards the order of `reasons` and that a status is a group of its own.
    #[test]
    fn refused_requests_are_counted_by_their_reason() {
        let now = Timestamp(1_700_000_000_000);
        let request = |ago_s: u64, status, reason: &str| Refused {
            at: Timestamp(now.0 - ago_s * 1000),
            peer: "192.0.2.1".to_owned(),
            status,
            reason: reason.to_owned(),
        };
        let refused = [
            request(10, 401, "no secret matches"),
            request(20, 405, "no such method"),
            request(30, 401, "no secret matches"),
            request(40, 400, "no secret matches"),
        ];
        let (shown, others) = reasons(now, &refused);
        let said: Vec<_> = shown.iter().map(|it| (&*it.count, &*it.last)).collect();
        let expected = [
            ("2", "401, 10 s ago by 192.0.2.1"),
            ("1", "405, 20 s ago by 192.0.2.1"),
            ("1", "400, 40 s ago by 192.0.2.1"),
        ];
        assert_eq!((said, others), (expected.to_vec(), None));
        assert!(reasons(now, &[]).0.is_empty());
        let names: Vec<String> = (0..REASONS_MAX + 3).map(|it| it.to_string()).collect();
        let many: Vec<Refused> = names.iter().map(|name| request(10, 401, name)).collect();
        let (shown, others) = reasons(now, &many);
        assert_eq!((shown.len(), others.as_deref()), (REASONS_MAX, Some("3 requests")));
    }
}
