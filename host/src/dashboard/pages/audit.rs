//! The audit log: who changed what, from where, and what became of it.
//!
//! Reads `/v1/audit`, 50 entries at a time, from either end. Never changes one.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::page_with;
use crate::dashboard::{Dashboard, Failed, Visitor, figure, highlight, link, moment};
use crate::event::Timestamp;

/// Most bytes of what an entry changed that are shown.
const CHANGE_BYTES_MAX: usize = 16 << 10;
/// Most bytes of what somebody did, and of who it was.
const TEXT_BYTES_MAX: usize = 256;
/// Of the list that begins with the first entry.
const OLDEST: &str = "oldest";
/// What entries can be searched by, as the API calls it.
const FILTERS: [&str; 4] = ["actor", "operation", "since", "until"];

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/audit", get(list))
}

#[derive(Default, Deserialize)]
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
    href: String,
    is_current: bool,
}

/// What stands in the form.
struct Written {
    actor: String,
    operation: String,
    since: String,
    until: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    orders: Vec<Order>,
    /// The order that a search keeps.
    order: &'static str,
    written: Written,
    is_filtered: bool,
    problem: Option<Failed>,
    /// Why there are none, if there are none.
    nothing: &'static str,
    rows: Vec<Row>,
    more: Option<String>,
    more_label: &'static str,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let asked = &visitor.asked;
    let (filters, cursor) = (asked.pick(&FILTERS), asked.text("cursor"));
    let order = if asked.text("order") == OLDEST { OLDEST } else { "" };
    let (status, found, problem) = match visitor.get(&api_path(&filters, order, cursor)).await {
        Ok(found) => (StatusCode::OK, found, None),
        // A filter that can't be one: the form says so, and has what was written.
        Err(failed) if failed.status == StatusCode::BAD_REQUEST => {
            (failed.status, Entries::default(), Some(failed))
        }
        Err(failed) => return Err(failed),
    };
    let Entries { items, next } = found;
    let place = |order: &str, cursor: &str| {
        let pairs = filters.iter().copied().chain([("order", order), ("cursor", cursor)]);
        link::with_query("/audit", pairs)
    };
    let in_order =
        |label, other: &str| Order { label, href: place(other, ""), is_current: order == other };
    let now = visitor.now();
    let shown = AuditPage {
        frame: visitor.frame(Section::Audit, "Audit"),
        orders: vec![in_order("Newest first", ""), in_order("Oldest first", OLDEST)],
        order,
        written: Written {
            actor: asked.text("actor").to_owned(),
            operation: asked.text("operation").to_owned(),
            since: moment::field_of(asked.text("since")),
            until: moment::field_of(asked.text("until")),
        },
        is_filtered: !filters.is_empty(),
        problem,
        nothing: nothing(next.is_some(), !filters.is_empty()),
        rows: items.into_iter().map(|entry| row(now, entry)).collect(),
        more: next.as_deref().map(|next| place(order, next)),
        more_label: if order == OLDEST { "Newer" } else { "Older" },
    };
    Ok(page_with(status, &shown))
}

/// The list as the API has it.
fn api_path(filters: &[(&str, &str)], order: &str, cursor: &str) -> String {
    let pairs = filters.iter().map(|(name, value)| match *name {
        "since" | "until" => (*name, moment::of_field(value)),
        _ => (*name, (*value).to_owned()),
    });
    let pairs: Vec<(&str, String)> = pairs.collect();
    let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
    link::with_query("/v1/audit", pairs.chain([("order", order), ("cursor", cursor)]))
}

/// What is said of a page without entries. The gateway looks at a bounded number: where it is not
/// at the end, there may be more.
fn nothing(is_unfinished: bool, is_filtered: bool) -> &'static str {
    match (is_unfinished, is_filtered) {
        (true, _) => "The gateway has found none yet. Go on with the others.",
        (false, true) => "None has all of this.",
        (false, false) => {
            "Whatever somebody changes stands here: an endpoint, a token, a replay, a file."
        }
    }
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

    #[test]
    fn a_search_asks_the_api_with_its_order_and_times() {
        let filters = [("actor", "token ci"), ("since", "2026-11-28T17:42")];
        let expected = "/v1/audit?actor=token+ci&since=2026-11-28T17%3A42%3A00Z&order=oldest";
        assert_eq!(api_path(&filters, OLDEST, ""), expected);
        assert_eq!(api_path(&[], "", "812"), "/v1/audit?cursor=812");
    }
}
