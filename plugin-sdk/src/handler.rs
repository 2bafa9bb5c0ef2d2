//! The trait of a handler: the team's own logic, run on events.
//!
//! When a handler returns `Ok`, the gateway commits all that it asked for through [`crate::outbox`]
//! and [`crate::state`] together with the record of the run. When it fails or panics, the gateway
//! commits none of it.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::bindings::handler::exports::hookgate::plugin::handler as exported;
use crate::event::{Event, Failure};
use crate::log;
use crate::setting::Setting;
use crate::settings::{self, Rules};

pub use exported::{Context, HandlerInfo, Replay, StateRule};

/// The team's own logic on events.
pub trait Handler {
    /// The operator's settings, the `config` of this handler: any type that serde reads from a JSON
    /// object; `()` for a handler without settings. It gets only settings that `describe` declares,
    /// each of its kind, with the declared defaults filled in.
    type Settings: DeserializeOwned + 'static;

    /// Describes the handler. The gateway calls this once, at load.
    fn describe() -> HandlerInfo;

    /// Checks what neither the declarations nor the type of the settings can say; an error tells
    /// the operator what is wrong. The gateway checks settings at load and when the configuration
    /// changes.
    fn check(_settings: &Self::Settings) -> Result<(), String> {
        Ok(())
    }

    /// Handles one event. Events of one subject arrive in order and one at a time. After a failure
    /// or a crash the gateway may call this again for the same event; then no effect of the earlier
    /// try has taken place.
    fn handle(event: &Event, context: &Context) -> Result<(), Failure>;

    /// The operator's settings, read and checked once for each call.
    ///
    /// # Panics
    ///
    /// If they are invalid, which the gateway finds out before it runs the handler.
    fn settings() -> &'static Self::Settings {
        settings::get(&rules::<Self>())
    }
}

/// The rules for the settings of a handler.
pub(crate) fn rules<H: Handler + ?Sized>() -> Rules<H::Settings> {
    Rules {
        #[cfg(not(target_family = "wasm"))]
        declared: || H::describe().settings,
        check: H::check,
    }
}

impl<H: Handler> exported::Guest for H {
    fn describe() -> HandlerInfo {
        log::panics();
        <H as Handler>::describe()
    }

    fn check() -> Result<(), String> {
        log::panics();
        settings::check(&rules::<H>())
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
            emits: Vec::new(),
            settings: Vec::new(),
            states: Vec::new(),
        }
    }

    /// With the event types that the handler emits: `ledger.balance`, `ledger.*`, or `*`. The
    /// gateway refuses an emission of any other type.
    #[must_use]
    pub fn emitting(self, types: &[&str]) -> Self {
        Self { emits: types.iter().map(ToString::to_string).collect(), ..self }
    }

    /// With the settings that the plugin reads. The gateway rejects every other setting.
    #[must_use]
    pub fn with_settings(self, settings: impl IntoIterator<Item = Setting>) -> Self {
        Self { settings: settings.into_iter().collect(), ..self }
    }

    /// With a state that a subject may keep for this long: the value of a key, or any value, that
    /// is not set again. Afterwards the subject counts as stuck. Today the gateway only shows the
    /// rule (`hookgate plugin inspect`).
    #[must_use]
    pub fn stuck_after(mut self, key: &str, value: Option<&str>, after: Duration) -> Self {
        self.states.push(StateRule {
            key: key.to_owned(),
            value: value.map(str::to_owned),
            stuck_after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
        });
        self
    }
}
