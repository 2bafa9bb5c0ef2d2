//! The overview of a tenant: its endpoints in trouble, its newest events, its dead deliveries.
//!
//! The API gives nothing but what is the tenant's own. Never shows a figure of the whole gateway.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;

use super::attention::{self, Endpoints, Item};
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::page;
use crate::dashboard::{Failed, Visitor, link};
use crate::event::Timestamp;

/// The newest events.
const EVENTS: &str = "/v1/events?limit=10";
/// The newest deliveries that nobody got.
const DEAD: &str = "/v1/deliveries?state=dead&limit=10";

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    subject: Option<String>,
    state: String,
    recorded_at: Timestamp,
}

#[derive(Deserialize)]
struct Delivery {
    endpoint: To,
    event_id: String,
    #[serde(rename = "type")]
    event_type: Option<String>,
    reason: Option<String>,
    recorded_at: Timestamp,
}

#[derive(Deserialize)]
struct To {
    name: String,
}

/// An event, or a delivery that is dead.
struct Row {
    event: Markup,
    /// The subject, or the endpoint.
    about: String,
    /// Its state, or why it is dead.
    state: Markup,
    at: Markup,
}

#[derive(Template)]
#[template(path = "overview-tenant.html")]
struct TenantPage {
    frame: Frame,
    items: Vec<Item>,
    items_left: Option<String>,
    unseen: Option<String>,
    events: Vec<Row>,
    dead: Vec<Row>,
}

pub(super) async fn show(visitor: Visitor) -> Result<Response, Failed> {
    let (disabled, enabled, events, dead) = tokio::try_join!(
        visitor.get::<Endpoints>(attention::DISABLED),
        visitor.get::<Endpoints>(attention::ENABLED),
        visitor.get::<Page<Event>>(EVENTS),
        visitor.get::<Page<Delivery>>(DEAD),
    )?;
    let now = visitor.now();
    let found = attention::endpoints(now, &disabled.items, &enabled.items);
    let (items, items_left) = attention::first(found);
    let event = |event: &Event| Row {
        event: markup::link(&link::below("/events", &event.id), &event.event_type),
        about: event.subject.clone().unwrap_or_else(|| "-".to_owned()),
        state: markup::state(&event.state),
        at: markup::when(now, event.recorded_at),
    };
    let delivery = |delivery: &Delivery| {
        let event_type = delivery.event_type.as_deref().unwrap_or(&delivery.event_id);
        Row {
            event: markup::link(&link::below("/events", &delivery.event_id), event_type),
            about: delivery.endpoint.name.clone(),
            state: markup::pill(Mood::Bad, delivery.reason.as_deref().unwrap_or("dead")),
            at: markup::when(now, delivery.recorded_at),
        }
    };
    Ok(page(&TenantPage {
        frame: visitor.frame(Section::Overview, "Overview"),
        items,
        items_left,
        unseen: attention::unseen(&disabled, &enabled),
        events: events.items.iter().map(event).collect(),
        dead: dead.items.iter().map(delivery).collect(),
    }))
}
