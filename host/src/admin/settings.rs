//! What the gateway is set to, as its configuration says it: without secrets.
//!
//! Whoever knows the configuration gives it in outline. Never shows a value that may be a secret,
//! and changes nothing: the file is where settings are changed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde_json::{Value, json};

use super::Admin;
use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::schema::Schemas;
use crate::token::Scope;

pub(super) static OPERATIONS: [Operation; 1] = [Operation {
    verb: Verb::Get,
    path: "/v1/settings",
    id: "getSettings",
    summary: "Shows the configuration that the gateway runs with, in outline and without secrets.",
    need: Need::Scope(Scope::Read),
    tenants: Tenants::Operator,
    turn: Turn::Shared,
    parameters: &[],
    body: None,
    answers: &[Answer::ok("The configuration in outline.", outline)],
    problems: &[],
    handler: || get(show),
}];

/// Gives the configuration in outline, as it is whenever somebody asks.
#[derive(Clone)]
pub(crate) struct Settings(pub(crate) Arc<dyn Fn() -> Value + Send + Sync>);

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Settings(..)")
    }
}

fn outline(_: &mut Schemas) -> Value {
    json!({
        "type": "object",
        "description": "The configuration that the gateway runs with.",
        "required": ["version", "configuration"],
        "properties": {
            "version": { "type": "string", "description": "Of Hookgate." },
            "configuration": {
                "type": "object",
                "description": "Its tables and keys; their number may grow.",
                "additionalProperties": true,
            },
        },
    })
}

async fn show(State(admin): State<Arc<Admin>>) -> Json<Value> {
    let configuration = (admin.settings.0)();
    Json(json!({ "version": env!("CARGO_PKG_VERSION"), "configuration": configuration }))
}
