//! The overview: what is wrong, what comes and goes, what waits.
//!
//! Reads `/v1/overview`, of at most 288 points, and one page of each list that may have something
//! wrong in it; for a token with a tenant, what is its own. Never lists more than a screenful.

mod attention;
mod counted;
mod figures;
mod tenant;
mod traffic;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use self::attention::{Endpoints, Item, Plugins, Source};
use self::counted::Overview;
use self::figures::Tile;
use self::traffic::Hours;
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, figure, link};
use crate::event::Timestamp;
use crate::token::Scope;

/// Most sources that are listed here.
const SOURCES_MAX: usize = 8;

/// Where the newest alerts are.
const ALERTS: &str = "/v1/events?type=hookgate.alert&limit=5";

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/", get(show))
}

#[derive(Deserialize)]
struct Sources {
    sources: Vec<Source>,
}

#[derive(Deserialize)]
struct Alerts {
    items: Vec<Alert>,
}

/// An event by which a handler notifies people.
#[derive(Deserialize)]
struct Alert {
    id: String,
    source: String,
    subject: Option<String>,
    recorded_at: Timestamp,
}

/// A link to the same page about another time.
struct Choice {
    label: &'static str,
    href: String,
    is_current: bool,
}

/// A source in the short list.
struct SourceRow {
    name: Markup,
    provider: String,
    accepted: String,
    refused: String,
    state: Markup,
}

/// An alert in the short list.
struct AlertRow {
    handler: Markup,
    subject: Option<String>,
    at: Markup,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    spans: Vec<Choice>,
    not_ready: Vec<String>,
    version: String,
    disk: Option<String>,
    since: Markup,
    items: Vec<Item>,
    items_left: Option<String>,
    unseen: Option<String>,
    tiles: Vec<Tile>,
    chart_title: &'static str,
    chart: Markup,
    legend: Markup,
    rows: Vec<SourceRow>,
    rows_left: Option<String>,
    alerts: Vec<AlertRow>,
    dead: Option<String>,
    can_write: bool,
}

async fn show(visitor: Visitor) -> Result<Response, Failed> {
    if !visitor.is_operator() {
        return tenant::show(visitor).await;
    }
    let path = link::with_query("/v1/overview", visitor.asked.pick(&["span"]));
    let (overview, plugins, disabled, endpoints, sources, alerts) = tokio::try_join!(
        visitor.get::<Overview>(&path),
        visitor.get::<Plugins>("/v1/plugins"),
        visitor.get::<Endpoints>(attention::DISABLED),
        visitor.get::<Endpoints>(attention::ENABLED),
        visitor.get::<Sources>("/v1/sources"),
        visitor.get::<Alerts>(ALERTS),
    )?;
    // What the store counted outlives a restart.
    let hours = match traffic::hours_of(&overview) {
        Some(path) => Some(visitor.get::<Hours>(&path).await?),
        None => None,
    };
    let sources = sources.sources;
    let found = attention::endpoints(overview.now, &disabled.items, &endpoints.items);
    let found = found.into_iter().chain(attention::plugins(&plugins.plugins));
    let (items, items_left) = attention::first(found.chain(attention::sources(&sources)).collect());
    let drawn = traffic::drawn(&overview, hours.as_ref());
    let alert = |alert: &Alert| AlertRow {
        handler: markup::link(&link::below("/events", &alert.id), &alert.source),
        subject: alert.subject.clone(),
        at: markup::when(overview.now, alert.recorded_at),
    };
    let left = sources.len().saturating_sub(SOURCES_MAX) as u64;
    let dead = figure::counted(overview.dead, "dead letter", "dead letters");
    let frame = visitor.frame(Section::Overview, "Overview");
    Ok(page(&OverviewPage {
        frame,
        spans: spans(&overview),
        version: overview.version.clone(),
        disk: overview.disk.as_ref().map(|disk| figure::bytes(disk.free_bytes)),
        since: markup::when(overview.now, overview.since),
        items,
        items_left,
        unseen: attention::unseen(&disabled, &endpoints),
        tiles: figures::tiles(&overview, drawn.sums.as_ref()),
        chart_title: drawn.title,
        chart: drawn.chart,
        legend: drawn.legend,
        rows: sources.iter().take(SOURCES_MAX).map(row).collect(),
        rows_left: (left > 0).then(|| figure::counted(left, "more source", "more sources")),
        alerts: alerts.items.iter().map(alert).collect(),
        dead: (overview.dead > 0).then_some(dead),
        can_write: visitor.can(Scope::Write),
        not_ready: overview.not_ready,
    }))
}

fn spans(overview: &Overview) -> Vec<Choice> {
    let spans = [("Hour", "hour"), ("Day", "day"), ("Week", "week")];
    let choice = |(label, span): (&'static str, &str)| Choice {
        label,
        href: link::with_query("/", [("span", span)]),
        is_current: overview.span == span,
    };
    spans.into_iter().map(choice).collect()
}

fn row(source: &Source) -> SourceRow {
    SourceRow {
        name: markup::link(&link::below("/sources", &source.name), &source.name),
        provider: source.provider.clone().unwrap_or_else(|| source.plugin.clone()),
        accepted: figure::number(source.answered.of("accepted")),
        refused: figure::share(source.answered.of("refused"), source.answered.judged()),
        state: source.state(),
    }
}
