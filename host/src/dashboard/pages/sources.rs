//! The sources: who posts, how that is proven, and how requests were answered.
//!
//! Reads `/v1/sources`, of which there are as many as the configuration has. Never shows a secret.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, figure, link};

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/sources", get(list)).route("/sources/{name}", get(show))
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
    scheme: Option<String>,
    verified: bool,
    secrets: u64,
    stopped: Option<String>,
    answered: BTreeMap<String, u64>,
}

impl Source {
    fn answered(&self, outcome: &str) -> u64 {
        self.answered.get(outcome).copied().unwrap_or_default()
    }

    fn state(&self) -> Markup {
        match (&self.stopped, self.verified) {
            (Some(_), _) => markup::pill(Mood::Bad, "Stopped"),
            (None, false) => markup::pill(Mood::Warn, "Unverified"),
            (None, true) => markup::pill(Mood::Ok, "Ready"),
        }
    }
}

struct Row {
    name: Markup,
    provider: String,
    accepted: String,
    duplicates: String,
    refused: String,
    state: Markup,
}

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    frame: Frame,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "source.html")]
struct SourcePage {
    frame: Frame,
    source: Source,
    state: Markup,
    secrets: String,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let Sources { sources } = visitor.get("/v1/sources").await?;
    let row = |source: &Source| Row {
        name: markup::link(&link::below("/sources", &source.name), &source.name),
        provider: source.provider.clone().unwrap_or_else(|| source.plugin.clone()),
        accepted: figure::number(source.answered("accepted")),
        duplicates: figure::number(source.answered("duplicate")),
        refused: figure::number(source.answered("refused")),
        state: source.state(),
    };
    let rows = sources.iter().map(row).collect();
    Ok(page(&SourcesPage { frame: visitor.frame(Section::Sources, "Sources"), rows }))
}

async fn show(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Failed> {
    let Sources { sources } = visitor.get("/v1/sources").await?;
    let found = sources.into_iter().find(|source| source.name == name);
    let source = found.ok_or_else(Failed::no_such_page)?;
    Ok(page(&SourcePage {
        frame: visitor.frame(Section::Sources, name),
        state: source.state(),
        secrets: figure::counted(source.secrets, "secret", "secrets"),
        source,
    }))
}
