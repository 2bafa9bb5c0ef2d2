//! The sources: who posts, how that is proven, and how requests were answered.
//!
//! Reads `/v1/sources`, of which there are as many as the configuration has, and the newest receipt
//! of each that stands on the page. Never shows a secret.

mod one;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::answered::Answered;
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, figure, link};
use crate::event::Timestamp;

/// Most sources on a page: each is one more question.
const ROWS_MAX: usize = 20;

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
    url: Option<String>,
    plugin: String,
    provider: Option<String>,
    version: Option<String>,
    scheme: Option<String>,
    types: Vec<String>,
    samples: Vec<String>,
    verified: bool,
    secrets: u64,
    /// When the file of each was written, if it is in one.
    secrets_since: Vec<Option<Timestamp>>,
    keys_from: Vec<String>,
    stopped: Option<String>,
    answered: Answered,
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
    fn state(&self) -> Markup {
        self.answered.state(self.stopped.is_some(), self.verified)
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
        accepted: figure::number(source.answered.of("accepted")),
        duplicates: figure::number(source.answered.of("duplicate")),
        refused: figure::share(source.answered.of("refused"), source.answered.judged()),
        last,
        state: source.state(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Guards each arm of `secrets`, and what stands for a provider that is not loaded.
    #[test]
    fn a_source_says_how_old_its_secrets_are() {
        let now = Timestamp(1_700_000_000_000);
        let said = |secrets: u64, since: &[Option<Timestamp>]| {
            let source = json!({
                "name": "shop", "path": "/in/shop", "url": null, "plugin": "stripe",
                "provider": null, "version": null, "scheme": null, "types": [], "samples": [], "verified": true,
                "secrets": secrets, "secrets_since": since, "keys_from": [], "stopped": null,
                "answered": {},
            });
            let source: Source = serde_json::from_value(source).unwrap();
            assert_eq!(source.provider(), "stripe");
            source.secrets(now)
        };
        let written = Timestamp(now.0 - 240_000);
        assert_eq!(said(0, &[]), "none");
        assert_eq!(said(1, &[None]), "1 secret, not in a file and so of unknown age");
        assert_eq!(said(1, &[Some(written)]), "1 secret, written 4 min ago");
        assert_eq!(said(2, &[Some(now), Some(written)]), "2 secrets, the oldest written 4 min ago");
    }
}
