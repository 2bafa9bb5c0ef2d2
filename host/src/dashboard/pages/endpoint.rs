//! One endpoint: what is wrong with it, how it fares, how it is set, and what may be done with it.
//!
//! Reads the endpoint, its attempts of a day, its secrets and its newest deliveries; each button is
//! one operation of the API. Never shows a secret.

mod acts;
mod deliveries;
mod facts;
mod health;
mod known;
mod secrets;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};

use self::acts::Act;
use self::deliveries::Failure;
use self::facts::Fact;
use self::health::{Day, Stats, Tile, Trouble};
use self::known::Endpoint;
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, link};
use crate::token::Scope;

/// What the address of an endpoint shows at most, in bytes.
const URL_BYTES_MAX: usize = 512;
/// The deliveries that the page can show, and what that is called.
const STATES: [(&str, &str); 4] =
    [("", "All"), ("pending", "Pending"), ("done", "Done"), ("dead", "Dead")];

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/endpoints/{id}", get(show))
        .route("/endpoints/{id}/ping", post(acts::ping))
        .route("/endpoints/{id}/pause", post(acts::pause))
        .route("/endpoints/{id}/resume", post(acts::resume))
        .route("/endpoints/{id}/enable", post(acts::enable))
        .route("/endpoints/{id}/disable", get(acts::confirm_disable).post(acts::disable))
        .route("/endpoints/{id}/delete", get(acts::confirm_delete).post(acts::delete))
        .route("/endpoints/{id}/rotate", get(secrets::show).post(secrets::rotate))
}

/// A link to the same page with other deliveries.
struct Choice {
    label: &'static str,
    href: String,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "endpoint.html")]
struct EndpointPage {
    frame: Frame,
    /// Where the gateway says that something has changed here.
    stream: String,
    name: String,
    url: Markup,
    standing: Markup,
    acts: Vec<Act>,
    /// Whether it is changed in the configuration, by who may change it at all.
    is_of_file: bool,
    troubles: Vec<Trouble>,
    failure: Option<Failure>,
    tiles: Vec<Tile>,
    day: Day,
    facts: Vec<Fact>,
    secrets: Vec<secrets::Row>,
    choices: Vec<Choice>,
    deliveries: Vec<deliveries::Row>,
    is_filtered: bool,
    older: Option<String>,
    /// Its dead letters.
    dead: String,
    /// Where all of them are replayed, by who may.
    replay: Option<String>,
}

async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    let own = link::below("/v1/endpoints", &id);
    let stats_path = format!("{own}/stats");
    let endpoint: Endpoint = visitor.get(&own).await?;
    let (stats, secrets, newest, waiting) = tokio::join!(
        visitor.get::<Stats>(&stats_path),
        secrets::secrets(&visitor, &id),
        deliveries::newest(&visitor, &id),
        deliveries::waiting(&visitor, &id),
    );
    let (stats, newest) = (stats?, newest?);
    let now = visitor.now();
    let troubles = health::troubles(now, &endpoint);
    let failure = match troubles.is_empty() {
        true => None,
        false => newest.failure(&visitor).await,
    };
    let state = visitor.asked.text("state");
    let may_write = visitor.can(Scope::Write);
    Ok(page(&EndpointPage {
        frame: visitor.frame(Section::Endpoints, endpoint.name.clone()),
        stream: link::with_query("/v1/deliveries/stream", [("endpoint", &*id)]),
        url: markup::long(&endpoint.url, URL_BYTES_MAX),
        standing: endpoint.standing(),
        acts: if may_write { acts::acts(&endpoint) } else { Vec::new() },
        is_of_file: may_write && !endpoint.is_of_api(),
        troubles,
        failure,
        tiles: health::tiles(now, &stats, waiting?),
        day: health::day(now, &stats),
        facts: facts::facts(now, &endpoint),
        secrets: secrets?.rows(now),
        choices: choices(&id, state),
        deliveries: newest.rows(now),
        is_filtered: !state.is_empty(),
        older: newest.older(&endpoint, state),
        dead: dead(&endpoint),
        replay: visitor.can(Scope::Replay).then(|| replay(&id)),
        name: endpoint.name,
    }))
}

/// The dead letters of an endpoint, which call it by its name in the configuration, or by its id in
/// another form.
fn dead(endpoint: &Endpoint) -> String {
    let name = match endpoint.is_of_api() {
        true => endpoint.id.replacen('_', "-", 1),
        false => endpoint.name.clone(),
    };
    link::with_query("/dead", [("kind", "delivery"), ("name", &*name)])
}

/// The preview of a replay of all of them.
fn replay(id: &str) -> String {
    link::with_query("/dead/replay", [("kind", "delivery"), ("endpoint", id)])
}

/// Links to the deliveries in each state.
fn choices(id: &str, state: &str) -> Vec<Choice> {
    let place = link::below("/endpoints", id);
    let choice = |(value, label): (&'static str, &'static str)| Choice {
        label,
        href: link::with_query(&place, [("state", value)]),
        is_current: value == state,
    };
    STATES.map(choice).into()
}
