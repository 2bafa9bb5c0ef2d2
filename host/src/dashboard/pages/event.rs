//! One event: its story from the request to what came of it, and what may be done with it.
//!
//! Reads `/v1/events/{id}`, one event with its receipt, runs and deliveries. What is long is cut,
//! and whole in a download. Never another event.

mod actions;
mod delivery;
mod receipt;
mod remembered;
mod run;
mod story;
mod view;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;

use self::receipt::Sent;
use self::story::{Step, Teller, Trouble};
use self::view::{Event, EventPage};
use crate::dashboard::figure::{self, Money};
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::{download, page};
use crate::dashboard::{Dashboard, Failed, Visitor, highlight, link};
use crate::token::Scope;

/// Most bytes of the data that are shown.
const DATA_BYTES_MAX: usize = 64 << 10;
/// Most bytes of a name, a subject or a label.
const TEXT_BYTES_MAX: usize = 256;
/// Most runs, and most deliveries, that are shown.
const WORKS_MAX: usize = 50;
/// Most labels: more than an event may have.
const LABELS_MAX: usize = 100;
/// Most deliveries of which the request is shown: each is one more question.
const REQUESTS_MAX: usize = 8;
/// Most of what is wrong that is said before everything else.
const TROUBLES_MAX: usize = 3;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/events/{id}", get(show))
        .route("/events/{id}/data", get(data))
        .merge(receipt::routes())
        .merge(actions::routes())
        .merge(remembered::routes())
}

/// A name and a value.
struct Fact {
    name: &'static str,
    value: Markup,
}

#[derive(Template)]
#[template(path = "event.html")]
struct ShownPage {
    frame: Frame,
    id: String,
    event_type: Markup,
    /// The amount, the subject and the source.
    line: Markup,
    state: Markup,
    at: Markup,
    /// Whether something may still happen.
    is_live: bool,
    can_replay: bool,
    /// The page that its forms come back to.
    back: String,
    /// All of it, as the API shows it.
    api: String,
    troubles: Vec<Trouble>,
    steps: Vec<Step>,
    /// How many works are left out, if any are.
    left: Option<String>,
    facts: Vec<Fact>,
    labels: Vec<Markup>,
    data: Markup,
    data_bytes: String,
    whole: String,
    sent: Option<Sent>,
}

fn path_of(id: &str) -> String {
    link::below("/v1/events", id)
}

/// Asks for the requests of the first deliveries that were attempted.
async fn ask_for_requests(visitor: &Visitor, event: &mut EventPage) {
    let attempted = event.deliveries.iter_mut().filter(|it| !it.attempts.is_empty());
    for delivery in attempted.take(REQUESTS_MAX) {
        let path = format!("{}/request", link::below("/v1/deliveries", &delivery.id));
        // The story is one without it.
        delivery.sent = visitor.get(&path).await.ok();
    }
}

async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    let mut event: EventPage = visitor.get(&path_of(&id)).await?;
    ask_for_requests(&visitor, &mut event).await;
    let begin = match (&event.receipt, &event.cause) {
        (Some(receipt), None) => receipt.received_at,
        _ => event.recorded_at,
    };
    let works = event.runs.len().min(WORKS_MAX) + event.deliveries.len().min(WORKS_MAX);
    let teller = Teller::of(&visitor, begin).of_works(works);
    let data = event.event.data.get();
    let place = link::below("/events", &event.id);
    Ok(page(&ShownPage {
        frame: visitor.frame(Section::Events, event.event.event_type.clone()),
        event_type: markup::long(&event.event.event_type, TEXT_BYTES_MAX),
        line: line(&event.event),
        state: markup::state(&event.state),
        at: markup::when(teller.now, event.recorded_at),
        is_live: event.state == "pending",
        can_replay: visitor.can(Scope::Replay),
        api: path_of(&event.id),
        troubles: troubles(&teller, &event),
        steps: steps(&teller, &event, visitor.is_operator()),
        left: left(&event),
        facts: facts(&teller, &event),
        labels: labels(&event.event),
        data: highlight::json(data, DATA_BYTES_MAX),
        data_bytes: figure::bytes(data.len() as u64),
        whole: format!("{place}/data"),
        sent: event.receipt.as_ref().filter(|_| event.cause.is_none()).map(Sent::of),
        back: place,
        id: event.id,
    }))
}

async fn data(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    let EventPage { id, event, .. } = visitor.get(&path_of(&id)).await?;
    Ok(download(&format!("{id}.json"), event.data.get().to_owned()))
}

/// Such as `19.99 USD · pi_3Pq81w · stripe`.
fn line(event: &Event) -> Markup {
    let money = event.money.as_ref().map(|money| markup::text(&Money::shown(money)));
    let subject = event.subject.as_deref().map(|subject| {
        let place = link::with_query("/events", [("subject", subject)]);
        // What is long is cut, and not searched for.
        match subject.len() <= TEXT_BYTES_MAX {
            true => markup::code_link(&place, subject),
            false => markup::long(subject, TEXT_BYTES_MAX),
        }
    });
    let place = link::with_query("/events", [("source", event.source.as_str())]);
    let parts = [money, subject, Some(markup::link(&place, &event.source))];
    let mut pieces = Vec::new();
    for part in parts.into_iter().flatten() {
        if !pieces.is_empty() {
            pieces.push(markup::text(" · "));
        }
        pieces.push(part);
    }
    markup::joined(pieces)
}

/// What is wrong with its parse, runs and deliveries: the worst first.
fn troubles(teller: &Teller, event: &EventPage) -> Vec<Trouble> {
    let deliveries = event.deliveries.iter().filter_map(|it| delivery::trouble(teller, it));
    let runs = event.runs.iter().filter_map(|it| run::trouble(teller, it));
    let mut all: Vec<Trouble> = deliveries.chain(runs).collect();
    if !event.damaged.is_empty() {
        let many = figure::counted(event.damaged.len() as u64, "delivery", "deliveries");
        let said = format!("{many} of this event can't be read: the records are damaged.");
        all.push(Trouble { class: "bad", said: markup::text(&said) });
    }
    all.sort_by_key(|trouble| trouble.class != "bad");
    let left = all.len().saturating_sub(TROUBLES_MAX);
    all.truncate(TROUBLES_MAX);
    if left > 0 {
        let said = format!("And {left} more: see what happened.");
        all.push(Trouble { class: "warn", said: markup::text(&said) });
    }
    all
}

/// What happened, from the request on.
fn steps(teller: &Teller, event: &EventPage, is_operator: bool) -> Vec<Step> {
    let mut story = Vec::new();
    match (&event.cause, &event.receipt, &event.receipt_id) {
        (Some(cause), ..) => {
            let mut step =
                teller.step(event.recorded_at, Mood::Info, markup::text("Added by a run"));
            let run = markup::code_link(&link::below("/runs", cause), cause);
            step.lines.push(markup::joined([markup::text("The run "), run]));
            story.push(step);
        }
        (None, Some(receipt), _) => receipt::steps(teller, receipt, &mut story),
        (None, None, receipt) => {
            let mut step = teller.step(event.recorded_at, Mood::Info, markup::text("Recorded"));
            if let Some(receipt) = receipt {
                step.say(&format!("Its receipt {receipt} is gone, or can't be read."));
            }
            story.push(step);
        }
    }
    for run in event.runs.iter().take(WORKS_MAX) {
        run::steps(teller, run, &mut story);
    }
    for delivery in event.deliveries.iter().take(WORKS_MAX) {
        delivery::steps(teller, delivery, &mut story);
    }
    if event.runs.is_empty() && event.deliveries.is_empty() && event.state == "done" {
        let title = markup::text("Nothing to do");
        let mut step = Step::undated(Mood::Info, title);
        step.say(match is_operator {
            true => "When it came, no handler and no endpoint wanted events of its type.",
            // What others have of it is not for them to see.
            false => "No endpoint of yours gets it.",
        });
        story.push(step);
    }
    story::in_order(story)
}

/// How many works the page leaves out.
fn left(event: &EventPage) -> Option<String> {
    let left = |many: usize| many.saturating_sub(WORKS_MAX) as u64;
    let (runs, deliveries) = (left(event.runs.len()), left(event.deliveries.len()));
    (runs + deliveries > 0).then(|| {
        let runs = figure::counted(runs, "run", "runs");
        let deliveries = figure::counted(deliveries, "delivery", "deliveries");
        format!("{runs} and {deliveries} more are not shown here.")
    })
}

fn facts(teller: &Teller, event: &EventPage) -> Vec<Fact> {
    let Event { id, event_type, time, .. } = &event.event;
    let type_place = link::with_query("/events", [("type", event_type.as_str())]);
    let receipt = |id: &String| markup::code_link(&link::below("/receipts", id), id);
    let run = |id: &String| markup::code_link(&link::below("/runs", id), id);
    let facts = [
        ("Type", Some(markup::code_link(&type_place, event_type))),
        ("Id of the source", Some(markup::long(id, TEXT_BYTES_MAX))),
        ("Happened", Some(markup::when(teller.now, *time))),
        ("Recorded", Some(markup::when(teller.now, event.recorded_at))),
        ("Tenant", event.tenant.as_deref().map(|it| markup::long(it, TEXT_BYTES_MAX))),
        ("Receipt", event.receipt_id.as_ref().map(receipt)),
        ("Added by", event.cause.as_ref().map(run)),
        ("Trace", event.trace_id.as_deref().map(markup::text)),
    ];
    let there = facts.into_iter().filter_map(|(name, value)| Some(Fact { name, value: value? }));
    there.collect()
}

fn labels(event: &Event) -> Vec<Markup> {
    let label = |(name, value): (&String, &String)| {
        let pieces = [name, value].map(|text| markup::long(text, TEXT_BYTES_MAX));
        let [name, value] = pieces;
        markup::joined([name, markup::text(" "), value])
    };
    event.labels.iter().take(LABELS_MAX).map(label).collect()
}
