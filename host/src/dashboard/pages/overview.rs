//! The overview: what comes and goes, what waits, what is wrong.
//!
//! Reads `/v1/overview`, of at most 288 points; for a token with a tenant, the newest of what is
//! its own. Never lists more than a screenful.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::dashboard::chart::{self, Series};
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, figure, link};
use crate::event::Timestamp;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/", get(show))
}

#[derive(Deserialize)]
struct Overview {
    now: Timestamp,
    since: Timestamp,
    span: String,
    step_s: u64,
    total: Figures,
    points: Vec<Point>,
    waiting: u64,
    waiting_for_s: Option<u64>,
    dead: u64,
    not_ready: Vec<String>,
}

#[derive(Deserialize)]
struct Point {
    #[serde(flatten)]
    figures: Figures,
    waiting: u64,
}

#[derive(Deserialize)]
struct Figures {
    accepted: u64,
    duplicates: u64,
    refused: u64,
    delivered: u64,
    answer_us: Times,
    delivery_us: Times,
}

#[derive(Deserialize)]
struct Times {
    p50: Option<u64>,
    p99: Option<u64>,
}

/// A link to the same page about another time.
struct Choice {
    label: &'static str,
    href: String,
    is_current: bool,
}

/// One figure, with what is to say of it.
struct Tile {
    label: &'static str,
    value: String,
    unit: &'static str,
    note: String,
    spark: Markup,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    spans: Vec<Choice>,
    not_ready: Vec<String>,
    since: Markup,
    tiles: Vec<Tile>,
    chart: Markup,
    legend: Markup,
}

#[derive(Template)]
#[template(path = "overview-tenant.html")]
struct TenantPage {
    frame: Frame,
}

async fn show(visitor: Visitor) -> Result<Response, Failed> {
    if !visitor.is_operator() {
        return Ok(page(&TenantPage { frame: visitor.frame(Section::Overview, "Overview") }));
    }
    let path = link::with_query("/v1/overview", visitor.asked.pick(&["span"]));
    let overview: Overview = visitor.get(&path).await?;
    let spans = [("Hour", "hour"), ("Day", "day"), ("Week", "week")].map(|(label, span)| Choice {
        label,
        href: link::with_query("/", [("span", span)]),
        is_current: overview.span == span,
    });
    let of = |value: fn(&Figures) -> u64| {
        overview.points.iter().map(|point| value(&point.figures) as f64).collect()
    };
    let series = [
        Series { label: "accepted", class: "accent", values: of(|it| it.accepted) },
        Series { label: "delivered", class: "info", values: of(|it| it.delivered) },
    ];
    Ok(page(&OverviewPage {
        frame: visitor.frame(Section::Overview, "Overview"),
        spans: spans.into(),
        since: markup::when(overview.now, overview.since),
        tiles: tiles(&overview),
        chart: chart::lines("Requests accepted and deliveries made, by time", &series, &[]),
        legend: chart::legend(&series),
        not_ready: overview.not_ready,
    }))
}

fn tiles(overview: &Overview) -> Vec<Tile> {
    let Overview { total, points, .. } = overview;
    let seconds = overview.step_s.saturating_mul(points.len() as u64);
    let over = Duration::from_secs(seconds).min(overview.now.since(overview.since));
    let spark = |value: fn(&Point) -> u64, mood| {
        let values: Vec<f64> = points.iter().map(|point| value(point) as f64).collect();
        chart::spark(&values, mood)
    };
    let asked = total.accepted + total.duplicates + total.refused;
    let within = |times: &Times| match (times.p50, times.p99) {
        (Some(p50), Some(p99)) => (figure::micros(p99), format!("p50 {}", figure::micros(p50))),
        _ => ("-".to_owned(), "nothing yet".to_owned()),
    };
    let (answer, answer_note) = within(&total.answer_us);
    let (delivery, delivery_note) = within(&total.delivery_us);
    let waiting_for = overview.waiting_for_s.map(Duration::from_secs).map(figure::span);
    let dead = figure::counted(overview.dead, "dead letter", "dead letters");
    let mood = if overview.waiting > 0 { Mood::Warn } else { Mood::Plain };
    vec![
        Tile {
            label: "Accepted",
            value: figure::per_second(total.accepted, over),
            unit: "/s",
            note: format!("{} duplicates", figure::share(total.duplicates, asked)),
            spark: spark(|it| it.figures.accepted, Mood::Plain),
        },
        Tile {
            label: "Refused",
            value: figure::share(total.refused, asked),
            unit: "",
            note: figure::counted(total.refused, "request", "requests"),
            spark: spark(|it| it.figures.refused, Mood::Bad),
        },
        Tile {
            label: "Answer",
            value: answer,
            unit: "p99",
            note: answer_note,
            spark: spark(|it| it.figures.answer_us.p99.unwrap_or_default(), Mood::Plain),
        },
        Tile {
            label: "Delivered",
            value: figure::per_second(total.delivered, over),
            unit: "/s",
            note: dead,
            spark: spark(|it| it.figures.delivered, Mood::Info),
        },
        Tile {
            label: "To the endpoint",
            value: delivery,
            unit: "p99",
            note: delivery_note,
            spark: spark(|it| it.figures.delivery_us.p99.unwrap_or_default(), Mood::Plain),
        },
        Tile {
            label: "Waiting",
            value: figure::number(overview.waiting),
            unit: "",
            note: waiting_for.map_or("nothing waits".to_owned(), |it| format!("oldest {it}")),
            spark: spark(|it| it.waiting, mood),
        },
    ]
}
