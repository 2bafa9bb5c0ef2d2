//! The event types that there are, as far as anything says so: what plugins bring, emit and handle,
//! what the gateway raises itself, and what came lately.
//!
//! For whoever chooses what an endpoint is to receive. Never says that an event of a type comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use serde_json::{Value, json};

use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::problem::Kind;
use super::reach::Reach;
use super::schema::Schemas;
use super::{Admin, Problem};
use crate::plugin::Plugin;
use crate::store::Hour;
use crate::token::Scope;

pub(super) static OPERATIONS: [Operation; 1] = [Operation {
    verb: Verb::Get,
    path: "/v1/event-types",
    id: "listEventTypes",
    summary: "Lists the event types that plugins and the gateway know, and those that came lately.",
    need: Need::Scope(Scope::Read),
    tenants: Tenants::Open,
    turn: Turn::Shared,
    parameters: &[],
    body: None,
    answers: &[Answer::ok("The event types.", page)],
    problems: &[Kind::Damaged],
    handler: || get(list),
}];

/// What the gateway raises itself, and when.
const OWN: [(&str, &str); 13] = [
    ("hookgate.alert", "A handler notifies the operator."),
    ("hookgate.ping", "Somebody pings an endpoint."),
    ("hookgate.endpoint.failing", "An endpoint has failed for half of the time that disables it."),
    ("hookgate.endpoint.disabled", "An endpoint is disabled: no delivery goes to it."),
    ("hookgate.endpoint.recovered", "An endpoint that failed or was disabled works again."),
    ("hookgate.secret.expiring", "A secret of an endpoint expires within a day."),
    ("hookgate.plugin.failed", "A plugin fails again and again, and the gateway pauses its work."),
    ("hookgate.plugin.reloaded", "Another version of a plugin runs."),
    ("hookgate.plugin.refused", "The file of a plugin can't run."),
    ("hookgate.plugin.canary", "A canary of a handler is promoted, dropped or gone."),
    ("hookgate.source.silent", "A source brings less than its configuration expects."),
    ("hookgate.backlog.growing", "More and more work waits for one source, handler or endpoint."),
    ("hookgate.disk.low", "The disk has reached its high-water mark."),
];

/// The canonical types, which mean the same for every provider.
const CANONICAL: [(&str, &str); 17] = [
    ("payment.created", "A payment was created; no money moved."),
    ("payment.authorized", "Money of the payer is reserved."),
    ("payment.succeeded", "The payer has paid."),
    ("payment.failed", "The payment was declined or failed."),
    ("payment.canceled", "The payment was given up before the payer paid."),
    ("refund.initiated", "Somebody requested a refund."),
    ("refund.succeeded", "The payer got money back."),
    ("refund.failed", "The payer did not get the money back."),
    ("dispute.opened", "The payer or the payer's bank disputes a payment."),
    ("dispute.won", "The receiver keeps the disputed money."),
    ("dispute.lost", "The receiver loses the disputed money."),
    ("subscription.created", "A subscription was created."),
    ("subscription.updated", "A subscription changed."),
    ("subscription.canceled", "A subscription ended."),
    ("invoice.paid", "An invoice was paid."),
    ("invoice.failed", "The payment of an invoice failed."),
    ("fraud.alert", "The provider suspects fraud."),
];

/// An event type.
#[derive(Debug, Default, Serialize)]
struct EventType {
    name: String,
    description: Option<String>,
    example: Option<Value>,
    /// The plugins that know it.
    from: Vec<String>,
}

/// All of them, by name.
#[derive(Debug, Default)]
struct EventTypes(BTreeMap<String, EventType>);

impl EventTypes {
    fn of(&mut self, name: &str) -> &mut EventType {
        let new = || EventType { name: name.to_owned(), ..EventType::default() };
        self.0.entry(name.to_owned()).or_insert_with(new)
    }

    fn add_own(&mut self) {
        for (name, description) in OWN {
            self.of(name).description = Some(description.to_owned());
        }
    }

    /// Adds what a plugin's samples become, what it describes, and what its handler handles and
    /// emits. A pattern is no type.
    fn add_plugin(&mut self, plugin: &Plugin) {
        for (name, example) in plugin.events() {
            let known = self.of(name);
            if known.example.is_none() && !example.is_null() {
                known.example = Some(example.clone());
            }
            known.add_from(plugin.name().as_str());
        }
        for (name, said) in plugin.descriptions().iter().filter(|(name, _)| !name.ends_with('*')) {
            let known = self.of(name);
            known.description.get_or_insert_with(|| said.clone());
            known.add_from(plugin.name().as_str());
        }
        let handler = plugin.handler();
        let patterns = handler.into_iter().flat_map(|info| info.types.iter().chain(&info.emits));
        for name in patterns.map(ToString::to_string).filter(|name| !name.ends_with('*')) {
            self.of(&name).add_from(plugin.name().as_str());
        }
    }

    /// Says of the canonical ones what they are, whatever a plugin says.
    fn describe_canonical(&mut self) {
        for (name, said) in CANONICAL {
            if let Some(known) = self.0.get_mut(name) {
                known.description = Some(said.to_owned());
            }
        }
    }

    fn add_seen(&mut self, hours: &[Hour]) {
        for counted in hours.iter().flat_map(|hour| &hour.events) {
            // Where types are too many, the others are counted as a pattern.
            if !counted.event_type.ends_with('*') {
                self.of(&counted.event_type);
            }
        }
    }
}

impl EventType {
    fn add_from(&mut self, plugin: &str) {
        if self.from.last().is_none_or(|last| last != plugin) {
            self.from.push(plugin.to_owned());
        }
    }
}

fn page(_: &mut Schemas) -> Value {
    json!({
        "type": "object",
        "required": ["event_types"],
        "properties": {
            "event_types": {
                "type": "array",
                "description": "By name.",
                "items": {
                    "type": "object",
                    "required": ["name", "description", "example", "from"],
                    "properties": {
                        "name": { "type": "string" },
                        "description": {
                            "type": ["string", "null"],
                            "description": "Null if neither the gateway nor a plugin has one.",
                        },
                        "example": {
                            "description": "An event of this type; null if nothing has one.",
                        },
                        "from": {
                            "type": "array",
                            "description": "The plugins that bring, emit or handle it.",
                            "items": { "type": "string" },
                        },
                    },
                },
            },
        },
    })
}

async fn list(State(admin): State<Arc<Admin>>, reach: Reach) -> Result<Json<Value>, Problem> {
    let mut types = EventTypes::default();
    types.add_own();
    for plugin in admin.registry.list() {
        types.add_plugin(&plugin);
    }
    // What came is somebody's.
    if reach.is_all() {
        types.add_seen(&admin.store.hours(None, None).await?);
    }
    types.describe_canonical();
    let all: Vec<EventType> = types.0.into_values().collect();
    Ok(Json(json!({ "event_types": all })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use crate::store::EventCount;

    #[test]
    fn each_type_is_there_once_with_what_is_known_of_it() {
        let seen = |name: &str| EventCount {
            source: "shop".to_owned(),
            event_type: name.to_owned(),
            count: 1,
        };
        let hour = Hour {
            hour: Timestamp(0),
            receipts: BTreeMap::new(),
            events: vec![seen("order.paid"), seen("*"), seen("hookgate.ping")],
            tries: Vec::new(),
        };
        let mut types = EventTypes::default();
        types.add_own();
        types.add_seen(&[hour.clone(), hour]);
        types.of("order.paid").add_from("shop");
        types.of("order.paid").add_from("shop");

        assert_eq!(types.0.len(), OWN.len() + 1, "a pattern is no type");
        assert_eq!(types.0["order.paid"].from, ["shop"]);
        assert!(types.0["hookgate.ping"].description.is_some());
    }
}
