//! What operators write into the body of a replay, checked.
//!
//! Never looks whether there is such an endpoint, or whose it is.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::bodies::{invalid, read};
use crate::admin::problem::{Kind, Problem};
use crate::admin::schema::Schemas;
use crate::event::Timestamp;
use crate::failure::Reason;
use crate::ids::{Id, IdKind, Name};
use crate::route::Pattern;
use crate::store::{EventFilter, ReplayFilter, State, WorkKind};
use crate::tenant::Tenant;

/// Most ids in one replay.
const IDS_MAX: usize = 1000;

/// No event has a longer subject.
const SUBJECT_BYTES_MAX: usize = 255;

/// The fastest that a replay with a rate goes, in works a second.
const RATE_MAX: u32 = 1_000_000;

/// What the body of a replay must be.
const REPLAY: &str = r#"give either {"ids": [...]} or {"filter": {...}}"#;

fn filter(schemas: &mut Schemas) -> Value {
    let name = schemas.of::<Name>();
    let time = schemas.of::<Timestamp>();
    json!({
        "type": "object",
        "description": "Conditions, of which all must hold; at least one.",
        "minProperties": 1,
        "additionalProperties": false,
        "properties": {
            "source": name,
            "type": schemas.of::<Pattern>(),
            "subject": { "type": "string", "maxLength": SUBJECT_BYTES_MAX },
            "tenant": schemas.of::<Tenant>(),
            "state": schemas.of::<State>(),
            "after": time,
            "before": time,
            "endpoint": {
                "type": "string",
                "description": "An endpoint, by its id or by the name that deliveries have: then \
                                only its deliveries match.",
            },
            "reason": schemas.of::<Reason>(),
            "kind": schemas.of::<WorkKind>(),
        },
    })
}

/// The body of the short form.
pub(super) fn replay(schemas: &mut Schemas) -> Value {
    let id = json!({ "type": "string", "pattern": "^(rcp|evt|run|dlv)_[0-9a-hjkmnp-tv-z]{18}$" });
    let filter = filter(schemas);
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

/// The body of a replay by filter.
pub(super) fn bulk(schemas: &mut Schemas) -> Value {
    let mut rate = json!({ "type": "integer", "minimum": 1, "maximum": RATE_MAX });
    rate["description"] = "Works a second, at most.".into();
    json!({
        "type": "object",
        "required": ["filter"],
        "additionalProperties": false,
        "properties": {
            "filter": filter(schemas),
            "rate": rate,
            "preview": {
                "type": "boolean",
                "default": false,
                "description": "Whether only to say what it would come to.",
            },
        },
    })
}

/// What to replay: `{"ids": [...]}` or `{"filter": {...}}`.
pub(super) enum ReplayBody {
    Ids(Vec<Id>),
    Filter(Draft),
}

/// A replay by filter: `{"filter": {...}, "rate": 500, "preview": false}`.
pub(super) struct Bulk {
    pub(super) draft: Draft,
    pub(super) rate: Option<u32>,
    pub(super) preview: bool,
}

/// A filter whose endpoint nobody has looked for.
pub(super) struct Draft {
    pub(super) filter: ReplayFilter,
    pub(super) endpoint: Option<Endpoint>,
}

/// An endpoint, as somebody named it.
pub(super) enum Endpoint {
    Id(Id),
    Name(Name),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReplay {
    ids: Option<Vec<Id>>,
    filter: Option<RawFilter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBulk {
    filter: RawFilter,
    rate: Option<u32>,
    #[serde(default)]
    preview: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFilter {
    source: Option<Name>,
    #[serde(rename = "type")]
    event_type: Option<Pattern>,
    subject: Option<String>,
    tenant: Option<Tenant>,
    state: Option<State>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
    endpoint: Option<String>,
    reason: Option<Reason>,
    kind: Option<String>,
}

/// What may not be empty is.
fn checked_length(body: &[u8], wanted: &str) -> Result<(), Problem> {
    match body {
        [] => Err(Problem::new(Kind::MalformedBody, format!("the body is empty: {wanted}"))),
        _ => Ok(()),
    }
}

impl ReplayBody {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        checked_length(body, REPLAY)?;
        let raw: RawReplay = read(body)?;
        match (raw.ids, raw.filter) {
            (Some(ids), None) if (1..=IDS_MAX).contains(&ids.len()) => Ok(Self::Ids(ids)),
            (Some(_), None) => Err(invalid(format!("`ids` must have 1 to {IDS_MAX} ids"))),
            (None, Some(raw)) => raw.checked().map(Self::Filter),
            _ => Err(invalid(REPLAY)),
        }
    }
}

impl Bulk {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        checked_length(body, r#"give {"filter": {...}}"#)?;
        let RawBulk { filter, rate, preview } = read(body)?;
        if rate.is_some_and(|rate| !(1..=RATE_MAX).contains(&rate)) {
            return Err(invalid(format!("`rate` must be 1 to {RATE_MAX} works a second")));
        }
        Ok(Self { draft: filter.checked()?, rate, preview })
    }
}

impl RawFilter {
    /// The filter, if it says which works and is short enough to be kept.
    fn checked(self) -> Result<Draft, Problem> {
        let Self { source, event_type, subject, tenant, state, after, before, .. } = self;
        let any = EventFilter::default();
        let events =
            EventFilter { source, event_type, subject, state, after, before, tenant, ..any };
        let kind = self.kind.map(|kind| kind.parse::<WorkKind>()).transpose();
        let kind = kind.map_err(|error| invalid(format!("`kind`: {error}")))?;
        let endpoint = self.endpoint.as_deref().map(endpoint).transpose()?;
        let mut filter = ReplayFilter { events, endpoint: None, reason: self.reason, kind };
        if endpoint.is_none() && filter == ReplayFilter::default() {
            return Err(invalid(
                "an empty filter would replay everything: give `ids`, or a `filter` with at least \
                 one condition",
            ));
        }
        // A filter is kept for as long as its replay.
        if filter.events.subject.as_ref().is_some_and(|it| it.len() > SUBJECT_BYTES_MAX) {
            return Err(invalid(format!(
                "`subject` must have at most {SUBJECT_BYTES_MAX} bytes, as every subject"
            )));
        }
        if endpoint.is_some() && kind.is_some_and(|kind| kind != WorkKind::Delivery) {
            return Err(invalid("an endpoint has deliveries alone: `kind` must be delivery"));
        }
        if filter.reason.is_some() {
            if !matches!(filter.events.state, None | Some(State::Dead)) {
                return Err(invalid("only what is dead has a reason: `state` must be dead"));
            }
            filter.events.state = Some(State::Dead);
        }
        let EventFilter { event_type, subject, tenant, .. } = &filter.events;
        let is_of_events = event_type.is_some() || subject.is_some() || tenant.is_some();
        if kind == Some(WorkKind::Parse) && is_of_events {
            return Err(invalid(
                "a parse has no event: `type`, `subject` and `tenant` can't be said of it",
            ));
        }
        Ok(Draft { filter, endpoint })
    }
}

/// The endpoint that a text names.
fn endpoint(text: &str) -> Result<Endpoint, Problem> {
    if let Ok(id) = text.parse::<Id>() {
        return match id.kind {
            IdKind::Endpoint => Ok(Endpoint::Id(id)),
            _ => Err(invalid(format!("`endpoint`: `{id}` is not the id of an endpoint"))),
        };
    }
    let name = text.parse::<Name>().map(Endpoint::Name);
    name.map_err(|error| invalid(format!("`endpoint` must be an id (ep_...) or a name: {error}")))
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
    fn conditions_that_no_work_can_meet_are_refused() {
        for (filter, expected) in [
            (
                r#"{"reason":"endpoint_tls","state":"done"}"#,
                "only what is dead has a reason: `state` must be dead",
            ),
            (
                r#"{"endpoint":"crm","kind":"run"}"#,
                "an endpoint has deliveries alone: `kind` must be delivery",
            ),
            (
                r#"{"kind":"parse","subject":"pi_1"}"#,
                "a parse has no event: `type`, `subject` and `tenant` can't be said of it",
            ),
            (r#"{"kind":"all"}"#, "`kind`: `all` is not parse, run or delivery"),
        ] {
            refused(&format!(r#"{{"filter":{filter}}}"#), Kind::InvalidBody, expected);
        }
        for rate in ["0", "1000001"] {
            let body = format!(r#"{{"filter":{{"kind":"run"}},"rate":{rate}}}"#);
            let problem = Bulk::parse(body.as_bytes()).err().expect("it is refused");
            assert_eq!(problem.detail(), "`rate` must be 1 to 1000000 works a second");
        }
    }

    #[test]
    fn a_reason_is_asked_of_the_dead() {
        let body = br#"{"filter":{"reason":"endpoint_tls","endpoint":"crm"},"rate":5}"#;
        let Ok(Bulk { draft, rate, preview }) = Bulk::parse(body) else { panic!("it is refused") };
        assert_eq!((rate, preview), (Some(5), false));
        assert_eq!(draft.filter.events.state, Some(State::Dead));
        assert_eq!(draft.endpoint.map(|it| it.to_string()).as_deref(), Some("crm"));
    }
}
