//! The trait of a handler: the team's own logic, run on events.
//!
//! What a handler asks for through [`crate::outbox`] and [`crate::state`] happens together with the
//! record of the run when it returns `Ok`, and not at all when it fails or panics.

use crate::bindings::handler::exports::hookgate::plugin::handler as exported;
use crate::event::{Event, Failure};
use crate::{log, settings};

pub use exported::{Context, HandlerInfo};

/// What to do about events.
pub trait Handler {
    /// What the gateway needs to know once, at load.
    fn describe() -> HandlerInfo;

    /// Whether the operator's settings, a JSON object, can be worked with; if not, why. Called at
    /// load and when the configuration changes. A handler without settings refuses any.
    fn check(settings: &str) -> Result<(), String> {
        settings::none(settings)
    }

    /// Handles one event. Events of one subject come in order and one at a time. May run again for
    /// the same event, after a failure or a crash: then nothing of the earlier try has happened.
    fn handle(event: &Event, context: &Context) -> Result<(), Failure>;
}

impl<H: Handler> exported::Guest for H {
    fn describe() -> HandlerInfo {
        log::panics();
        <H as Handler>::describe()
    }

    fn check() -> Result<(), String> {
        log::panics();
        <H as Handler>::check(&settings::text())
    }

    fn handle(event: Event, context: Context) -> Result<(), Failure> {
        log::panics();
        <H as Handler>::handle(&event, &context)
    }
}

impl HandlerInfo {
    /// A handler that runs on these event types: `payment.failed`, `payment.*`, or `*`.
    pub fn new(name: &str, version: &str, types: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            types: types.iter().map(ToString::to_string).collect(),
        }
    }
}
