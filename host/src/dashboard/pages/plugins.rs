//! The plugins: what runs, of which version, and what is wrong with its file.
//!
//! Reads `/v1/plugins`, of which there are as many as the folder has files. Never loads one.

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
use crate::dashboard::{Dashboard, Failed, Visitor, link};

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/plugins", get(list)).route("/plugins/{name}", get(show))
}

#[derive(Deserialize)]
struct Plugins {
    plugins: Vec<Plugin>,
}

#[derive(Deserialize)]
struct Plugin {
    name: String,
    digest: Option<String>,
    provider: Option<String>,
    handler: Option<String>,
    refused: Option<String>,
    loading: bool,
    stopped: Vec<String>,
    #[serde(default)]
    missing: bool,
}

impl Plugin {
    fn state(&self) -> Markup {
        match self {
            Self { missing: true, .. } => markup::pill(Mood::Bad, "Missing"),
            Self { digest: None, loading: true, .. } => markup::pill(Mood::Info, "Loading"),
            Self { refused: Some(_), .. } => markup::pill(Mood::Bad, "File refused"),
            Self { stopped, .. } if !stopped.is_empty() => markup::pill(Mood::Bad, "Stopped"),
            _ => markup::pill(Mood::Ok, "Runs"),
        }
    }

    fn roles(&self) -> String {
        let roles = [("provider", &self.provider), ("handler", &self.handler)];
        let said = roles.iter().filter_map(|(role, version)| {
            version.as_ref().map(|version| format!("{role} {version}"))
        });
        said.collect::<Vec<_>>().join(", ")
    }
}

struct Row {
    name: Markup,
    roles: String,
    state: Markup,
    why: Markup,
}

#[derive(Template)]
#[template(path = "plugins.html")]
struct PluginsPage {
    frame: Frame,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "plugin.html")]
struct PluginPage {
    frame: Frame,
    state: Markup,
    roles: String,
    plugin: Plugin,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let Plugins { plugins } = visitor.get("/v1/plugins").await?;
    let row = |plugin: &Plugin| Row {
        name: markup::link(&link::below("/plugins", &plugin.name), &plugin.name),
        roles: plugin.roles(),
        state: plugin.state(),
        why: markup::long(plugin.refused.as_deref().unwrap_or_default(), 300),
    };
    let rows = plugins.iter().map(row).collect();
    Ok(page(&PluginsPage { frame: visitor.frame(Section::Plugins, "Plugins"), rows }))
}

async fn show(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Failed> {
    let Plugins { plugins } = visitor.get("/v1/plugins").await?;
    let plugin = plugins.into_iter().find(|plugin| plugin.name == name);
    let plugin = plugin.ok_or_else(Failed::no_such_page)?;
    let frame = visitor.frame(Section::Plugins, name);
    let (state, roles) = (plugin.state(), plugin.roles());
    Ok(page(&PluginPage { frame, state, roles, plugin }))
}
