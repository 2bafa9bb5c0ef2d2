//! What a handler remembered before and after one run.
//!
//! Reads `/v1/runs/{id}/state`, which is for the scope `admin`. Long values are cut there already.
//! Never what it remembers now.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, figure, highlight, link};

/// Most bytes of a key.
const KEY_BYTES_MAX: usize = 256;
/// Most bytes of a value: as many as the API gives.
const VALUE_BYTES_MAX: usize = 4 << 10;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/runs/{id}/state", get(show))
}

#[derive(Deserialize)]
struct RunState {
    event_id: String,
    handler: String,
    scope: String,
    is_kept: bool,
    keys: Vec<KeyChange>,
    left: u64,
}

#[derive(Deserialize)]
struct KeyChange {
    key: String,
    before: Option<StateValue>,
    after: StateValue,
}

#[derive(Deserialize)]
struct StateValue {
    deleted: bool,
    text: Option<String>,
    base64: Option<String>,
    bytes: u64,
}

struct Row {
    key: Markup,
    before: Shown,
    after: Shown,
}

/// A value as it is shown.
struct Shown {
    /// What is said in its place, or how large it is.
    said: String,
    value: Option<Markup>,
}

#[derive(Template)]
#[template(path = "run-state.html")]
struct StatePage {
    frame: Frame,
    id: String,
    /// Where the run stands in the story of its event.
    back: String,
    handler: Markup,
    scope: Markup,
    is_kept: bool,
    rows: Vec<Row>,
    left: Option<String>,
}

async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    let path = format!("{}/state", link::below("/v1/runs", &id));
    let RunState { event_id, handler, scope, is_kept, keys, left } = visitor.get(&path).await?;
    let row = |KeyChange { key, before, after }: KeyChange| Row {
        key: markup::long(&key, KEY_BYTES_MAX),
        before: before.map_or_else(Shown::unknown, Shown::of),
        after: Shown::of(after),
    };
    let more = || format!("It changed {} beside these.", figure::counted(left, "key", "keys"));
    Ok(page(&StatePage {
        frame: visitor.frame(Section::Events, "State before and after a run"),
        back: link::below("/events", &event_id),
        handler: markup::link(&link::below("/plugins", &handler), &handler),
        scope: markup::long(&scope, KEY_BYTES_MAX),
        is_kept,
        rows: keys.into_iter().map(row).collect(),
        left: (left > 0).then(more),
        id,
    }))
}

impl Shown {
    /// Of what no run is found that set it.
    fn unknown() -> Self {
        Self { said: "not kept, or never set before".to_owned(), value: None }
    }

    fn of(value: StateValue) -> Self {
        let StateValue { deleted, text, base64, bytes } = value;
        if deleted {
            return Self { said: "deleted".to_owned(), value: None };
        }
        let is_text = text.is_some();
        let shown = text.or(base64).unwrap_or_default();
        let begins = shown.trim_start();
        let is_json = is_text && (begins.starts_with('{') || begins.starts_with('['));
        let kind = if is_text { "" } else { ", in base64" };
        let cut = if bytes > VALUE_BYTES_MAX as u64 { ", the first 4 KiB of it" } else { "" };
        Self {
            said: format!("{}{kind}{cut}", figure::bytes(bytes)),
            value: Some(match is_json {
                true => highlight::json(&shown, VALUE_BYTES_MAX),
                false => markup::long(&shown, VALUE_BYTES_MAX * 2),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards each branch of [`Shown::of`].
    #[test]
    fn a_value_says_how_large_it_is_and_in_what_form_it_stands() {
        let value = |text: Option<&str>, base64: Option<&str>, bytes| {
            let (text, base64) = (text.map(str::to_owned), base64.map(str::to_owned));
            Shown::of(StateValue { deleted: false, text, base64, bytes })
        };
        let json = value(Some("{\"a\":1}"), None, 7);
        assert!(json.value.unwrap().0.contains("class=\"k\"") && json.said == "7 bytes");
        let plain = value(Some("<b>"), None, 5_000);
        assert_eq!(plain.value.unwrap().0, "<bdi>&lt;b&gt;</bdi>");
        assert_eq!(plain.said, "5,000 bytes, the first 4 KiB of it");
        assert_eq!(value(None, Some("AQ=="), 1).said, "1 byte, in base64");
        let gone = StateValue { deleted: true, text: None, base64: None, bytes: 0 };
        assert_eq!(Shown::of(gone).said, "deleted");
    }
}
