//! The effects that a run asks for: events, deliveries and alerts.
//!
//! The gateway carries out none of them before the run commits. If it refuses one, only that one is
//! missing; `?` turns the refusal into a permanent failure, because the next try would be refused
//! too.

use serde::Serialize;

#[cfg(target_family = "wasm")]
use crate::bindings::handler::hookgate::plugin::outbox as door;
use crate::event::Failure;
#[cfg(not(target_family = "wasm"))]
use crate::testing::doors::outbox as door;

pub use crate::bindings::handler::hookgate::plugin::outbox::{Emission, Refusal, Severity};

/// Adds an event. It reaches other handlers, and those endpoints that subscribe to its type and
/// that the operator granted to this plugin.
pub fn emit(event: &Emission) -> Result<(), Refusal> {
    door::emit(event)
}

/// Sends these bytes, signed, to an endpoint that the operator granted to this plugin.
pub fn send(endpoint: &str, content_type: &str, body: &[u8]) -> Result<(), Refusal> {
    door::send(endpoint, content_type, body)
}

/// Sends a value as JSON, signed, to an endpoint that the operator granted to this plugin.
pub fn send_json<T: Serialize + ?Sized>(endpoint: &str, value: &T) -> Result<(), Failure> {
    Ok(send(endpoint, "application/json", &serde_json::to_vec(value)?)?)
}

/// Alerts the operator: the gateway logs and counts the alert, shows it with the run, and emits it
/// as an event of type `hookgate.alert`.
pub fn alert(severity: Severity, message: &str) -> Result<(), Refusal> {
    door::alert(severity, message)
}

impl Emission {
    /// An event without subject, amount and labels. `data` is a JSON document.
    pub fn new(event_type: impl Into<String>, data: impl Into<String>) -> Self {
        Self {
            type_: event_type.into(),
            subject: None,
            money: None,
            labels: Vec::new(),
            data: data.into(),
            tenant: None,
        }
    }

    /// An event without subject, amount and labels, whose data is this value as JSON.
    pub fn json<T: Serialize + ?Sized>(
        event_type: impl Into<String>,
        value: &T,
    ) -> Result<Self, Failure> {
        Ok(Self::new(event_type, serde_json::to_string(value)?))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::permanent(match refusal {
            Refusal::NotGranted(what) => format!("not granted: {what}"),
            Refusal::Invalid(what) => format!("invalid effect: {what}"),
            Refusal::TooMuch(what) => format!("limit exceeded: {what}"),
        })
    }
}
