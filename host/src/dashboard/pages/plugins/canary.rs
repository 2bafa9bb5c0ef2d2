//! The canary of a handler beside its live version, and what may become of it.
//!
//! Reads `/v1/plugins/{name}/canary`. To promote or drop one is a page of its own, which says what
//! that does. Never judges a canary.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Digest;
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::{page, see_other};
use crate::dashboard::{Dashboard, Failed, Submitted, Visitor, figure, link};
use crate::event::Timestamp;
use crate::token::Scope;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/plugins/{name}/promote", get(confirm_promote).post(promote))
        .route("/plugins/{name}/drop", get(confirm_drop).post(drop_it))
}

/// Where the API shows the canary of a handler.
pub(super) fn path(handler: &str) -> String {
    format!("{}/canary", link::below("/v1/plugins", handler))
}

#[derive(Deserialize)]
pub(super) struct Canary {
    name: String,
    digest: String,
    version: String,
    live_digest: String,
    live_version: String,
    selection: Option<String>,
    began: Timestamp,
    canary: Tally,
    live: Tally,
    verdict: String,
    at: Timestamp,
    by: String,
    p: Option<f64>,
}

/// What was counted of a version.
#[derive(Deserialize)]
struct Tally {
    runs: u64,
    failures: u64,
    time_us: u64,
    effects: u64,
}

/// A version in the table.
pub(super) struct Side {
    pub(super) label: &'static str,
    pub(super) version: String,
    pub(super) digest: Digest,
    pub(super) runs: String,
    pub(super) failures: String,
    pub(super) share: String,
    pub(super) mean: String,
    pub(super) effects: String,
}

/// A canary as a page shows it.
pub(super) struct Shown {
    pub(super) verdict: Markup,
    /// Who decided, and when; of one that runs, when it began.
    pub(super) since: Markup,
    pub(super) by: String,
    pub(super) sides: Vec<Side>,
    pub(super) selection: Option<String>,
    pub(super) p: Option<String>,
    /// Where it is promoted and dropped, if whoever looks may.
    pub(super) acts: Option<Acts>,
}

pub(super) struct Acts {
    pub(super) promote: String,
    pub(super) drop: String,
}

impl Canary {
    fn runs(&self) -> bool {
        self.verdict == "running"
    }

    pub(super) fn shown(self, now: Timestamp, can_act: bool) -> Shown {
        let place = |verb| format!("{}/{verb}", link::below("/plugins", &self.name));
        let acts = Acts { promote: place("promote"), drop: place("drop") };
        let (canary, live) =
            ((&self.version, &self.digest), (&self.live_version, &self.live_digest));
        Shown {
            verdict: verdict(&self.verdict),
            since: markup::when(now, if self.runs() { self.began } else { self.at }),
            sides: vec![
                side("Canary", canary, &self.canary),
                side("Live version", live, &self.live),
            ],
            acts: (self.runs() && can_act).then_some(acts),
            by: if self.by.is_empty() { "began".to_owned() } else { format!("by {},", self.by) },
            selection: self.selection,
            p: self.p.map(likelihood),
        }
    }
}

fn side(label: &'static str, (version, digest): (&String, &String), tally: &Tally) -> Side {
    let Tally { runs, failures, time_us, effects } = *tally;
    Side {
        label,
        version: version.clone(),
        digest: Digest::of(digest),
        runs: figure::number(runs),
        failures: figure::number(failures),
        share: figure::share(failures, runs),
        mean: time_us.checked_div(runs).map_or_else(|| "-".to_owned(), figure::micros),
        effects: figure::number(effects),
    }
}

fn verdict(verdict: &str) -> Markup {
    let (mood, said) = match verdict {
        "running" => (Mood::Info, "Runs"),
        "promoted" => (Mood::Ok, "Promoted"),
        "dropped_by_test" => (Mood::Bad, "Dropped: it failed more"),
        "dropped_broke" => (Mood::Bad, "Dropped: it broke"),
        "dropped_by_operator" => (Mood::Plain, "Dropped by an operator"),
        "removed" => (Mood::Plain, "Removed"),
        other => (Mood::Plain, other),
    };
    markup::pill(mood, said)
}

/// `0.041`, `<0.001`.
fn likelihood(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
}

#[derive(Template)]
#[template(path = "canary-act.html")]
struct ActPage {
    frame: Frame,
    name: String,
    version: String,
    live_version: String,
    is_promotion: bool,
}

async fn confirm_promote(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Failed> {
    confirm(&visitor, &name, true).await
}

async fn confirm_drop(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Failed> {
    confirm(&visitor, &name, false).await
}

/// The page that says what a decision does. One that is decided about is shown as it is.
async fn confirm(visitor: &Visitor, name: &str, is_promotion: bool) -> Result<Response, Failed> {
    let canary: Canary = visitor.get(&path(name)).await?;
    if !canary.runs() || !visitor.can(Scope::Write) {
        return Ok(see_other(&link::below("/plugins", name)));
    }
    let title = if is_promotion { "Promote a canary" } else { "Drop a canary" };
    Ok(page(&ActPage {
        frame: visitor.frame(Section::Plugins, title),
        name: canary.name,
        version: canary.version,
        live_version: canary.live_version,
        is_promotion,
    }))
}

async fn promote(Path(name): Path<String>, submitted: Submitted) -> Response {
    let said = "Promoted. The canary is the live version now.";
    act(&submitted.visitor, &name, "promote", said).await
}

async fn drop_it(Path(name): Path<String>, submitted: Submitted) -> Response {
    let said = "Dropped. The live version gets all subjects.";
    act(&submitted.visitor, &name, "drop", said).await
}

/// Has the API decide about the canary, and leads back to its handler.
async fn act(visitor: &Visitor, name: &str, verb: &str, said: &str) -> Response {
    let place = link::below("/plugins", name);
    let path = format!("{}/{verb}", path(name));
    match visitor.send::<IgnoredAny>((Method::POST, &path), None).await {
        Ok(IgnoredAny) => visitor.done(&place, said),
        Err(failed) => visitor.failed(&place, &failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(verdict: &str) -> Canary {
        let tally = |runs, failures| Tally { runs, failures, time_us: 5_000, effects: 1 };
        Canary {
            name: "dunning".to_owned(),
            digest: "ab".repeat(32),
            version: "1.1.0".to_owned(),
            live_digest: "cd".repeat(32),
            live_version: "1.0.0".to_owned(),
            selection: None,
            began: Timestamp(0),
            canary: tally(0, 0),
            live: tally(10, 1),
            verdict: verdict.to_owned(),
            at: Timestamp(0),
            by: String::new(),
            p: Some(0.000_4),
        }
    }

    /// Guards that only a canary that runs is decided about, by whoever may.
    #[test]
    fn one_that_ended_is_shown_and_not_acted_on() {
        assert!(canary("running").shown(Timestamp(0), true).acts.is_some());
        assert!(canary("running").shown(Timestamp(0), false).acts.is_none());
        assert!(canary("promoted").shown(Timestamp(0), true).acts.is_none());
    }

    #[test]
    fn a_version_without_runs_has_no_mean_time() {
        let shown = canary("running").shown(Timestamp(0), true);
        let means: Vec<_> = shown.sides.iter().map(|side| side.mean.as_str()).collect();
        assert_eq!(means, ["-", "0.5 ms"]);
        assert_eq!(shown.p.as_deref(), Some("<0.001"));
    }
}
