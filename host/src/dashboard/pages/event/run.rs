//! The tries of a plugin in a story: parses of a receipt, and runs of handlers.
//!
//! What a try emitted, sent and logged is a link or cut. Never shows a value of the state.

use super::story::{Step, TEXT_BYTES_MAX, Teller, Trouble};
use super::view::{Alert, LogLine, Run, Try};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::{figure, link};

/// Most links, alerts, or keys of one try.
const MANY: usize = 20;
/// Most lines of a log.
const LOG_LINES_MAX: usize = 100;
/// Most bytes of a key of the state.
const KEY_BYTES_MAX: usize = 128;

/// What the tries of a work are called, and where they stand.
pub(super) struct Tried<'t> {
    /// Such as `Run by`.
    pub(super) verb: &'static str,
    /// The handler, or the plugin of the source.
    pub(super) name: &'t str,
    /// The id of the work.
    pub(super) id: &'t str,
    pub(super) tries: &'t [Try],
    pub(super) is_damaged: bool,
}

/// The steps of a run.
pub(super) fn steps(teller: &Teller, run: &Run, story: &mut Vec<Step>) {
    let tried = Tried {
        verb: "Run by",
        name: &run.handler,
        id: &run.id,
        tries: &run.tries,
        is_damaged: run.damaged_at.is_some(),
    };
    let mut steps = tried_steps(teller, &tried);
    let wrote = run.state == "done" && run.tries.iter().any(|it| !it.state_keys.is_empty());
    if let Some(last) = steps.last_mut().filter(|_| wrote && teller.sees_state) {
        let place = format!("{}/state", link::below("/runs", &run.id));
        last.lines.push(markup::link(&place, "State before and after"));
    }
    let again = teller.may_replay.then(|| format!("{}/replay", link::below("/runs", &run.id)));
    if run.state == "pending" {
        let title = title("Waiting for", &run.handler, None);
        let mut step = teller.waiting(title, run.retry_at);
        step.anchor = run.tries.is_empty().then(|| run.id.clone());
        steps.push(step);
    } else if steps.is_empty() {
        let title = title("Run by", &run.handler, None);
        let mut step = Step::undated(mood_of(&run.state), title);
        step.anchor = Some(run.id.clone());
        step.say("Its tries are not kept any more.");
        steps.push(step);
    }
    if let (Some(step), Some(again)) = (steps.last_mut(), again) {
        let label = if run.state == "pending" { "Try now" } else { "Run again" };
        step.offer(again, label, false);
    }
    story.append(&mut steps);
}

/// One step for each of the newest tries.
pub(super) fn tried_steps(teller: &Teller, tried: &Tried<'_>) -> Vec<Step> {
    let left = tried.tries.len().saturating_sub(teller.most);
    let shown = tried.tries.iter().enumerate().skip(left);
    let mut steps: Vec<Step> = shown.map(|(at, it)| step(teller, tried, (at + 1, it))).collect();
    if let Some(first) = steps.first_mut() {
        first.anchor = Some(tried.id.to_owned());
        if left > 0 {
            let many = figure::counted(left as u64, "earlier try", "earlier tries");
            first.say(&format!("Behind {many} that the page leaves out."));
        }
        if tried.is_damaged {
            first.say("What is older can't be read: its record is damaged.");
        }
    }
    steps
}

/// What is wrong with a run, if something is.
pub(super) fn trouble(teller: &Teller, run: &Run) -> Option<Trouble> {
    let last = run.tries.last().filter(|last| last.outcome != "success")?;
    let class = if run.state == "dead" { "bad" } else { "warn" };
    let next = match (run.state.as_str(), run.retry_at) {
        ("dead", _) => "The gateway does not try it again by itself.".to_owned(),
        (_, Some(at)) if at > teller.now => {
            format!("Next try {}.", figure::distance(teller.now, at))
        }
        _ => "The gateway tries it again.".to_owned(),
    };
    let reason = last.reason.as_deref().unwrap_or("it failed").replace('_', " ");
    let since = figure::distance(teller.now, last.at);
    let said = [
        markup::text("The run by "),
        markup::link(&format!("#{}", run.id), &run.handler),
        markup::text(&format!(" failed {since}: {reason}. {next}")),
    ];
    Some(Trouble { class, said: markup::joined(said) })
}

/// How a work in this state is, for its dot.
pub(super) fn mood_of(state: &str) -> Mood {
    match state {
        "dead" => Mood::Bad,
        "pending" => Mood::Warn,
        _ => Mood::Ok,
    }
}

/// `Run by dunning 1.4.2`.
fn title(verb: &str, name: &str, version: Option<&str>) -> Markup {
    let version = version.map(|version| markup::text(&format!(" {version}")));
    let name = markup::link(&link::below("/plugins", name), name);
    let pieces = [Some(markup::text(&format!("{verb} "))), Some(name), version];
    markup::joined(pieces.into_iter().flatten())
}

fn step(teller: &Teller, work: &Tried<'_>, (number, tried): (usize, &Try)) -> Step {
    let mood = match (tried.outcome.as_str(), tried.verdict.as_str()) {
        ("success", _) => Mood::Ok,
        (_, "retry") => Mood::Warn,
        _ => Mood::Bad,
    };
    let name = tried.plugin.as_ref().map_or(work.name, |plugin| plugin.name.as_str());
    let version = tried.plugin.as_ref().map(|plugin| plugin.version.as_str());
    let mut pieces = vec![title(work.verb, name, version)];
    if number > 1 {
        pieces.push(markup::text(&format!(", try {number}")));
    }
    if tried.verdict == "dead" {
        pieces.extend([markup::text(" "), markup::state("dead")]);
    }
    let mut step = teller.step(tried.at, mood, markup::joined(pieces));
    step.beside = figure::micros(tried.duration_us);
    if tried.plugin.is_none() {
        step.say("The plugin was not loaded.");
    }
    if tried.outcome != "success" {
        step.fail(tried.reason.as_deref(), tried.detail.as_deref());
    }
    effects(&mut step, tried);
    log(&mut step, &tried.log);
    step
}

/// What a try came to, with links.
fn effects(step: &mut Step, tried: &Try) {
    let event = |id: &String| markup::code_link(&link::below("/events", id), id);
    let parcel = |id: &String| markup::code_link(&link::below("/deliveries", id), id);
    let key = |key: &String| markup::long(key, KEY_BYTES_MAX);
    let lines = [
        listed("Added the events ", &tried.events, event),
        listed("Sent the deliveries ", &tried.parcels, parcel),
        listed("Changed its state: ", &tried.state_keys, key),
    ];
    step.lines.extend(lines.into_iter().flatten());
    for Alert { severity, message } in tried.alerts.iter().take(MANY) {
        let mood = match severity.as_str() {
            "info" => Mood::Info,
            "warning" | "warn" => Mood::Warn,
            _ => Mood::Bad,
        };
        let said = markup::long(message, TEXT_BYTES_MAX);
        let alert = [markup::pill(mood, &format!("alert: {severity}")), markup::text(" "), said];
        step.lines.push(markup::joined(alert));
    }
}

/// `Added the events a, b and 3 more`; nothing of none.
fn listed(verb: &str, all: &[String], shown: impl Fn(&String) -> Markup) -> Option<Markup> {
    if all.is_empty() {
        return None;
    }
    let mut pieces = vec![markup::text(verb)];
    for (at, one) in all.iter().take(MANY).enumerate() {
        if at > 0 {
            pieces.push(markup::text(", "));
        }
        pieces.push(shown(one));
    }
    let left = all.len().saturating_sub(MANY);
    if left > 0 {
        pieces.push(markup::text(&format!(" and {} more", figure::number(left as u64))));
    }
    Some(markup::joined(pieces))
}

fn log(step: &mut Step, log: &[LogLine]) {
    let shown = log.iter().take(LOG_LINES_MAX).map(|LogLine { level, message }| {
        let mood = match level.as_str() {
            "warn" => Mood::Warn,
            "error" => Mood::Bad,
            _ => Mood::Plain,
        };
        let said = markup::long(message, TEXT_BYTES_MAX);
        markup::joined([markup::pill(mood, level), markup::text(" "), said])
    });
    step.log = shown.collect();
    let lines = figure::counted(log.len() as u64, "line", "lines");
    step.log_said = match log.len() > LOG_LINES_MAX {
        true => format!("Log: the first {LOG_LINES_MAX} of {lines}"),
        false => format!("Log: {lines}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markup_of(line: Markup) -> String {
        line.0
    }

    /// Guards the bound of [`listed`]: a run may have added thousands of events.
    #[test]
    fn a_list_is_cut_and_says_how_many_are_left_out() {
        let all: Vec<String> = (0..25).map(|number| format!("e{number}")).collect();
        let line = listed("Added ", &all, |id| markup::text(id)).map(markup_of).unwrap();
        assert!(line.starts_with("Added e0, e1, ") && line.ends_with("e19 and 5 more"), "{line}");
        assert!(listed("Added ", &[], |id| markup::text(id)).is_none());
    }

    /// Guards the skipping of [`tried_steps`].
    #[test]
    fn of_many_tries_the_newest_are_shown() {
        let tried = |number: u64| {
            let at = crate::event::Timestamp(1_700_000_000_000 + number);
            serde_json::json!({
                "at": at, "duration_us": 10, "plugin": null, "outcome": "transient",
                "verdict": "retry", "reason": "plugin_failed", "detail": "<b>", "log": [],
                "alerts": [], "events": [], "parcels": [],
            })
        };
        let tries: Vec<Try> =
            (0..30).map(|number| serde_json::from_value(tried(number)).unwrap()).collect();
        let begin = crate::event::Timestamp(1_700_000_000_000);
        let (may_replay, may_write, sees_state) = (false, false, false);
        let teller = Teller { now: begin, begin, may_replay, may_write, sees_state, most: 20 };
        let (verb, name, id) = ("Run by", "dunning", "run_1");
        let steps =
            tried_steps(&teller, &Tried { verb, name, id, tries: &tries, is_damaged: false });
        assert_eq!((steps.len(), steps[0].when.as_str()), (20, "+10 ms"));
        let lines = steps.into_iter().next().unwrap().lines;
        let said: Vec<String> = lines.into_iter().map(markup_of).collect();
        assert!(said.iter().any(|line| line.contains("10 earlier tries")), "{said:?}");
        assert!(said.iter().all(|line| !line.contains("<b>")), "{said:?}");
    }
}
