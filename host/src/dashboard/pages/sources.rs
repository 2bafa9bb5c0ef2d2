//! The sources: who posts, how that is proven, and how requests were answered.
//!
//! Reads `/v1/sources`, of which there are as many as the configuration has, and the newest receipt
//! of each that stands on the page. Never shows a secret.

mod one;

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, figure, link};
use crate::event::Timestamp;

/// Most sources on a page: each is one more question.
const ROWS_MAX: usize = 20;
/// A source with fewer requests than this is not judged by their share.
const REQUESTS_MIN: u64 = 20;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/sources", get(list)).merge(one::routes())
}

#[derive(Deserialize)]
struct Sources {
    sources: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    name: String,
    path: String,
    plugin: String,
    provider: Option<String>,
    version: Option<String>,
    scheme: Option<String>,
    types: Vec<String>,
    verified: bool,
    secrets: u64,
    /// When the file of each was written, if it is in one.
    secrets_since: Vec<Option<Timestamp>>,
    keys_from: Vec<String>,
    stopped: Option<String>,
    answered: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Receipts {
    items: Vec<Receipt>,
}

#[derive(Deserialize)]
struct Receipt {
    id: String,
    state: String,
    received_at: Timestamp,
}

impl Source {
    fn answered(&self, outcome: &str) -> u64 {
        self.answered.get(outcome).copied().unwrap_or_default()
    }

    /// How many requests were judged: stored, known already or refused.
    fn judged(&self) -> u64 {
        ["accepted", "duplicate", "refused"].map(|outcome| self.answered(outcome)).iter().sum()
    }

    fn is_refusing(&self) -> bool {
        let (refused, judged) = (self.answered("refused"), self.judged());
        judged >= REQUESTS_MIN && refused * 100 > judged
    }

    fn state(&self) -> Markup {
        let (mood, said) = match (&self.stopped, self.verified) {
            (Some(_), _) => (Mood::Bad, "Stopped"),
            (None, _) if self.is_refusing() => (Mood::Warn, "Refusing"),
            (None, false) => (Mood::Warn, "Unverified"),
            (None, true) if self.judged() == 0 => (Mood::Plain, "Quiet"),
            (None, true) => (Mood::Ok, "Healthy"),
        };
        markup::pill(mood, said)
    }

    fn provider(&self) -> &str {
        self.provider.as_deref().unwrap_or(&self.plugin)
    }

    /// `2 secrets, the oldest written 12 days ago`.
    fn secrets(&self, now: Timestamp) -> String {
        let counted = figure::counted(self.secrets, "secret", "secrets");
        match self.secrets_since.iter().flatten().min() {
            _ if self.secrets == 0 => "none".to_owned(),
            None => format!("{counted}, not in a file and so of unknown age"),
            Some(oldest) => {
                let age = figure::distance(now, *oldest);
                let the = if self.secrets == 1 { "" } else { "the oldest " };
                format!("{counted}, {the}written {age}")
            }
        }
    }

    /// Where its newest receipts are.
    fn receipts(&self, limit: &str) -> String {
        link::with_query("/v1/receipts", [("source", &*self.name), ("limit", limit)])
    }
}

struct Row {
    name: Markup,
    provider: String,
    accepted: String,
    duplicates: String,
    refused: String,
    last: Option<Markup>,
    state: Markup,
}

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    frame: Frame,
    rows: Vec<Row>,
    before: Option<String>,
    after: Option<String>,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let Sources { sources } = visitor.get("/v1/sources").await?;
    let number: usize = visitor.asked.text("page").parse().unwrap_or(1);
    let pages = sources.len().div_ceil(ROWS_MAX).max(1);
    let number = number.clamp(1, pages);
    let mut rows = Vec::new();
    for source in sources.iter().skip((number - 1) * ROWS_MAX).take(ROWS_MAX) {
        let Receipts { items } = visitor.get(&source.receipts("1")).await?;
        let last = items.first().map(|receipt| receipt.received_at);
        rows.push(row(source, last.map(|at| markup::when(visitor.now(), at))));
    }
    let place = |number: usize| link::with_query("/sources", [("page", &*number.to_string())]);
    Ok(page(&SourcesPage {
        frame: visitor.frame(Section::Sources, "Sources"),
        rows,
        before: (number > 1).then(|| place(number - 1)),
        after: (number < pages).then(|| place(number + 1)),
    }))
}

fn row(source: &Source, last: Option<Markup>) -> Row {
    Row {
        name: markup::link(&link::below("/sources", &source.name), &source.name),
        provider: source.provider().to_owned(),
        accepted: figure::number(source.answered("accepted")),
        duplicates: figure::number(source.answered("duplicate")),
        refused: figure::share(source.answered("refused"), source.judged()),
        last,
        state: source.state(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Guards each arm of `state`, by what a person reads.
    #[test]
    fn a_source_says_how_it_fares() {
        let source = |stopped: Option<&str>,
                      verified: bool,
                      (accepted, refused): (u64, u64)|
         -> String {
            let source = json!({
                "name": "shop", "path": "/in/shop", "plugin": "stripe", "provider": null,
                "version": null, "scheme": null, "types": [], "verified": verified, "secrets": 1,
                "secrets_since": [null], "keys_from": [], "stopped": stopped,
                "answered": { "accepted": accepted, "refused": refused },
            });
            let source: Source = serde_json::from_value(source).unwrap();
            assert_eq!(source.provider(), "stripe");
            assert!(source.secrets(Timestamp(0)).ends_with("of unknown age"));
            source.state().0
        };
        assert!(source(Some("no settings"), true, (9, 0)).contains("Stopped"));
        assert!(source(None, true, (98, 2)).contains("Refusing"));
        assert!(source(None, true, (99, 1)).contains("Healthy"));
        assert!(source(None, true, (0, 3)).contains("Healthy"));
        assert!(source(None, false, (9, 0)).contains("Unverified"));
        assert!(source(None, true, (0, 0)).contains("Quiet"));
    }
}
