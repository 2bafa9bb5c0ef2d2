//! What the runs that one receipt causes may emit, as the gateway limits it: the length of a chain
//! of emissions, their number and their bytes.
//!
//! The gateway divides what a receipt may cause among events, handlers and emissions; a test sets
//! the share of its run. Nothing here emits anything.

use serde_json::json;

use super::contract::{self, ALERT_TYPE};
use super::doors::Effect;
use crate::event::Event;
use crate::handler::Context;
use crate::limits::{CHAIN_MAX, EMITTED_BYTES, EMITTED_EVENTS};
use crate::outbox::Severity;

/// The label on it.
const SEVERITY: &str = "severity";

/// What a run may emit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub(super) events: usize,
    pub(super) bytes: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { events: EMITTED_EVENTS, bytes: EMITTED_BYTES }
    }
}

impl Allowance {
    /// Checks the effects of a run on an event that this number of emissions led to.
    pub(super) fn check(
        self,
        chain: usize,
        effects: &[Effect],
        event: &Event,
        context: &Context,
    ) -> Result<(), String> {
        let sizes: Vec<usize> =
            effects.iter().filter_map(|effect| size(effect, event, context)).collect();
        if sizes.is_empty() {
            return Ok(());
        }
        if chain >= CHAIN_MAX {
            return Err(format!("the chain of emitted events is longer than {CHAIN_MAX}"));
        }
        let (count, bytes) = (sizes.len(), sizes.iter().sum::<usize>());
        let Self { events: events_max, bytes: bytes_max } = self;
        if count <= events_max && bytes <= bytes_max {
            return Ok(());
        }
        Err(format!(
            "the run emits {count} events of {bytes} bytes together, but its share of the \
             receipt's allowance is {events_max} events of {bytes_max} bytes \
             (limits.emitted_events = {EMITTED_EVENTS}, limits.emitted_bytes = {EMITTED_BYTES})"
        ))
    }
}

/// The bytes of the event that an effect adds, if it adds one.
fn size(effect: &Effect, event: &Event, context: &Context) -> Option<usize> {
    match effect {
        Effect::Emit(emission) => Some(contract::emission_bytes(emission)),
        Effect::Send { .. } => None,
        Effect::Alert(severity, message) => {
            let severity = match severity {
                Severity::Info => "info",
                Severity::Warning => "warning",
                Severity::Critical => "critical",
            };
            let data = json!({
                "severity": severity,
                "message": message,
                "event": context.event_id,
                "run": context.run_id,
            });
            let subject = event.subject.as_ref().map_or(0, String::len);
            let label = SEVERITY.len() + severity.len();
            Some(ALERT_TYPE.len() + subject + label + data.to_string().len())
        }
    }
}
