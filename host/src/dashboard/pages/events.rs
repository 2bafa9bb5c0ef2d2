//! The events: by every filter of the API, a page at a time, and live on the first page.
//!
//! Reads `/v1/events`, 50 at a time. What the search box of each page looks for is found here too:
//! an id leads to its own page. Never one event whole.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::page::{page_with, see_other};
use crate::dashboard::{Dashboard, Failed, Visitor, link, moment};
use crate::event::Timestamp;
use crate::ids::{Id, IdKind};

/// What an event is found by.
const FILTERS: [&str; 7] = ["source", "type", "subject", "tenant", "state", "after", "before"];
/// What a stream of events is narrowed by.
const STREAMED: [&str; 4] = ["source", "type", "subject", "tenant"];
/// The states of an event, and what people call them.
const STATES: [(&str, &str); 4] =
    [("", "All"), ("pending", "Pending"), ("done", "Done"), ("dead", "Dead")];
/// What a field of the page shows at most, in bytes.
const TEXT_BYTES_MAX: usize = 128;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/events", get(list))
}

#[derive(Default, Deserialize)]
struct Events {
    items: Vec<Event>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    subject: Option<String>,
    source: String,
    tenant: Option<String>,
    state: String,
    recorded_at: Timestamp,
}

#[derive(Deserialize)]
struct Sources {
    sources: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    name: String,
}

/// What stands in the form.
struct Written {
    source: String,
    event_type: String,
    subject: String,
    tenant: String,
    after: String,
    before: String,
}

struct Choice {
    value: &'static str,
    label: &'static str,
    is_chosen: bool,
}

struct Row {
    event: Markup,
    subject: Markup,
    source: Markup,
    tenant: Markup,
    state: Markup,
    at: Markup,
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    frame: Frame,
    written: Written,
    states: Vec<Choice>,
    /// Those that there are, to choose from.
    sources: Vec<String>,
    is_operator: bool,
    is_filtered: bool,
    has_tenants: bool,
    problem: Option<Failed>,
    /// What tells that something came, on the first page.
    stream: Option<String>,
    rows: Vec<Row>,
    /// Why there are none, if there are none.
    nothing: &'static str,
    /// Other searches, if this one has found nothing.
    instead: Vec<Markup>,
    /// The page of those that are older, and the newest.
    older: Option<String>,
    newest: Option<String>,
    /// Whether there is either of them.
    has_pager: bool,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    if let Some(place) = place_of(&visitor).await {
        return Ok(see_other(&place));
    }
    let asked = &visitor.asked;
    let (filters, cursor) = (asked.pick(&FILTERS), asked.text("cursor"));
    let (status, found, problem) = match visitor.get(&api_path(&filters, cursor)).await {
        Ok(found) => (StatusCode::OK, found, None),
        // A filter that can't be one: the form says so, and has what was written.
        Err(failed) if failed.status == StatusCode::BAD_REQUEST => {
            (failed.status, Events::default(), Some(failed))
        }
        Err(failed) => return Err(failed),
    };
    let Events { items, next } = found;
    let page_of = |next: &str| {
        let pairs = filters.iter().copied().chain([("cursor", next)]);
        link::with_query("/events", pairs)
    };
    let is_first = cursor.is_empty() && asked.text("before").is_empty() && problem.is_none();
    let text = |name: &str| asked.text(name).to_owned();
    let shown = EventsPage {
        frame: visitor.frame(Section::Events, "Events"),
        written: Written {
            source: text("source"),
            event_type: text("type"),
            subject: text("subject"),
            tenant: text("tenant"),
            after: moment::field_of(asked.text("after")),
            before: moment::field_of(asked.text("before")),
        },
        states: states(asked.text("state")),
        sources: sources(&visitor).await,
        is_operator: visitor.is_operator(),
        is_filtered: !filters.is_empty(),
        has_tenants: visitor.is_operator() && items.iter().any(|event| event.tenant.is_some()),
        stream: is_first.then(|| link::with_query("/v1/events/stream", asked.pick(&STREAMED))),
        nothing: nothing(next.is_some(), !filters.is_empty()),
        instead: instead(items.is_empty() && problem.is_none(), asked.text("subject")),
        rows: items.iter().map(|event| row(visitor.now(), event)).collect(),
        older: next.as_deref().map(page_of),
        has_pager: next.is_some() || !cursor.is_empty(),
        newest: (!cursor.is_empty()).then(|| page_of("")),
        problem,
    };
    Ok(page_with(status, &shown))
}

/// Where an id that somebody searches for has its page, if there is such a thing. Ids of others may
/// look alike: those are subjects.
async fn place_of(visitor: &Visitor) -> Option<String> {
    let subject = visitor.asked.text("subject");
    let id: Id = subject.parse().ok()?;
    let section = match id.kind {
        IdKind::Receipt => "/receipts",
        IdKind::Event => "/events",
        IdKind::Run => "/runs",
        IdKind::Delivery => "/deliveries",
        IdKind::Replay => "/replays",
        IdKind::Endpoint => "/endpoints",
    };
    let IgnoredAny = visitor.get(&link::below(&format!("/v1{section}"), subject)).await.ok()?;
    Some(link::below(section, subject))
}

/// The names of the sources; none where somebody may not see them.
async fn sources(visitor: &Visitor) -> Vec<String> {
    if !visitor.is_operator() {
        return Vec::new();
    }
    let found = visitor.get::<Sources>("/v1/sources").await;
    let found = found.map(|found| found.sources).unwrap_or_default();
    found.into_iter().map(|source| source.name).collect()
}

/// The list as the API has it.
fn api_path(filters: &[(&str, &str)], cursor: &str) -> String {
    let pairs = filters.iter().map(|(name, value)| match *name {
        "after" | "before" => (*name, moment::of_field(value)),
        _ => (*name, (*value).to_owned()),
    });
    let pairs: Vec<(&str, String)> = pairs.collect();
    let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
    link::with_query("/v1/events", pairs.chain([("cursor", cursor)]))
}

fn states(chosen: &str) -> Vec<Choice> {
    let choice = |(value, label): (&'static str, &'static str)| Choice {
        value,
        label,
        is_chosen: value == chosen,
    };
    STATES.into_iter().map(choice).collect()
}

/// What is said of a page without events. The gateway looks for a bounded time: where it is not at
/// the end, there may be older ones.
fn nothing(is_unfinished: bool, is_filtered: bool) -> &'static str {
    match (is_unfinished, is_filtered) {
        (true, _) => "The gateway has found none yet. Go on with the older ones.",
        (false, true) => "None has all of this.",
        (false, false) => "Post something to a source.",
    }
}

/// Where nothing has a subject that looks like a type: searches for that.
fn instead(is_empty: bool, subject: &str) -> Vec<Markup> {
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-*".contains(c))
    };
    let is_short = subject.len() <= TEXT_BYTES_MAX;
    if !is_empty || !is_short || subject.is_empty() || !subject.split('.').all(is_part) {
        return Vec::new();
    }
    let below = format!("{subject}.*");
    let types = if subject.contains('*') { vec![subject] } else { vec![subject, below.as_str()] };
    let search =
        |name: &&str| markup::code_link(&link::with_query("/events", [("type", *name)]), name);
    types.iter().map(search).collect()
}

fn row(now: Timestamp, event: &Event) -> Row {
    let text = |text: Option<&str>| markup::long(text.unwrap_or_default(), TEXT_BYTES_MAX);
    Row {
        event: markup::code_link(&link::below("/events", &event.id), &event.event_type),
        subject: text(event.subject.as_deref()),
        source: text(Some(&event.source)),
        tenant: text(event.tenant.as_deref()),
        state: markup::state(&event.state),
        at: markup::when(now, event.recorded_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_asks_the_api_with_its_times() {
        let filters = [("state", "done"), ("after", "2026-11-28T17:42")];
        let expected = "/v1/events?state=done&after=2026-11-28T17%3A42%3A00Z&cursor=v1.a";
        assert_eq!(api_path(&filters, "v1.a"), expected);
    }

    /// Guards the order of the arms in [`nothing`].
    #[test]
    fn nothing_is_said_not_to_be_there_before_all_was_looked_at() {
        let said = nothing(true, true);
        assert!(said.contains("yet") && said.contains("older"), "{said}");
        assert_ne!(nothing(false, true), nothing(false, false));
    }

    #[test]
    fn what_is_no_subject_may_be_a_type() {
        let found = |is_empty, subject: &str| {
            let found = instead(is_empty, subject);
            found.into_iter().map(|link| link.0).collect::<Vec<_>>()
        };
        let links = found(true, "payment");
        assert!(links[0].contains("type=payment\"") && links[1].contains("type=payment.*\""));
        assert_eq!(found(true, "payment.*").len(), 1);
        for (is_empty, subject) in [(false, "payment"), (true, ""), (true, "a b"), (true, "a..b")] {
            assert!(found(is_empty, subject).is_empty(), "{subject}");
        }
    }
}
