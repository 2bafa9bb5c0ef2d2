//! A story: what happened one step behind the other, and what may be done at each.
//!
//! Steps of works stand in the order in which they happened, and what has not happened yet at the
//! end. Never knows what a step is about.

use std::time::Duration;

use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::{Visitor, figure};
use crate::event::Timestamp;
use crate::token::Scope;

/// Most bytes of a text in a sentence.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 10;
/// Most tries of one work. Of many works fewer are told, so that all of them together have about
/// [`STEPS_MAX`]: a log or an answer may stand at each.
const TRIES_MAX: usize = 20;
const TRIES_MIN: usize = 3;
const STEPS_MAX: usize = 200;
/// What is later than this has a time of its own in place of its distance from the beginning.
const NEAR: Duration = Duration::from_secs(60 * 60);

/// To whom a story is told, and when.
pub(super) struct Teller {
    pub(super) now: Timestamp,
    /// When the story begins.
    pub(super) begin: Timestamp,
    pub(super) may_replay: bool,
    pub(super) may_write: bool,
    /// Whether values of handlers' states may be seen.
    pub(super) sees_state: bool,
    /// Most tries of each work: the newest.
    pub(super) most: usize,
}

/// Something that happened, or is about to.
pub(super) struct Step {
    at: Option<Timestamp>,
    /// What links lead to, if any may.
    pub(super) anchor: Option<String>,
    /// The time, or how long behind the beginning.
    pub(super) when: String,
    /// The time in full.
    pub(super) exact: String,
    /// The class of its dot: how it ended. Empty if well.
    pub(super) dot: &'static str,
    pub(super) title: Markup,
    /// How long it took, or how far away it is.
    pub(super) beside: String,
    pub(super) lines: Vec<Markup>,
    /// The phases of an attempt.
    pub(super) track: Option<Markup>,
    /// What led to a failure, the outermost first.
    pub(super) causes: Vec<Markup>,
    /// What a plugin logged, and how much of that there is.
    pub(super) log: Vec<Markup>,
    pub(super) log_said: String,
    /// What was sent to an endpoint, and what it answered.
    pub(super) sent: Option<Markup>,
    pub(super) answer: Option<Markup>,
    pub(super) acts: Vec<Act>,
}

/// What may be done.
pub(super) struct Act {
    /// The path of the form, or of the page that comes before it.
    pub(super) action: String,
    pub(super) label: &'static str,
    /// Whether it says first what it touches, on a page of its own.
    pub(super) is_page: bool,
}

/// What is wrong: said before everything else.
pub(super) struct Trouble {
    /// A class: `bad` or `warn`.
    pub(super) class: &'static str,
    pub(super) said: Markup,
}

impl Teller {
    /// To this visitor.
    pub(super) fn of(visitor: &Visitor, begin: Timestamp) -> Self {
        Self {
            now: visitor.now(),
            begin,
            may_replay: visitor.can(Scope::Replay),
            may_write: visitor.can(Scope::Write),
            sees_state: visitor.can(Scope::Admin) && visitor.is_operator(),
            most: TRIES_MAX,
        }
    }

    /// The same, of a story with this number of works.
    #[must_use]
    pub(super) fn of_works(self, works: usize) -> Self {
        Self { most: (STEPS_MAX / works.max(1)).clamp(TRIES_MIN, TRIES_MAX), ..self }
    }

    /// What happened at this time.
    pub(super) fn step(&self, at: Timestamp, mood: Mood, title: Markup) -> Step {
        let dot = if mood == Mood::Ok { "" } else { mood.class() };
        let (when, exact) = (shown(self.begin, at), at.to_string());
        Step { at: Some(at), when, exact, ..Step::blank(dot, title) }
    }

    /// What has not happened yet, and when it will.
    pub(super) fn waiting(&self, title: Markup, until: Option<Timestamp>) -> Step {
        let beside = match until {
            Some(until) if until > self.now => figure::distance(self.now, until),
            _ => "now".to_owned(),
        };
        Step { beside, ..Step::blank("wait", title) }
    }
}

impl Step {
    fn blank(dot: &'static str, title: Markup) -> Self {
        Self {
            at: None,
            anchor: None,
            when: String::new(),
            exact: String::new(),
            dot,
            title,
            beside: String::new(),
            lines: Vec::new(),
            track: None,
            causes: Vec::new(),
            log: Vec::new(),
            log_said: String::new(),
            sent: None,
            answer: None,
            acts: Vec::new(),
        }
    }

    /// One of which nobody knows any more when it happened: it stands at the end.
    pub(super) fn undated(mood: Mood, title: Markup) -> Self {
        Self::blank(mood.class(), title)
    }

    /// Adds a sentence of the gateway's own.
    pub(super) fn say(&mut self, said: &str) {
        self.lines.push(markup::text(said));
    }

    /// Adds why it failed: the reason, and the same in words.
    pub(super) fn fail(&mut self, reason: Option<&str>, detail: Option<&str>) {
        let reason = reason.map(|reason| reason.replace('_', " "));
        let pieces = [
            reason.map(|reason| markup::pill(Mood::Bad, &reason)),
            detail.map(|_| markup::text(" ")),
            detail.map(|detail| markup::sentence(detail, TEXT_BYTES_MAX)),
        ];
        self.lines.push(markup::joined(pieces.into_iter().flatten()));
    }

    /// Offers something.
    pub(super) fn offer(&mut self, action: String, label: &'static str, is_page: bool) {
        self.acts.push(Act { action, label, is_page });
    }
}

/// In the order in which it happened; what has not happened stands at the end.
pub(super) fn in_order(mut steps: Vec<Step>) -> Vec<Step> {
    steps.sort_by_key(|step| step.at.unwrap_or(Timestamp::MAX));
    steps
}

/// A time in a story that begins at another: `17:42:08.214`, `+3 ms`, `+5.1 s`, or with its day.
fn shown(begin: Timestamp, at: Timestamp) -> String {
    let since = at.since(begin);
    let text = at.to_string();
    match at.0.checked_sub(begin.0) {
        Some(1..1_000) => format!("+{} ms", since.as_millis()),
        Some(1_000..) if since < Duration::from_secs(60) => {
            format!("+{:.1} s", since.as_secs_f64())
        }
        Some(1_000..) if since < NEAR => format!("+{}", figure::span(since)),
        Some(1_000..) => text.get(5..16).unwrap_or_default().replace('T', " "),
        _ => text.get(11..23).unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn teller(begin: Timestamp) -> Teller {
        let (may_replay, may_write, sees_state) = (true, true, true);
        Teller { now: begin, begin, may_replay, may_write, sees_state, most: TRIES_MAX }
    }

    /// Guards the bound of a page: each step may have a long answer or log.
    #[test]
    fn of_many_works_fewer_tries_are_told() {
        let most = |works| teller(Timestamp(0)).of_works(works).most;
        assert_eq!([0, 1, 10, 40, 100].map(most), [20, 20, 20, 5, 3]);
    }

    #[test]
    fn a_time_is_said_as_far_as_it_is_from_the_beginning() {
        let begin = Timestamp(1_700_000_000_214);
        let shown = [0, 3, 5_120, 240_000, 90_000_000].map(|ms| {
            let at = Timestamp(begin.0 + ms);
            shown(begin, at)
        });
        assert_eq!(shown, ["22:13:20.214", "+3 ms", "+5.1 s", "+4 min", "11-15 23:13"]);
        let before = Timestamp(begin.0 - 14);
        assert_eq!(super::shown(begin, before), "22:13:20.200");
    }

    /// Guards the sorting: a try that came later stands below, whatever work it is of.
    #[test]
    fn what_happened_first_stands_above_and_what_waits_at_the_end() {
        let begin = Timestamp(1_700_000_000_000);
        let teller = teller(begin);
        let step = |ms| teller.step(Timestamp(begin.0 + ms), Mood::Ok, markup::text("x"));
        let waits = teller.waiting(markup::text("x"), None);
        let order: Vec<_> = in_order(vec![waits, step(9), step(2)]);
        let order: Vec<_> = order.iter().map(|step| (step.when.as_str(), step.dot)).collect();
        assert_eq!(order, [("+2 ms", ""), ("+9 ms", ""), ("", "wait")]);
    }
}
