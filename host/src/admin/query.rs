//! What operators write into a query string or a body, checked.
//!
//! Every parameter that is not known or can't be read is refused by name, so that a misspelt filter
//! never selects everything.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Problem;
use crate::event::Timestamp;
use crate::ids::{Id, Name};
use crate::route::Pattern;
use crate::store::{EventFilter, Page, State};

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 500;

/// Most ids in one replay.
const IDS_MAX: usize = 1000;

fn bad(error: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, error.to_string())
}

/// A query string, with our own words for what is wrong.
pub(super) struct Query<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|query| Self(query.0)).map_err(|error| bad(error.body_text()))
    }
}

/// Which part of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    cursor: Option<u64>,
    limit: Option<usize>,
}

impl PageQuery {
    pub(super) fn checked(self) -> Result<Page, Problem> {
        page(self.cursor, self.limit)
    }
}

fn page(cursor: Option<u64>, limit: Option<usize>) -> Result<Page, Problem> {
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(bad(format!("limit is 1 to {LIMIT_MAX}")));
    }
    Ok(Page { cursor, limit })
}

/// Which events, and which part of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    source: Option<Name>,
    #[serde(rename = "type")]
    event_type: Option<Pattern>,
    subject: Option<String>,
    state: Option<State>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
    cursor: Option<u64>,
    limit: Option<usize>,
}

impl ListQuery {
    pub(super) fn checked(self) -> Result<(EventFilter, Page), Problem> {
        let Self { source, event_type, subject, state, after, before, cursor, limit } = self;
        let filter = EventFilter { source, event_type, subject, state, after, before };
        Ok((filter, page(cursor, limit)?))
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
        let raw: RawReplay = serde_json::from_slice(body).map_err(bad)?;
        match (raw.ids, raw.filter) {
            (Some(ids), None) if (1..=IDS_MAX).contains(&ids.len()) => Ok(Self::Ids(ids)),
            (Some(_), None) => Err(bad(format!("ids holds 1 to {IDS_MAX} ids"))),
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
                    return Err(bad("an empty filter would replay everything: say which events"));
                }
                Ok(Self::Filter(EventFilter { source, event_type, subject, state, after, before }))
            }
            _ => Err(bad(r#"say either {"ids": [...]} or {"filter": {...}}"#)),
        }
    }
}
