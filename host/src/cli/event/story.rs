//! The story of an event: a line for each thing that happened, in its order, and at the end what
//! waits and what died.
//!
//! Reads what `GET /v1/events/{id}` answers, and of that only what it tells. Never shows data of
//! the event, and asks nobody.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

use crate::cli::output::{Ink, cell};
use crate::dashboard::figure;
use crate::event::Timestamp;

/// The widest line, unless an id forces it.
const COLUMNS: usize = 100;
/// The most tries of a work that a story tells: the last ones.
const TRIES_MAX: usize = 20;
/// What is later than this has a date in place of its distance from the beginning.
const NEAR_MS: u64 = 60 * 60 * 1_000;

/// An event with all that came of it.
#[derive(Deserialize)]
struct Told {
    id: String,
    state: String,
    recorded_at: Timestamp,
    event: Event,
    /// The run that emitted it.
    cause: Option<String>,
    receipt_id: Option<String>,
    tenant: Option<String>,
    trace_id: Option<String>,
    receipt: Option<Receipt>,
    runs: Vec<Run>,
    deliveries: Vec<Delivery>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    event_type: String,
    source: String,
    subject: Option<String>,
    money: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Receipt {
    id: String,
    received_at: Timestamp,
    method: String,
    url: String,
    claimed_by: Option<Stamp>,
    proof: Option<String>,
    body: Option<String>,
    tries: Vec<Try>,
}

#[derive(Deserialize)]
struct Stamp {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Run {
    id: String,
    handler: String,
    state: String,
    retry_at: Option<Timestamp>,
    tries: Vec<Try>,
}

#[derive(Deserialize)]
struct Try {
    at: Timestamp,
    duration_us: u64,
    plugin: Option<Stamp>,
    outcome: String,
    reason: Option<String>,
    detail: Option<String>,
    events: Vec<String>,
    parcels: Vec<String>,
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    severity: String,
    message: String,
}

#[derive(Deserialize)]
struct Delivery {
    id: String,
    endpoint: Endpoint,
    state: String,
    retry_at: Option<Timestamp>,
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
struct Endpoint {
    name: String,
}

#[derive(Deserialize)]
struct Attempt {
    at: Timestamp,
    duration_us: u64,
    status: Option<u16>,
    outcome: String,
    reason: Option<String>,
    detail: Option<String>,
    peer: Option<String>,
    /// A gateway of before does not say it.
    #[serde(default)]
    http2: bool,
}

/// Something that happened, or is about to.
struct Step {
    /// `None` of what has not happened.
    at: Option<Timestamp>,
    ink: Ink,
    what: &'static str,
    said: String,
}

/// A line of the story in its parts.
pub(in crate::cli) type Line = Vec<(Ink, String)>;

/// The story in the answer of a gateway, told at this time.
pub(in crate::cli) fn story(answer: &str, now: Timestamp) -> anyhow::Result<Vec<Line>> {
    let told: Told = serde_json::from_str(answer).context("the answer is not an event")?;
    let receipt = told.receipt.as_ref().filter(|_| told.cause.is_none());
    let begin = receipt.map_or(told.recorded_at, |receipt| receipt.received_at);
    let mut steps = Vec::new();
    if let Some(trace) = &told.trace_id {
        let (ink, said) = (Ink::Dim, trace.clone());
        steps.push(Step { at: Some(begin), ink, what: "trace", said });
    }
    beginning(&told, receipt, &mut steps);
    for run in &told.runs {
        tried(&run.handler, "run", &run.tries, &mut steps);
        ahead(&run.handler, (run.state.as_str(), run.retry_at), (now, &run.id), &mut steps);
    }
    for delivery in &told.deliveries {
        attempts(delivery, &mut steps);
        let standing = (delivery.state.as_str(), delivery.retry_at);
        ahead(&delivery.endpoint.name, standing, (now, &delivery.id), &mut steps);
    }
    // Of what happened at the same time, what was found first stays first.
    steps.sort_by_key(|step| step.at.unwrap_or(Timestamp::MAX));
    let lines = steps.iter().map(|step| line(begin, step));
    Ok(std::iter::once(head(&told)).chain(lines).collect())
}

/// What it is, what it is about, and how it stands.
fn head(told: &Told) -> Line {
    let Event { event_type, source, subject, money } = &told.event;
    let money = money
        .as_ref()
        .and_then(|money| Some(format!("{} {}", money.get("amount")?, money.get("currency")?)));
    let source = match &told.tenant {
        Some(tenant) => format!("{source}, {tenant}"),
        None => source.clone(),
    };
    let parts = [Some(event_type.clone()), money, subject.clone(), Some(source)];
    let said: Vec<String> = parts.into_iter().flatten().map(|part| cell(&part)).collect();
    let said = format!("{}  {}", said.join("  "), told.id);
    let gap = COLUMNS.saturating_sub(said.chars().count() + told.state.len()).max(2);
    let ink = match told.state.as_str() {
        "done" => Ink::Good,
        "dead" => Ink::Bad,
        _ => Ink::Warning,
    };
    vec![(Ink::Plain, said + &" ".repeat(gap)), (ink, told.state.clone())]
}

/// From the request to the event.
fn beginning(told: &Told, receipt: Option<&Receipt>, steps: &mut Vec<Step>) {
    let mut say = |at, ink, what, said| steps.push(Step { at: Some(at), ink, what, said });
    match (receipt, &told.cause, &told.receipt_id) {
        (None, Some(run), _) => {
            say(told.recorded_at, Ink::Plain, "emitted", format!("by {run}"));
        }
        (None, None, Some(id)) => {
            let said = format!("its receipt {id} is gone, or can't be read");
            say(told.recorded_at, Ink::Plain, "recorded", said);
        }
        (None, None, None) => say(told.recorded_at, Ink::Plain, "recorded", String::new()),
        (Some(receipt), ..) => {
            let Receipt { received_at: at, method, url, body, id, .. } = receipt;
            let bytes = body.as_ref().map(|body| format!(", {}", figure::bytes(body.len() as u64)));
            let said = format!("{method} {url}{}, {id}", bytes.unwrap_or_default());
            say(*at, Ink::Plain, "received", said);
            let (ink, said) = proof(receipt);
            say(*at, ink, "stored", format!("{said}; answered after the sync"));
            tried(&told.event.source, "parsed", &receipt.tries, steps);
        }
    }
}

/// What the request proved.
fn proof(receipt: &Receipt) -> (Ink, String) {
    let by = receipt.claimed_by.as_ref();
    let by = by.map_or_else(String::new, |by| format!(" by {} {}", by.name, by.version));
    match receipt.proof.as_deref() {
        Some("none") => (Ink::Warning, "without a proof".to_owned()),
        Some("weak") => (Ink::Warning, format!("verified{by}, by a weak proof")),
        Some("unbound") => {
            (Ink::Warning, format!("verified{by}, by a proof that does not cover all of it"))
        }
        Some(_) => (Ink::Good, format!("verified{by}")),
        None => (Ink::Plain, "what it proved is not known".to_owned()),
    }
}

/// The tries of a parse or a run.
fn tried(name: &str, what: &'static str, tries: &[Try], steps: &mut Vec<Step>) {
    let left = left_out(name, tries.iter().map(|one| one.at), steps);
    for (number, one) in tries.iter().enumerate().skip(left) {
        let by = one.plugin.as_ref().map(|plugin| format!("{} {}", plugin.name, plugin.version));
        let by = by.unwrap_or_else(|| name.to_owned());
        let took = figure::micros(one.duration_us);
        let at = Some(one.at);
        if one.outcome == "success" {
            let did = did(one);
            let said = format!("{by}{}{did} ({took})", if did.is_empty() { "" } else { ": " });
            steps.push(Step { at, ink: Ink::Good, what, said });
        } else {
            let said = format!("{by}, {}: {} ({took})", nth("try", number), why(one));
            steps.push(Step { at, ink: Ink::Bad, what: "failed", said });
        }
    }
}

/// The number of the first tries that are not told, and says so in their place.
fn left_out(
    name: &str,
    mut times: impl ExactSizeIterator<Item = Timestamp>,
    steps: &mut Vec<Step>,
) -> usize {
    let left = times.len().saturating_sub(TRIES_MAX);
    if left > 0 {
        let tries = figure::counted(left as u64, "earlier try", "earlier tries");
        let said = format!("{name}: {tries} left out, which --json has");
        steps.push(Step { at: times.next(), ink: Ink::Dim, what: "tried", said });
    }
    left
}

/// What came of a try.
fn did(one: &Try) -> String {
    let count = |many: usize, one: &str, more: &str| {
        (many > 0).then(|| figure::counted(many as u64, one, more))
    };
    let alerts = one.alerts.iter().map(|it| format!("{} alert: {}", it.severity, it.message));
    let events = count(one.events.len(), "event", "events");
    let parcels = count(one.parcels.len(), "parcel", "parcels");
    events.into_iter().chain(parcels).chain(alerts).collect::<Vec<_>>().join(", ")
}

fn why(one: &Try) -> String {
    reason(one.reason.as_deref(), one.detail.as_deref())
}

fn reason(reason: Option<&str>, detail: Option<&str>) -> String {
    let reason = reason.map(|reason| reason.replace('_', " "));
    let said: Vec<String> = reason.into_iter().chain(detail.map(str::to_owned)).collect();
    if said.is_empty() { "it failed".to_owned() } else { said.join(": ") }
}

fn nth(what: &str, number: usize) -> String {
    format!("{what} {}", number + 1)
}

fn attempts(delivery: &Delivery, steps: &mut Vec<Step>) {
    let name = &delivery.endpoint.name;
    let left = left_out(name, delivery.attempts.iter().map(|attempt| attempt.at), steps);
    for (number, attempt) in delivery.attempts.iter().enumerate().skip(left) {
        let took = figure::micros(attempt.duration_us);
        let peer = attempt.peer.as_ref().map(|peer| format!(" by {peer}")).unwrap_or_default();
        let answered = attempt.status.map(|status| format!("{status}{peer}"));
        let at = Some(attempt.at);
        if attempt.outcome == "success" {
            let by = if attempt.http2 { ", HTTP/2" } else { "" };
            let said = format!("{name}: {} in {took}{by}", answered.unwrap_or_default());
            steps.push(Step { at, ink: Ink::Good, what: "delivered", said });
        } else {
            let why = reason(attempt.reason.as_deref(), attempt.detail.as_deref());
            let why = [Some(why), answered].into_iter().flatten().collect::<Vec<_>>().join(", ");
            let said = format!("{name}, {}: {why} ({took})", nth("attempt", number));
            steps.push(Step { at, ink: Ink::Bad, what: "failed", said });
        }
    }
}

/// What waits for its next try, or will not be tried again; and the command that tries it.
fn ahead(
    name: &str,
    (state, retry_at): (&str, Option<Timestamp>),
    (now, id): (Timestamp, &str),
    steps: &mut Vec<Step>,
) {
    let (ink, what, when) = match (state, retry_at) {
        ("pending", Some(at)) if at > now => {
            (Ink::Warning, "waiting", format!(": next try {}", figure::distance(now, at)))
        }
        ("pending", _) => (Ink::Warning, "waiting", String::new()),
        ("dead", _) => (Ink::Bad, "dead", String::new()),
        _ => return,
    };
    let command = if id.starts_with("dlv_") { "delivery retry" } else { "event replay" };
    let said = format!("{name}{when}; hookgate {command} {id}");
    steps.push(Step { at: None, ink, what, said });
}

fn line(begin: Timestamp, step: &Step) -> Line {
    let when = step.at.map_or("now".to_owned(), |at| when(begin, at));
    let before = format!("{when:>14}  ");
    let what = format!("{:<10}", step.what);
    let mut said = cell(&step.said);
    let room = COLUMNS - 26 - 2;
    // A command is of no use if its end is missing.
    if step.at.is_some() && said.chars().count() > room {
        said = said.chars().take(room - 3).chain("...".chars()).collect();
    }
    vec![(Ink::Dim, before), (step.ink, what), (Ink::Plain, format!("  {said}"))]
}

/// A time in a story that begins at another: `17:42:08.214`, `+ 3 ms`, `+ 5.1 s`, or with its day.
fn when(begin: Timestamp, at: Timestamp) -> String {
    let text = at.to_string();
    match at.0.checked_sub(begin.0) {
        Some(ms @ 1..1_000) => format!("+ {ms} ms"),
        Some(ms @ 1_000..60_000) => format!("+ {:.1} s", ms as f64 / 1_000.0),
        Some(ms @ 60_000..NEAR_MS) => format!("+ {} min", ms / 60_000),
        Some(NEAR_MS..) => text.get(5..16).unwrap_or_default().replace('T', " "),
        _ => text.get(11..23).unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const BEGIN: Timestamp = Timestamp(1_700_000_000_214);

    fn at(ms: u64) -> String {
        Timestamp(BEGIN.0 + ms).to_string()
    }

    fn attempt(ms: u64, outcome: &str, status: &Value) -> Value {
        json!({
            "at": at(ms), "duration_us": 11_000, "status": status, "outcome": outcome,
            "reason": (outcome != "success").then_some("endpoint_refused"), "detail": null,
            "peer": "10.2.0.17:8443", "http2": true,
        })
    }

    fn told() -> Value {
        json!({
            "id": "evt_000000000001000000", "state": "pending", "recorded_at": at(1),
            "event": {
                "type": "payment.failed", "source": "stripe", "subject": "pi_1\n",
                "money": { "amount": "19.99", "currency": "USD" }, "data": { "deep": [[1]] },
            },
            "cause": null, "receipt_id": "rcp_000000000001000000", "tenant": "acme",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "receipt": {
                "id": "rcp_000000000001000000", "received_at": at(0), "method": "POST",
                "url": "/in/stripe", "claimed_by": { "name": "stripe", "version": "1.2.0" },
                "proof": "bound", "body": "{}", "tries": [{
                    "at": at(1), "duration_us": 600, "plugin": null, "outcome": "success",
                    "reason": null, "detail": null, "events": ["evt_000000000001000000"],
                    "parcels": [], "alerts": [],
                }],
            },
            "runs": [],
            "deliveries": [{
                "id": "dlv_000000000001000000", "endpoint": { "name": "ledger" },
                "state": "pending", "retry_at": at(44_000),
                "attempts": [
                    attempt(3, "transient", &json!(null)),
                    attempt(5_100, "success", &json!(200)),
                ],
            }],
        })
    }

    fn shown(told: &Value) -> Vec<String> {
        let lines = story(&told.to_string(), Timestamp(BEGIN.0 + 6_000)).unwrap();
        let text = |line: Line| line.into_iter().map(|(_, part)| part).collect::<String>();
        lines.into_iter().map(text).collect()
    }

    #[test]
    fn an_event_is_told_in_the_order_in_which_it_happened() {
        let lines = shown(&told());
        let head = "payment.failed  19.99 USD  pi_1\\u000a  stripe, acme  evt_000000000001000000";
        assert!(lines[0].starts_with(head) && lines[0].ends_with("  pending"), "{}", lines[0]);
        let expected = [
            "  22:13:20.214  trace       0af7651916cd43dd8448eb211c80319c",
            "  22:13:20.214  received    POST /in/stripe, 2 bytes, rcp_000000000001000000",
            "  22:13:20.214  stored      verified by stripe 1.2.0; answered after the sync",
            "        + 1 ms  parsed      stripe: 1 event (0.6 ms)",
            "        + 3 ms  failed      ledger, attempt 1: endpoint refused (11 ms)",
            "       + 5.1 s  delivered   ledger: 200 by 10.2.0.17:8443 in 11 ms, HTTP/2",
            "           now  waiting     ledger: next try in 38 s; hookgate delivery retry \
             dlv_000000000001000000",
        ];
        assert_eq!(lines[1..], expected);
    }

    #[test]
    fn a_line_is_cut_unless_it_is_a_command_and_what_is_dead_says_so() {
        let mut told = told();
        let attempts = &mut told["deliveries"][0]["attempts"];
        attempts[0]["detail"] = json!("x".repeat(200));
        told["deliveries"][0]["state"] = json!("dead");
        told["receipt"] = Value::Null;
        let lines = shown(&told);
        assert!(lines[2].contains("recorded    its receipt rcp_000000000001000000 is gone"));
        assert!(lines[3].ends_with("x...") && lines[3].chars().count() <= COLUMNS, "{}", lines[3]);
        let dead = "           now  dead        ledger; hookgate delivery retry dlv_";
        assert!(lines.last().is_some_and(|line| line.starts_with(dead)), "{lines:#?}");
    }

    #[test]
    fn the_last_tries_of_many_are_told_and_that_there_were_more() {
        let mut told = told();
        let many = (0..23).map(|number| attempt(10 + number, "transient", &json!(null)));
        told["deliveries"][0]["attempts"] = many.collect();
        let lines = shown(&told);
        let failed = lines.iter().filter(|line| line.contains("  failed  ")).count();
        assert_eq!(failed, TRIES_MAX, "{lines:#?}");
        let left = "+ 10 ms  tried       ledger: 3 earlier tries left out, which --json has";
        assert_eq!(lines[5].trim_start(), left);
        assert!(lines[6].contains("ledger, attempt 4: "), "{}", lines[6]);
    }

    #[test]
    fn a_time_is_said_as_far_as_it_is_from_the_beginning() {
        let said =
            [0, 3, 5_120, 240_000, 90_000_000].map(|ms| when(BEGIN, Timestamp(BEGIN.0 + ms)));
        assert_eq!(said, ["22:13:20.214", "+ 3 ms", "+ 5.1 s", "+ 4 min", "11-15 23:13"]);
    }
}
