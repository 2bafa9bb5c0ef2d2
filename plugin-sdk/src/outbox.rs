//! What a run asks for.
//!
//! Nothing here happens before the run commits. A refusal asked for nothing, and `?` turns it into
//! a permanent failure, for the next try would be refused as well.

#[cfg(target_family = "wasm")]
use crate::bindings::handler::hookgate::plugin::outbox as door;
use crate::event::Failure;
#[cfg(not(target_family = "wasm"))]
use crate::testing::doors::outbox as door;

pub use crate::bindings::handler::hookgate::plugin::outbox::{Emission, Refusal, Severity};

/// Adds an event. It reaches other handlers, and of the endpoints that subscribe to its type those
/// that the operator granted to this plugin.
pub fn emit(event: &Emission) -> Result<(), Refusal> {
    door::emit(event)
}

/// Sends these bytes, signed, to an endpoint that the operator granted to this plugin.
pub fn send(endpoint: &str, content_type: &str, body: &[u8]) -> Result<(), Refusal> {
    door::send(endpoint, content_type, body)
}

/// Tells the operator.
pub fn alert(severity: Severity, message: &str) -> Result<(), Refusal> {
    door::alert(severity, message)
}

impl Emission {
    /// An event about no particular subject or amount. `data` is a JSON document.
    pub fn new(event_type: impl Into<String>, data: impl Into<String>) -> Self {
        Self {
            type_: event_type.into(),
            subject: None,
            money: None,
            labels: Vec::new(),
            data: data.into(),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::permanent(match refusal {
            Refusal::NotGranted(what) => format!("not granted: {what}"),
            Refusal::Invalid(what) => format!("refused as invalid: {what}"),
            Refusal::TooMuch(what) => format!("asked for too much: {what}"),
        })
    }
}
