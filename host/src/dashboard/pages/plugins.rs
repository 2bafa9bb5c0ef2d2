//! The plugins: what runs, of which version, what it used, and what is wrong with its file.
//!
//! Reads `/v1/plugins`, of which there are as many as the folder has files, and one with its usage,
//! its canary and its last rehearsals. Never loads one: a button has the gateway look at the files.

mod canary;
mod rehearsals;
mod usage;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use self::canary::{Canary, Shown};
use self::rehearsals::Rehearsal;
use self::usage::{CallRow, LimitRow, Usage};
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::notes::Note;
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Submitted, Visitor, figure, link};
use crate::token::Scope;

/// What a page shows at most of a reason, in bytes.
const TEXT_BYTES_MAX: usize = 2_000;
/// The digits of a digest that are shown; the rest is in its title.
const DIGEST_DIGITS: usize = 12;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/plugins", get(list).post(look))
        .route("/plugins/{name}", get(show))
        .merge(canary::routes())
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
    handles: Vec<String>,
    refused: Option<String>,
    loading: bool,
    stopped: Vec<String>,
    #[serde(default)]
    missing: bool,
    #[serde(default)]
    waiting: u64,
    canary_of: Option<String>,
    signed_by: Option<String>,
    sdk: Option<String>,
    /// Where one is shown alone.
    usage: Option<Usage>,
}

impl Plugin {
    fn state(&self) -> Markup {
        match self {
            Self { missing: true, .. } => markup::pill(Mood::Bad, "Missing"),
            Self { digest: None, loading: true, .. } => markup::pill(Mood::Info, "Loading"),
            Self { digest: None, refused: Some(_), .. } => markup::pill(Mood::Bad, "Refused"),
            Self { refused: Some(_), .. } => markup::pill(Mood::Bad, "File refused"),
            Self { stopped, .. } if !stopped.is_empty() => markup::pill(Mood::Bad, "Stopped"),
            Self { loading: true, .. } => markup::pill(Mood::Info, "Runs, loads another"),
            Self { canary_of: Some(_), .. } => markup::pill(Mood::Info, "Canary"),
            _ => markup::pill(Mood::Ok, "Runs"),
        }
    }

    fn is_well(&self) -> bool {
        !self.missing && self.refused.is_none() && self.stopped.is_empty()
    }

    fn roles(&self) -> String {
        let roles = [("provider", &self.provider), ("handler", &self.handler)];
        let said = roles.iter().filter_map(|(role, version)| {
            version.as_ref().map(|version| format!("{role} {version}"))
        });
        said.collect::<Vec<_>>().join(", ")
    }

    /// What is wrong, the cause first.
    fn troubles(&self) -> Vec<Markup> {
        let mut said = Vec::new();
        if self.missing {
            said.push("The folder has no file of this plugin, and work waits for it.".to_owned());
        }
        if let Some(reason) = &self.refused {
            let now = match self.digest {
                Some(_) => "the last good one runs on",
                None => "nothing of it runs",
            };
            said.push(format!("The gateway refused the file in the folder, and {now}: {reason}"));
        }
        said.extend(self.stopped.iter().map(|stopped| format!("Stopped: {stopped}")));
        if self.waiting > 0 {
            let many = figure::counted(self.waiting, "parse or run waits", "parses and runs wait");
            said.push(format!("{many} until the plugin is there and not stopped."));
        }
        said.iter().map(|text| markup::sentence(text, TEXT_BYTES_MAX)).collect()
    }

    fn digest(&self) -> Option<Digest> {
        self.digest.as_deref().map(Digest::of)
    }
}

/// Of a file, SHA-256.
struct Digest {
    short: String,
    whole: String,
}

impl Digest {
    fn of(whole: &str) -> Self {
        Self { short: whole.chars().take(DIGEST_DIGITS).collect(), whole: whole.to_owned() }
    }
}

struct Row {
    name: Markup,
    roles: String,
    types: Markup,
    digest: Option<Digest>,
    state: Markup,
    troubles: Vec<Markup>,
}

#[derive(Template)]
#[template(path = "plugins.html")]
struct PluginsPage {
    frame: Frame,
    rows: Vec<Row>,
    can_look: bool,
}

#[derive(Template)]
#[template(path = "plugin.html")]
struct PluginPage {
    frame: Frame,
    name: String,
    state: Markup,
    roles: String,
    troubles: Vec<Markup>,
    digest: Option<Digest>,
    types: Vec<String>,
    signed_by: Option<String>,
    sdk: Option<String>,
    /// The page of the handler that it is the next version of.
    canary_of: Option<Markup>,
    calls: Vec<CallRow>,
    limits: Vec<LimitRow>,
    /// How many log lines were not kept, if any.
    dropped: Option<String>,
    canary: Option<Shown>,
    rehearsals: Vec<Rehearsal>,
}

async fn list(visitor: Visitor) -> Result<Response, Failed> {
    let Plugins { mut plugins } = visitor.get("/v1/plugins").await?;
    plugins.sort_by_key(Plugin::is_well);
    let row = |plugin: &Plugin| Row {
        name: markup::link(&link::below("/plugins", &plugin.name), &plugin.name),
        roles: plugin.roles(),
        types: markup::long(&plugin.handles.join(", "), 120),
        digest: plugin.digest(),
        state: plugin.state(),
        troubles: plugin.troubles(),
    };
    let rows = plugins.iter().map(row).collect();
    let can_look = visitor.can(Scope::Write);
    Ok(page(&PluginsPage { frame: visitor.frame(Section::Plugins, "Plugins"), rows, can_look }))
}

async fn show(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Failed> {
    let plugin: Plugin = visitor.get(&link::below("/v1/plugins", &name)).await?;
    let canary = match plugin.handler {
        // Most handlers have never had one.
        Some(_) => visitor.get::<Canary>(&canary::path(&name)).await.ok(),
        None => None,
    };
    let can_act = visitor.can(Scope::Write);
    let usage = plugin.usage.as_ref();
    let next = |of: &String| markup::link(&link::below("/plugins", of), of);
    Ok(page(&PluginPage {
        frame: visitor.frame(Section::Plugins, name.as_str()),
        state: plugin.state(),
        roles: plugin.roles(),
        troubles: plugin.troubles(),
        digest: plugin.digest(),
        calls: usage.map(Usage::calls).unwrap_or_default(),
        limits: usage.map(Usage::limits).unwrap_or_default(),
        dropped: usage.and_then(Usage::dropped),
        canary_of: plugin.canary_of.as_ref().map(next),
        canary: canary.map(|canary| canary.shown(visitor.now(), can_act)),
        rehearsals: rehearsals::of(&visitor, &name).await,
        types: plugin.handles,
        signed_by: plugin.signed_by,
        sdk: plugin.sdk,
        name,
    }))
}

/// What became of the files.
#[derive(Deserialize)]
struct Report {
    config: ConfigRow,
    plugins: Vec<ReloadRow>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct ConfigRow {
    outcome: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct ReloadRow {
    plugin: String,
    outcome: String,
    reason: Option<String>,
}

impl Report {
    fn is_bad(&self) -> bool {
        let is_bad = |outcome: &str| matches!(outcome, "kept" | "refused");
        is_bad(&self.config.outcome)
            || self.error.is_some()
            || self.plugins.iter().any(|row| is_bad(&row.outcome))
    }

    fn said(&self) -> String {
        let because =
            |reason: Option<&str>| reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let ConfigRow { outcome, reason } = &self.config;
        let mut said = vec![format!("Configuration {outcome}{}.", because(reason.as_deref()))];
        if let Some(error) = &self.error {
            said.push(format!("All plugins stay as they are: {error}."));
        } else if self.plugins.is_empty() {
            said.push("No plugin's file has changed.".to_owned());
        }
        said.extend(self.plugins.iter().map(|ReloadRow { plugin, outcome, reason }| {
            format!("{plugin} {outcome}{}.", because(reason.as_deref()))
        }));
        said.join(" ")
    }
}

/// Has the gateway look at the files now.
async fn look(submitted: Submitted) -> Response {
    let visitor = submitted.visitor;
    match visitor.send::<Report>((Method::POST, "/v1/reload"), None).await {
        Ok(report) => {
            let note = Note { said: report.said(), is_bad: report.is_bad(), secret: None };
            visitor.say("/plugins", note)
        }
        Err(failed) => visitor.failed("/plugins", &failed),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Guards that what is wrong stands first, in words.
    #[test]
    fn a_refused_file_says_why_and_what_runs_meanwhile() {
        let plugin = |refused: Option<&str>, digest: Option<&str>| -> Plugin {
            let row = json!({
                "name": "stripe", "digest": digest, "provider": null, "handler": null,
                "handles": [], "refused": refused, "loading": false, "stopped": [],
            });
            serde_json::from_value(row).unwrap()
        };
        let said = |plugin: &Plugin| -> Vec<String> {
            plugin.troubles().into_iter().map(|trouble| trouble.0).collect()
        };
        let kept = plugin(Some("no <component>"), Some("ab"));
        let expected = "<bdi>The gateway refused the file in the folder, and the last good one \
                        runs on: no &lt;component&gt;</bdi>";
        assert_eq!((said(&kept), kept.is_well()), (vec![expected.to_owned()], false));
        let new = plugin(Some("no component"), None);
        assert!(said(&new)[0].contains("nothing of it runs"), "{:?}", said(&new));
        let good = plugin(None, Some("ab"));
        assert!(said(&good).is_empty() && good.is_well());
    }

    #[test]
    fn a_report_says_what_became_of_each_file() {
        let config = |outcome: &str| ConfigRow { outcome: outcome.to_owned(), reason: None };
        let quiet = Report { config: config("unchanged"), plugins: Vec::new(), error: None };
        assert_eq!(quiet.said(), "Configuration unchanged. No plugin's file has changed.");
        assert!(!quiet.is_bad());
        let row = ReloadRow {
            plugin: "stripe".to_owned(),
            outcome: "kept".to_owned(),
            reason: Some("it is no component".to_owned()),
        };
        let bad = Report { config: config("applied"), plugins: vec![row], error: None };
        assert_eq!(bad.said(), "Configuration applied. stripe kept: it is no component.");
        assert!(bad.is_bad());
    }
}
