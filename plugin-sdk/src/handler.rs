//! The trait of a handler: the team's own logic, run on events.
//!
//! When a handler returns `Ok`, the gateway commits all that it asked for through [`crate::outbox`]
//! and [`crate::state`] together with the record of the run. When it fails or panics, the gateway
//! commits none of it.

use crate::bindings::handler::exports::hookgate::plugin::handler as exported;
use crate::event::{Event, Failure};
use crate::{log, settings};

pub use exported::{Context, HandlerInfo};

/// The team's own logic on events.
pub trait Handler {
    /// Describes the handler. The gateway calls this once, at load.
    fn describe() -> HandlerInfo;

    /// Checks the operator's settings, a JSON object; an error says what is wrong with them. The
    /// gateway calls this at load and when the configuration changes. The default accepts no
    /// settings.
    fn check(settings: &str) -> Result<(), String> {
        settings::none(settings)
    }

    /// Handles one event. Events of one subject arrive in order and one at a time. After a failure
    /// or a crash the gateway may call this again for the same event; then no effect of the earlier
    /// try has taken place.
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
    /// Describes a handler that runs on these event types: `payment.failed`, `payment.*`, or `*`.
    pub fn new(name: &str, version: &str, types: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            types: types.iter().map(ToString::to_string).collect(),
        }
    }
}
