//! What operators write into a query string or a body, checked.
//!
//! Every parameter that is not known or can't be read is refused by name, so that a misspelt filter
//! never selects everything.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;

use super::Problem;
use crate::event::Timestamp;
use crate::ids::{Id, Name};
use crate::route::Pattern;
use crate::store::{DeadFilter, EventFilter, Page, ReceiptFilter, State};

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 500;

/// Most ids in one replay.
const IDS_MAX: usize = 1000;

/// No event has a longer subject.
const SUBJECT_BYTES_MAX: usize = 255;

/// What the body of a replay must be.
const BODY: &str = r#"give either {"ids": [...]} or {"filter": {...}}"#;

const FILTERS: [&str; 6] = ["source", "type", "subject", "state", "after", "before"];
const RECEIPT_FILTERS: [&str; 4] = ["source", "state", "after", "before"];
const TIMES: [&str; 2] = ["after", "before"];
const DEAD_FILTERS: [&str; 3] = ["kind", "name", "reason"];
const PAGES: [&str; 2] = ["cursor", "limit"];

pub(super) fn bad(error: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, error.to_string())
}

/// Why a body can't be read, and where.
pub(super) fn unread(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let place = format!("line {}, column {}", error.line(), error.column());
    let behind = format!(" at line {} column {}", error.line(), error.column());
    let reason = text.strip_suffix(&behind).unwrap_or(&text);
    let what = if error.is_data() { "the body is wrong" } else { "the body is not JSON" };
    bad(format!("{what} at {place}: {reason}"))
}

/// The parameters of a query string.
struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Those of a request, each once and each of a name that is known.
    fn of(parts: &Parts, known: &[&str]) -> Result<Self, Problem> {
        let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let pairs = query.map_err(|_| bad("the query string is not valid"))?.0;
        for (number, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = known.join("`, `");
                return Err(bad(format!(
                    "`{name}` is not a parameter of this path; its parameters are `{known}`"
                )));
            }
            if pairs[..number].iter().any(|(other, _)| other == name) {
                return Err(bad(format!("`{name}` appears twice")));
            }
        }
        Ok(Self(pairs))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, which must be such a thing.
    fn value<T: FromStr>(&self, name: &str, thing: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = |_| bad(format!("`{name}` must be {thing}, not `{text}`"));
        text.parse().map(Some).map_err(wrong)
    }

    fn page(&self) -> Result<Page, Problem> {
        let cursor = self.value("cursor", "the `next` of the previous page")?;
        let thing = format!("a number from 1 to {LIMIT_MAX}");
        let limit = self.value("limit", &thing)?.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(bad(format!("`limit` must be {thing}, not `{limit}`")));
        }
        Ok(Page { cursor, limit })
    }

    fn filter(&self) -> Result<EventFilter, Problem> {
        Ok(EventFilter {
            source: self.name("source")?,
            event_type: self.value("type", "an event type such as payment.failed or payment.*")?,
            subject: self.text("subject").map(str::to_owned),
            state: self.state()?,
            after: self.time("after")?,
            before: self.time("before")?,
        })
    }

    fn receipts(&self) -> Result<ReceiptFilter, Problem> {
        Ok(ReceiptFilter {
            source: self.name("source")?,
            state: self.state()?,
            after: self.time("after")?,
            before: self.time("before")?,
        })
    }

    fn dead(&self) -> Result<DeadFilter, Problem> {
        Ok(DeadFilter {
            kind: self.value("kind", "parse, run or delivery")?,
            name: self.name("name")?,
            reason: self.text("reason").map(str::to_owned),
        })
    }

    fn name(&self, name: &str) -> Result<Option<Name>, Problem> {
        let thing =
            "a name: 1 to 63 characters out of a-z, 0-9 and -, beginning with a letter or digit";
        self.value(name, thing)
    }

    fn state(&self) -> Result<Option<State>, Problem> {
        self.value("state", "pending, done or dead")
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        self.value(name, "a time such as 2026-11-22T03:00:00Z")
    }
}

/// Which dead letters, and which part of the list.
pub(super) struct DeadQuery(pub(super) DeadFilter, pub(super) Page);

impl<S: Sync> FromRequestParts<S> for DeadQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(parts, &[&DEAD_FILTERS[..], &PAGES[..]].concat())?;
        Ok(Self(pairs.dead()?, pairs.page()?))
    }
}

/// Which events, and which part of the list.
pub(super) struct ListQuery(pub(super) EventFilter, pub(super) Page);

impl<S: Sync> FromRequestParts<S> for ListQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(parts, &[&FILTERS[..], &PAGES[..]].concat())?;
        Ok(Self(pairs.filter()?, pairs.page()?))
    }
}

/// From when on, and until when.
pub(super) struct TimesQuery(pub(super) Option<Timestamp>, pub(super) Option<Timestamp>);

impl<S: Sync> FromRequestParts<S> for TimesQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(parts, &TIMES)?;
        Ok(Self(pairs.time("after")?, pairs.time("before")?))
    }
}

/// Which receipts, and which part of the list.
pub(super) struct ReceiptsQuery(pub(super) ReceiptFilter, pub(super) Page);

impl<S: Sync> FromRequestParts<S> for ReceiptsQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(parts, &[&RECEIPT_FILTERS[..], &PAGES[..]].concat())?;
        Ok(Self(pairs.receipts()?, pairs.page()?))
    }
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

impl ReplayBody {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        if body.is_empty() {
            return Err(bad(format!("the body is empty: {BODY}")));
        }
        let raw: RawReplay = serde_json::from_slice(body).map_err(|error| unread(&error))?;
        match (raw.ids, raw.filter) {
            (Some(ids), None) if (1..=IDS_MAX).contains(&ids.len()) => Ok(Self::Ids(ids)),
            (Some(_), None) => Err(bad(format!("`ids` must have 1 to {IDS_MAX} ids"))),
            (None, Some(raw)) => {
                let RawFilter { source, event_type, subject, state, after, before } = raw;
                let said = [
                    source.is_some(),
                    event_type.is_some(),
                    subject.is_some(),
                    state.is_some(),
                    after.is_some(),
                    before.is_some(),
                ];
                if !said.contains(&true) {
                    return Err(bad(
                        "an empty filter would replay everything: give `ids`, or a `filter` with \
                         at least one condition",
                    ));
                }
                // A filter is kept for as long as its replay.
                if subject.as_ref().is_some_and(|subject| subject.len() > SUBJECT_BYTES_MAX) {
                    return Err(bad(format!(
                        "`subject` must have at most {SUBJECT_BYTES_MAX} bytes, as every subject"
                    )));
                }
                Ok(Self::Filter(EventFilter { source, event_type, subject, state, after, before }))
            }
            _ => Err(bad(BODY)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(body: &str, expected: &str) {
        let problem = ReplayBody::parse(body.as_bytes()).err();
        assert_eq!(problem.map(|problem| problem.error).as_deref(), Some(expected), "{body}");
    }

    #[test]
    fn what_is_wrong_with_a_body_is_said_with_its_place() {
        refused("", r#"the body is empty: give either {"ids": [...]} or {"filter": {...}}"#);
        refused("nope", "the body is not JSON at line 1, column 2: expected ident");
        let longer = format!(r#"{{"filter":{{"subject":"{}"}}}}"#, "x".repeat(256));
        refused(&longer, "`subject` must have at most 255 bytes, as every subject");
        refused(
            r#"{"ids":["evt_1"]}"#,
            "the body is wrong at line 1, column 16: `evt_1` is not an id: an id is rcp_, evt_, \
             run_, dlv_ or rpl_, and then 18 letters and digits",
        );
    }
}
