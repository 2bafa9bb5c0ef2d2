//! The audit log: who changed what, from where, and what became of it.
//!
//! Reads `/v1/audit`, 50 entries at a time, from either end. Never changes one.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, figure, highlight, link};
use crate::event::Timestamp;

/// Most bytes of what an entry changed that are shown.
const CHANGE_BYTES_MAX: usize = 16 << 10;
/// Most bytes of what somebody did, and of who it was.
const TEXT_BYTES_MAX: usize = 256;
/// Of the list that begins with the first entry.
const OLDEST: &str = "oldest";

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/audit", get(list))
}

#[derive(Deserialize)]
struct Entries {
    items: Vec<Entry>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    number: u64,
    at: Timestamp,
    who: String,
    from: String,
    what: String,
    outcome: String,
    before: Box<RawValue>,
    after: Box<RawValue>,
    previous: String,
    hash: String,
}

struct Row {
    number: String,
    at: Markup,
    who: Markup,
    from: Markup,
    what: Markup,
    outcome: Markup,
    before: Option<Markup>,
    after: Option<Markup>,
    exactly: String,
    previous: String,
    hash: String,
}

/// An order in which the entries can be read.
struct Order {
    label: &'static str,
    href: &'static str,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    orders: Vec<Order>,
    rows: Vec<Row>,
    more: Option<String>,
    more_label: &'static str,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let asked = visitor.asked.pick(&["order", "cursor"]);
    let Entries { items, next } = visitor.get(&link::with_query("/v1/audit", asked)).await?;
    let order = visitor.asked.text("order");
    let is_oldest = order == OLDEST;
    let now = visitor.now();
    let more = |next: &str| link::with_query("/audit", [("order", order), ("cursor", next)]);
    Ok(page(&AuditPage {
        frame: visitor.frame(Section::Audit, "Audit"),
        orders: vec![
            Order { label: "Newest first", href: "/audit", is_current: !is_oldest },
            Order { label: "Oldest first", href: "/audit?order=oldest", is_current: is_oldest },
        ],
        rows: items.into_iter().map(|entry| row(now, entry)).collect(),
        more: next.as_deref().map(more),
        more_label: if is_oldest { "Newer" } else { "Older" },
    }))
}

fn row(now: Timestamp, entry: Entry) -> Row {
    Row {
        number: figure::number(entry.number),
        at: markup::when(now, entry.at),
        who: markup::long(&entry.who, TEXT_BYTES_MAX),
        from: markup::long(&entry.from, TEXT_BYTES_MAX),
        what: markup::long(&entry.what, TEXT_BYTES_MAX),
        outcome: outcome(&entry.outcome),
        before: change(&entry.before),
        after: change(&entry.after),
        exactly: entry.at.to_string(),
        previous: entry.previous,
        hash: entry.hash,
    }
}

/// What became of it: the status of an answer, or a word about a file.
fn outcome(said: &str) -> Markup {
    let mood = match said.as_bytes().first() {
        Some(b'2') => Mood::Ok,
        Some(b'4' | b'5') => Mood::Bad,
        _ => Mood::Plain,
    };
    markup::pill(mood, said)
}

/// One side of a change; `None` if the entry says nothing of it.
fn change(side: &RawValue) -> Option<Markup> {
    (side.get() != "null").then(|| highlight::json(side.get(), CHANGE_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use askama::filters::Safe;

    use super::*;

    #[test]
    fn an_outcome_that_is_bad_looks_so() {
        let class = |said: &str| {
            let Safe(shown) = outcome(said);
            shown.split('"').nth(1).map(str::to_owned)
        };
        let classes = ["200", "409", "503", "applied"].map(|said| class(said).unwrap());
        assert_eq!(classes, ["pill ok", "pill bad", "pill bad", "pill "]);
    }
}
