//! What the last rehearsals of a plugin have found: a sentence for each role, and what differs.
//!
//! Reads `/v1/rehearsals`, and the newest of the plugin each with its reports. Of a report only the
//! beginning is shown: the command line has all of it. Never begins one.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Digest;
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::{Visitor, figure, link};
use crate::event::Timestamp;
use crate::token::Scope;

/// Most rehearsals that are shown: each is one more question.
const SHOWN_MAX: usize = 3;
/// Most groups of a report that are shown.
const GROUPS_MAX: usize = 5;
/// How much of a text is shown, in bytes.
const TEXT_BYTES: usize = 120;

#[derive(Deserialize)]
struct List {
    items: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    plugin: String,
    began: Timestamp,
    state: String,
    done: u64,
    of: u64,
    reason: Option<String>,
    #[serde(default)]
    reports: Vec<Report>,
}

#[derive(Deserialize)]
struct Report {
    version: String,
    digest: String,
    role: String,
    compared: u64,
    equal: u64,
    differing: u64,
    not_compared: BTreeMap<String, u64>,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    kind: String,
    field: String,
    count: u64,
    samples: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    id: String,
    event: Option<String>,
    recorded: String,
    now: String,
}

/// A rehearsal as a page shows it.
pub(super) struct Rehearsal {
    pub(super) state: Markup,
    pub(super) began: Markup,
    /// Why it failed, or how far it is.
    pub(super) said: Option<Markup>,
    pub(super) roles: Vec<Role>,
}

/// What it found in one role of the plugin.
pub(super) struct Role {
    pub(super) said: String,
    pub(super) version: String,
    pub(super) digest: Digest,
    pub(super) groups: Vec<Difference>,
    /// How many more kinds of difference there are, if any.
    pub(super) left: Option<String>,
}

/// Differences of one kind.
pub(super) struct Difference {
    pub(super) count: String,
    pub(super) kind: String,
    pub(super) field: Markup,
    /// The oldest of them.
    pub(super) example: Option<Example>,
}

/// One difference.
pub(super) struct Example {
    /// The receipt or the run that has it.
    pub(super) of: Markup,
    pub(super) recorded: Markup,
    pub(super) now: Markup,
}

/// The newest of a plugin; none for whoever may not see them.
pub(super) async fn of(visitor: &Visitor, plugin: &str) -> Vec<Rehearsal> {
    if !visitor.can(Scope::Admin) || !visitor.is_operator() {
        return Vec::new();
    }
    let Ok(List { items }) = visitor.get("/v1/rehearsals").await else { return Vec::new() };
    let mut shown = Vec::new();
    for row in items.iter().filter(|row| row.plugin == plugin).take(SHOWN_MAX) {
        // One may have gone since.
        if let Ok(row) = visitor.get::<Row>(&link::below("/v1/rehearsals", &row.id)).await {
            shown.push(row.shown(visitor.now()));
        }
    }
    shown
}

impl Row {
    fn shown(self, now: Timestamp) -> Rehearsal {
        let said = match (&*self.state, &self.reason) {
            (_, Some(reason)) => Some(markup::long(reason, 4 * TEXT_BYTES)),
            ("running", None) => {
                let share = figure::share(self.done, self.of);
                Some(markup::text(&format!("It has passed {share} of what is stored.")))
            }
            _ => None,
        };
        Rehearsal {
            state: state(&self.state),
            began: markup::when(now, self.began),
            said,
            roles: self.reports.into_iter().map(Report::shown).collect(),
        }
    }
}

fn state(state: &str) -> Markup {
    match state {
        "running" => markup::pill(Mood::Info, "Runs"),
        "done" => markup::pill(Mood::Ok, "Done"),
        "failed" => markup::pill(Mood::Bad, "Failed"),
        "canceled" => markup::pill(Mood::Plain, "Ended by an operator"),
        other => markup::pill(Mood::Plain, other),
    }
}

impl Report {
    fn shown(self) -> Role {
        let missed: u64 = self.not_compared.values().sum();
        let (one, many) = match &*self.role {
            "provider" => ("request", "requests"),
            _ => ("run", "runs"),
        };
        let all = figure::counted(self.compared + missed, one, many);
        let [equal, differing, missed] = [self.equal, self.differing, missed].map(figure::number);
        let left = self.groups.len().saturating_sub(GROUPS_MAX) as u64;
        Role {
            said: format!(
                "As a {}, over {all}: {equal} equal, {differing} differ, {missed} not compared.",
                self.role
            ),
            version: self.version,
            digest: Digest::of(&self.digest),
            groups: self.groups.iter().take(GROUPS_MAX).map(Group::shown).collect(),
            left: (left > 0).then(|| figure::counted(left, "more kind", "more kinds")),
        }
    }
}

impl Group {
    fn shown(&self) -> Difference {
        let example = self.samples.first().map(|sample| {
            let Sample { id, event, recorded, now } = sample;
            let place = match event {
                Some(event) => link::below("/events", event),
                None => link::below("/receipts", id),
            };
            let value = |text: &str| markup::long(text, TEXT_BYTES);
            Example {
                of: markup::code_link(&place, id),
                recorded: value(recorded),
                now: value(now),
            }
        });
        Difference {
            count: figure::number(self.count),
            kind: self.kind.replace('_', " "),
            field: markup::long(&self.field, TEXT_BYTES),
            example,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Guards the bounds of what is shown, and that no value of a payload is markup.
    #[test]
    fn a_report_is_a_sentence_and_its_first_differences() {
        let group = |count: u64| {
            json!({
                "kind": "effect_field", "field": "notice data.<b>", "count": count,
                "samples": [{ "id": "run_1", "event": "evt_1", "recorded": "<i>", "now": "4" }],
            })
        };
        let groups: Vec<_> = (0..GROUPS_MAX as u64 + 2).map(group).collect();
        let row: Row = serde_json::from_value(json!({
            "id": "rhs_1", "plugin": "dunning", "began": "2026-12-01T10:00:00Z", "state": "done",
            "done": 9, "of": 9, "memory_limit_bytes": 1,
            "reports": [{
                "plugin": "dunning", "version": "1.5.0", "digest": "3f9a", "role": "handler",
                "compared": 1_999, "equal": 1_998, "differing": 1, "memory_bytes": 1,
                "not_compared": { "unknown_state": 1 }, "groups": groups,
            }],
        }))
        .unwrap();
        let shown = row.shown(Timestamp(1_800_000_000_000));
        let [role] = &shown.roles[..] else { panic!("one role") };
        let expected = "As a handler, over 2,000 runs: 1,998 equal, 1 differ, 1 not compared.";
        assert_eq!((role.said.as_str(), shown.said.is_none()), (expected, true));
        assert_eq!((role.groups.len(), role.left.as_deref()), (GROUPS_MAX, Some("2 more kinds")));
        let first = &role.groups[0];
        let Example { of, recorded, .. } = first.example.as_ref().unwrap();
        assert!(of.0.contains("/events/evt_1"), "{}", of.0);
        assert!(!recorded.0.contains("<i>") && !first.field.0.contains("<b>"));
    }
}
