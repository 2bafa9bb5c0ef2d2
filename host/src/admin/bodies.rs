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

/// No body, or one that says nothing.
pub(super) const NO_BODY: Body = Body::maybe(nothing);

fn nothing(_: &mut Schemas) -> Value {
    json!({ "type": ["object", "null"], "additionalProperties": false })
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

#[cfg(test)]
mod tests {
    use super::*;

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
