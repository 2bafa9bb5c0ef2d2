//! What operators write into the body of a request, checked.
//!
//! A member that is not known is refused by name, as everything that can't be read is: with its
//! line and column. Never looks at a query string.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::operation::Body;
use super::problem::{Kind, Problem};
use super::schema::Schemas;
use crate::event::Timestamp;
use crate::ids::{Id, Name};
use crate::route::Pattern;
use crate::store::{EventFilter, State};

/// Most ids in one replay.
const IDS_MAX: usize = 1000;

/// No event has a longer subject.
const SUBJECT_BYTES_MAX: usize = 255;

/// What the body of a replay must be.
const REPLAY: &str = r#"give either {"ids": [...]} or {"filter": {...}}"#;

/// The body of a replay.
pub(super) const REPLAY_BODY: Body = Body { is_required: true, schema: replay };

/// No body, or one that says nothing.
pub(super) const NO_BODY: Body = Body { is_required: false, schema: nothing };

fn nothing(_: &mut Schemas) -> Value {
    json!({ "type": ["object", "null"], "additionalProperties": false })
}

fn replay(schemas: &mut Schemas) -> Value {
    let id = json!({ "type": "string", "pattern": "^(rcp|evt|run|dlv)_[0-9a-hjkmnp-tv-z]{18}$" });
    let name = schemas.of::<Name>();
    let pattern = schemas.of::<Pattern>();
    let state = schemas.of::<State>();
    let time = schemas.of::<Timestamp>();
    let filter = json!({
        "type": "object",
        "description": "The conditions of the list of events; at least one.",
        "minProperties": 1,
        "additionalProperties": false,
        "properties": {
            "source": name,
            "type": pattern,
            "subject": { "type": "string", "maxLength": SUBJECT_BYTES_MAX },
            "state": state,
            "after": time,
            "before": time,
        },
    });
    json!({
        "oneOf": [
            {
                "type": "object",
                "required": ["ids"],
                "additionalProperties": false,
                "properties": {
                    "ids": {
                        "type": "array", "minItems": 1, "maxItems": IDS_MAX, "items": id,
                        "description": "Receipts to parse again, events whose runs and deliveries \
                                        to do again, and single runs and deliveries.",
                    },
                },
            },
            {
                "type": "object",
                "required": ["filter"],
                "additionalProperties": false,
                "properties": { "filter": filter },
            },
        ],
    })
}

/// What to replay: `{"ids": [...]}` or `{"filter": {...}}`.
pub(super) enum ReplayBody {
    Ids(Vec<Id>),
    Filter(EventFilter),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReplay {
    ids: Option<Vec<Id>>,
    filter: Option<RawFilter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFilter {
    source: Option<Name>,
    #[serde(rename = "type")]
    event_type: Option<Pattern>,
    subject: Option<String>,
    state: Option<State>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

/// A body that says nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A body that can be read, and is not what it must be.
pub(super) fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(Kind::InvalidBody, detail)
}

/// What a body says.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // serde also takes the members of an object in their order, without their names.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(invalid("the body must be a JSON object, and not an array"));
    }
    serde_json::from_slice(body).map_err(|error| unread(&error))
}

/// Why a body can't be read, and where.
fn unread(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let (line, column) = (error.line(), error.column());
    let behind = format!(" at line {line} column {column}");
    let reason = text.strip_suffix(&behind).unwrap_or(&text);
    let (kind, what) = if error.is_data() {
        (Kind::InvalidBody, "the body is wrong")
    } else {
        (Kind::MalformedBody, "the body is not JSON")
    };
    let detail = format!("{what} at line {line}, column {column}: {reason}");
    Problem::new(kind, detail).with("line", line).with("column", column)
}

/// Checks that a body says nothing.
pub(super) fn check_empty(body: &[u8]) -> Result<(), Problem> {
    match body {
        [] => Ok(()),
        body => read::<Option<Nothing>>(body).map(drop),
    }
}

impl ReplayBody {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        if body.is_empty() {
            let detail = format!("the body is empty: {REPLAY}");
            return Err(Problem::new(Kind::MalformedBody, detail));
        }
        let raw: RawReplay = read(body)?;
        match (raw.ids, raw.filter) {
            (Some(ids), None) if (1..=IDS_MAX).contains(&ids.len()) => Ok(Self::Ids(ids)),
            (Some(_), None) => Err(invalid(format!("`ids` must have 1 to {IDS_MAX} ids"))),
            (None, Some(raw)) => raw.checked().map(Self::Filter),
            _ => Err(invalid(REPLAY)),
        }
    }
}

impl RawFilter {
    /// The filter, if it says which events and is short enough to be kept.
    fn checked(self) -> Result<EventFilter, Problem> {
        let Self { source, event_type, subject, state, after, before } = self;
        let tenant = None;
        let filter = EventFilter { source, event_type, subject, state, after, before, tenant };
        if filter == EventFilter::default() {
            return Err(invalid(
                "an empty filter would replay everything: give `ids`, or a `filter` with at least \
                 one condition",
            ));
        }
        // A filter is kept for as long as its replay.
        if filter.subject.as_ref().is_some_and(|subject| subject.len() > SUBJECT_BYTES_MAX) {
            return Err(invalid(format!(
                "`subject` must have at most {SUBJECT_BYTES_MAX} bytes, as every subject"
            )));
        }
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(body: &str, kind: Kind, expected: &str) {
        let problem = ReplayBody::parse(body.as_bytes()).err().expect("it is refused");
        assert_eq!((problem.kind(), problem.detail()), (kind, expected), "{body}");
    }

    #[test]
    fn what_is_wrong_with_a_body_is_said_with_its_place() {
        let (malformed, invalid) = (Kind::MalformedBody, Kind::InvalidBody);
        let empty = r#"the body is empty: give either {"ids": [...]} or {"filter": {...}}"#;
        refused("", malformed, empty);
        refused("nope", malformed, "the body is not JSON at line 1, column 2: expected ident");
        let longer = format!(r#"{{"filter":{{"subject":"{}"}}}}"#, "x".repeat(256));
        refused(&longer, invalid, "`subject` must have at most 255 bytes, as every subject");
        refused(
            r#"{"ids":["evt_1"]}"#,
            invalid,
            "the body is wrong at line 1, column 16: `evt_1` is not an id: an id is rcp_, evt_, \
             run_, dlv_, rpl_ or ep_, and then 18 letters and digits",
        );
    }

    #[test]
    fn a_body_that_says_nothing_has_no_member() {
        for empty in ["", "null", "{}", " {} "] {
            assert!(check_empty(empty.as_bytes()).is_ok(), "{empty}");
        }
        for full in [r#"{"plugin":"stripe"}"#, "[]", "1", "{"] {
            assert!(check_empty(full.as_bytes()).is_err(), "{full}");
        }
    }
}
