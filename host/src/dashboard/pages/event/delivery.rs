//! The attempts of a delivery in a story: where each went, how long its phases took, what answered,
//! and what led to its failure.
//!
//! Of many attempts the newest are shown. Never sends anything.

use super::run::mood_of;
use super::story::{Step, TEXT_BYTES_MAX, Teller, Trouble};
use super::view::{Attempt, Delivery, Remade, Times};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::{chart, figure, highlight, link};

/// Most bytes of an answer that are shown: as many as the store keeps.
const ANSWER_BYTES_MAX: usize = 4 << 10;
/// Most bytes of a request that are shown.
const REQUEST_BYTES_MAX: usize = 8 << 10;
/// Most causes of one failure.
const CAUSES_MAX: usize = 12;
/// The phases of an attempt: in the API, for people, and their colours.
const PHASES: [(&str, &str, &str); 6] = [
    ("resolve", "resolve", "info"),
    ("connect", "connect", "info"),
    ("tls", "TLS", "warn"),
    ("send", "send", "accent"),
    ("headers", "wait for the answer", "ok"),
    ("body", "read the answer", "ok"),
];

/// The steps of a delivery.
pub(super) fn steps(teller: &Teller, delivery: &Delivery, story: &mut Vec<Step>) {
    let attempts = &delivery.attempts;
    let left = attempts.len().saturating_sub(teller.most);
    let shown = attempts.iter().enumerate().skip(left);
    let mut steps: Vec<Step> = shown.map(|(at, it)| step(teller, delivery, (at + 1, it))).collect();
    if delivery.state == "pending" {
        steps.push(teller.waiting(title(delivery), delivery.retry_at));
    } else if steps.is_empty() {
        let mut step = Step::undated(mood_of(&delivery.state), title(delivery));
        step.lines.push(markup::state(&delivery.state));
        step.say("Its attempts are not kept any more.");
        steps.push(step);
    }
    if let Some(first) = steps.first_mut() {
        first.anchor = Some(delivery.id.clone());
        begin(first, delivery, left);
    }
    if let Some(last) = steps.last_mut() {
        offer(teller, delivery, last);
    }
    story.append(&mut steps);
}

/// What is wrong with a delivery, if something is.
pub(super) fn trouble(teller: &Teller, delivery: &Delivery) -> Option<Trouble> {
    let last = delivery.attempts.last().filter(|last| last.outcome != "success")?;
    let since = figure::distance(teller.now, last.at);
    let why = match last.status {
        Some(status) => format!("the endpoint answered {status}"),
        None => last.reason.as_deref().unwrap_or("it failed").replace('_', " "),
    };
    let (class, next) = match (delivery.state.as_str(), delivery.retry_at) {
        ("dead", _) => ("bad", "It is a dead letter: no further attempt without you.".to_owned()),
        (_, Some(at)) if at > teller.now => {
            ("warn", format!("Next attempt {}.", figure::distance(teller.now, at)))
        }
        _ => ("warn", "The gateway tries it again.".to_owned()),
    };
    let said = [
        markup::text("The delivery to "),
        markup::link(&format!("#{}", delivery.id), &delivery.endpoint.name),
        markup::text(&format!(" failed {since}: {why}. {next}")),
    ];
    Some(Trouble { class, said: markup::joined(said) })
}

/// `Delivery to crm`.
fn title(delivery: &Delivery) -> Markup {
    let endpoint = &delivery.endpoint;
    let name = match endpoint.deleted {
        true => markup::text(&format!("{} (deleted)", endpoint.name)),
        false => markup::link(&link::below("/endpoints", &endpoint.id), &endpoint.name),
    };
    markup::joined([markup::text("Delivery to "), name])
}

/// What is said of a delivery as a whole, where it begins.
fn begin(step: &mut Step, delivery: &Delivery, left: usize) {
    if let Some(run) = &delivery.run {
        let run = markup::code_link(&format!("#{run}"), run);
        step.lines.push(markup::joined([markup::text("A parcel of "), run]));
    }
    if left > 0 {
        let many = figure::counted(left as u64, "earlier attempt", "earlier attempts");
        step.say(&format!("Behind {many} that the page leaves out."));
    }
    if delivery.damaged_at.is_some() {
        step.say("What is older can't be read: its record is damaged.");
    }
}

fn offer(teller: &Teller, delivery: &Delivery, step: &mut Step) {
    let place = link::below("/deliveries", &delivery.id);
    let is_pending = delivery.state == "pending";
    if teller.may_replay {
        let label = if is_pending { "Try now" } else { "Send again" };
        step.offer(format!("{place}/retry"), label, false);
    }
    if teller.may_write && is_pending {
        step.offer(format!("{place}/discard"), "Discard…", true);
    }
}

fn step(teller: &Teller, delivery: &Delivery, (number, attempt): (usize, &Attempt)) -> Step {
    let mood = match (attempt.outcome.as_str(), attempt.verdict.as_str()) {
        ("success", _) => Mood::Ok,
        (_, "retry") => Mood::Warn,
        _ => Mood::Bad,
    };
    let mut pieces = vec![title(delivery)];
    if number > 1 {
        pieces.push(markup::text(&format!(", attempt {number}")));
    }
    if attempt.verdict == "dead" {
        pieces.extend([markup::text(" "), markup::state("dead")]);
    }
    let mut step = teller.step(attempt.at, mood, markup::joined(pieces));
    step.beside = figure::micros(attempt.duration_us);
    step.say(&said(attempt));
    if mood != Mood::Ok {
        step.fail(attempt.reason.as_deref(), attempt.detail.as_deref());
    }
    phases(&mut step, attempt, mood);
    let causes = attempt.causes.iter().take(CAUSES_MAX);
    step.causes = causes.map(|cause| markup::sentence(cause, TEXT_BYTES_MAX)).collect();
    step.answer = answer(attempt);
    if number == delivery.attempts.len() {
        step.sent = delivery.sent.as_ref().map(sent);
    }
    step
}

/// `Answered 200 from 93.184.216.34:443, HTTP/2, over an open connection`.
fn said(attempt: &Attempt) -> String {
    let mut said = match (attempt.status, attempt.phase.as_deref()) {
        (Some(status), _) => format!("Answered {status}"),
        (None, Some(phase)) => {
            let found = PHASES.iter().find(|(name, ..)| *name == phase);
            format!("No answer: it ended at “{}”", found.map_or(phase, |(_, shown, _)| *shown))
        }
        (None, None) => "Nothing was sent".to_owned(),
    };
    if let Some(peer) = &attempt.peer {
        said.push_str(if attempt.status.is_some() { " from " } else { ", at " });
        said.push_str(peer);
    }
    if attempt.http2 {
        said.push_str(", HTTP/2");
    }
    if attempt.reused {
        said.push_str(", over an open connection");
    }
    said
}

/// How long each phase took, as a bar and in words.
fn phases(step: &mut Step, attempt: &Attempt, mood: Mood) {
    let Times { resolve, connect, tls, send, headers, body } = attempt.times_us;
    let times = [resolve, connect, tls, send, headers, body];
    let reached = PHASES.iter().zip(times).filter_map(|(phase, time)| Some((phase, time?)));
    let (mut parts, mut words) = (Vec::new(), Vec::new());
    for ((name, shown, class), time) in reached {
        let is_last = mood != Mood::Ok && attempt.phase.as_deref() == Some(*name);
        parts.push((if is_last { "bad" } else { *class }, time as f64));
        words.push(format!("{shown} {}", figure::micros(time)));
    }
    if parts.iter().any(|(_, size)| *size > 0.0) {
        step.track = Some(chart::phases(&parts));
        step.say(&words.join(" · "));
    }
}

/// A request as it goes over the wire, but for its body.
fn sent(remade: &Remade) -> Markup {
    let said = match &remade.request {
        Some(request) => {
            let mut said = format!("{} {}\n", request.method, request.url);
            for header in &request.headers {
                said.push_str(&format!("{}: {}\n", header.name, header.value));
            }
            format!("{said}\n{} of body", figure::bytes(request.body_bytes))
        }
        None => {
            let why = remade.reason.as_deref().unwrap_or("nobody said why");
            format!("It can't be made again: {why}.")
        }
    };
    markup::long(&said, REQUEST_BYTES_MAX)
}

/// What the endpoint answered, laid out if it is JSON.
fn answer(attempt: &Attempt) -> Option<Markup> {
    let text = attempt.answer.as_str();
    let is_json = attempt.content_type.as_deref().is_some_and(|it| it.contains("json"));
    match (text.is_empty(), is_json) {
        (true, _) => None,
        (_, true) => Some(highlight::json(text, ANSWER_BYTES_MAX)),
        (_, false) => Some(markup::long(text, ANSWER_BYTES_MAX)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::event::Timestamp;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn teller(may: bool) -> Teller {
        let (may_replay, may_write, sees_state) = (may, may, may);
        Teller { now: NOW, begin: NOW, may_replay, may_write, sees_state, most: 20 }
    }

    fn refused() -> Value {
        json!({
            "at": NOW, "duration_us": 1_500, "status": null, "answer": "", "content_type": null,
            "outcome": "transient", "verdict": "retry", "reason": "endpoint_unreachable",
            "detail": "failed to connect", "phase": "connect", "peer": "10.2.0.17:8443",
            "causes": ["failed to connect", "the connection was refused"],
            "times_us": { "resolve": 400, "connect": 1_100, "tls": null, "send": null,
                          "headers": null, "body": null },
            "http2": false, "reused": false,
        })
    }

    fn delivery(state: &str, attempts: &[Value]) -> Delivery {
        let endpoint = json!({ "id": "ep_1", "name": "crm", "tenant": null, "deleted": false });
        let delivery = json!({
            "id": "dlv_1", "endpoint": endpoint, "state": state, "attempts": attempts,
            "retry_at": null,
        });
        serde_json::from_value(delivery).unwrap()
    }

    fn told(delivery: &Delivery, may: bool) -> Vec<Step> {
        let mut story = Vec::new();
        steps(&teller(may), delivery, &mut story);
        story
    }

    /// Guards the colour of the phase in which an attempt ended, and the order of its causes.
    #[test]
    fn an_attempt_that_failed_says_where_and_why() {
        let story = told(&delivery("pending", &[refused()]), true);
        let step = &story[0];
        let track = &step.track.as_ref().unwrap().0;
        assert!(track.contains("class=\"info\"") && track.contains("class=\"bad\""), "{track}");
        let lines: Vec<&str> = step.lines.iter().map(|line| line.0.as_str()).collect();
        assert_eq!(lines[0], "No answer: it ended at “connect”, at 10.2.0.17:8443");
        assert_eq!(lines[2], "resolve 0.4 ms · connect 1.1 ms");
        assert!(step.causes[1].0.contains("refused") && step.dot == "warn");
    }

    /// Guards at which step it stands, and that it is text.
    #[test]
    fn the_last_attempt_shows_its_request() {
        let mut delivery = delivery("pending", &[refused(), refused()]);
        delivery.sent = serde_json::from_value(json!({
            "request": {
                "method": "POST", "url": "https://crm.example/", "body_bytes": 1_335,
                "headers": [{ "name": "x-team", "value": "<b>" }],
            },
            "reason": null,
        }))
        .unwrap();
        let story = told(&delivery, false);
        let shown: Vec<_> = story.iter().map(|step| step.sent.as_ref()).collect();
        assert!(shown.len() == 3 && shown[0].is_none() && shown[2].is_none());
        let text = &shown[1].unwrap().0;
        assert!(text.contains("POST https://crm.example/\nx-team: &lt;b&gt;\n\n"), "{text}");
    }

    /// Guards what [`offer`] asks for: the scope, and that there is something to end.
    #[test]
    fn what_may_be_done_stands_at_the_last_step_for_who_may() {
        let acts = |state: &str, may: bool| {
            let story = told(&delivery(state, &[refused()]), may);
            let acts = story.last().unwrap().acts.iter().map(|act| act.action.clone());
            acts.collect::<Vec<_>>()
        };
        assert_eq!(acts("pending", true), ["/deliveries/dlv_1/retry", "/deliveries/dlv_1/discard"]);
        assert_eq!(acts("dead", true), ["/deliveries/dlv_1/retry"]);
        assert!(acts("pending", false).is_empty());
    }

    /// Guards the skipping in [`steps`].
    #[test]
    fn of_many_attempts_the_newest_are_shown() {
        let story = told(&delivery("dead", &vec![refused(); 30]), false);
        assert_eq!(story.len(), 20);
        let first: Vec<&str> = story[0].lines.iter().map(|line| line.0.as_str()).collect();
        assert!(first.contains(&"Behind 10 earlier attempts that the page leaves out."));
        assert!(trouble(&teller(false), &delivery("done", &[])).is_none());
    }
}
