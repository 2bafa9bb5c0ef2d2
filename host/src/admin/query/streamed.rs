//! What somebody who listens to a stream writes into the query string, checked.
//!
//! The filters of the list, and what only a stream has. Never looks at a header: the id that came
//! last may stand there too.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::{Value, json};

use super::{NamedEndpoint, Pairs, TYPES, wrong};
use crate::admin::operation::Parameter;
use crate::admin::problem::Problem;
use crate::admin::schema::Schemas;
use crate::route::Pattern;
use crate::store::{Cursor, DeliveryFilter, StreamFilter};

/// Most types that one stream may have.
const TYPES_MAX: usize = 20;

pub(in crate::admin) const TYPES_OF: Parameter = Parameter::query(
    "types",
    "Only events of one of these types, with commas between them: payment.*,refund.failed",
    patterns,
);
pub(in crate::admin) const REPLAYS: Parameter = Parameter::query(
    "replays",
    "With `true`, an event comes again when finished work on it is opened again, as `event: \
     replay`.",
    booleans,
);
pub(in crate::admin) const DATA: Parameter = Parameter::query(
    "data",
    "With `true`, each event has the event itself in `event`, with its data.",
    booleans,
);

fn patterns(_: &mut Schemas) -> Value {
    json!({ "type": "string", "description": "At most 20 event types or patterns of types." })
}

fn booleans(_: &mut Schemas) -> Value {
    json!({ "type": "boolean" })
}

/// Which events as they come, and where to go on.
pub(in crate::admin) struct StreamQuery(
    pub(in crate::admin) StreamFilter,
    pub(in crate::admin) Option<Cursor>,
);

impl<S: Sync> FromRequestParts<S> for StreamQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(&parts.uri)?;
        let cursor = pairs.value("cursor", "the `id` that came last on the stream")?;
        let filter = StreamFilter {
            events: pairs.filter()?,
            types: types(pairs.text("types"))?,
            is_with_replays: pairs.value("replays", "true or false")?.unwrap_or_default(),
            is_with_data: pairs.value("data", "true or false")?.unwrap_or_default(),
        };
        Ok(Self(filter, cursor))
    }
}

/// Event types with commas between them.
fn types(text: Option<&str>) -> Result<Vec<Pattern>, Problem> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let parsed: Result<Vec<Pattern>, _> = text.split(',').map(Pattern::from_str).collect();
    let types = parsed.map_err(|_| {
        wrong("types", format!("`types` must be {TYPES}, or several with commas, not `{text}`"))
    })?;
    match types.len() {
        0..=TYPES_MAX => Ok(types),
        _ => Err(wrong("types", format!("`types` has more than {TYPES_MAX} types"))),
    }
}

/// Which deliveries as their attempts end, and where to go on.
pub(in crate::admin) struct AttemptsQuery {
    /// To this endpoint.
    pub(in crate::admin) endpoint: Option<NamedEndpoint>,
    pub(in crate::admin) filter: DeliveryFilter,
    pub(in crate::admin) cursor: Option<Cursor>,
}

impl<S: Sync> FromRequestParts<S> for AttemptsQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::of(&parts.uri)?;
        let endpoint = pairs.value("endpoint", "the id or the name of an endpoint")?;
        let cursor = pairs.value("cursor", "the `id` that came last on the stream")?;
        Ok(Self { endpoint, filter: pairs.deliveries()?, cursor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that a misspelt type never selects everything.
    #[test]
    fn types_have_commas_between_them_and_each_is_a_pattern() {
        let count = |text| types(text).map(|types| types.len()).ok();
        assert_eq!([None, Some("payment.*,refund.failed")].map(count), [Some(0), Some(2)]);
        for wrong in ["", "payment.*,", "payment.*, refund.failed", "pay*"] {
            assert_eq!(count(Some(wrong)), None, "{wrong}");
        }
        let most = vec!["a.b"; TYPES_MAX].join(",");
        assert_eq!(count(Some(&most)), Some(TYPES_MAX));
        assert_eq!(count(Some(&format!("{most},a.b"))), None);
    }
}
