//! The imports of a plugin where there is no gateway: each reads and writes the thread's sandbox.
//!
//! The plugin's code calls free functions, as in WebAssembly, so what they reach has to be found by
//! the thread. Nothing in here is shared between tests.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::log::Level;
use crate::outbox::{Emission, Severity};

/// One thing that a run asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// An event that it adds.
    Emit(Emission),
    /// Bytes for an endpoint.
    Send {
        /// The endpoint's name.
        endpoint: String,
        /// The content type.
        content_type: String,
        /// The body.
        body: Vec<u8>,
    },
    /// An alert for the operator.
    Alert(Severity, String),
}

/// One line that the plugin logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How loud.
    pub level: Level,
    /// The line.
    pub message: String,
}

/// Everything that a call can reach.
#[derive(Debug, Default)]
pub(crate) struct Sandbox {
    pub(crate) settings: Option<String>,
    pub(crate) granted: Vec<String>,
    pub(crate) state: BTreeMap<String, Vec<u8>>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) log: Vec<LogLine>,
}

thread_local! {
    static SANDBOX: RefCell<Sandbox> = RefCell::default();
}

/// Puts another sandbox in place and gives back the one that was.
pub(crate) fn replace(sandbox: Sandbox) -> Sandbox {
    SANDBOX.replace(sandbox)
}

fn reach<T>(call: impl FnOnce(&mut Sandbox) -> T) -> T {
    SANDBOX.with_borrow_mut(call)
}

pub(crate) mod settings {
    pub(crate) fn get() -> String {
        super::reach(|sandbox| sandbox.settings.clone()).unwrap_or_else(|| "{}".to_owned())
    }
}

pub(crate) mod log {
    use super::{Level, LogLine, reach};

    pub(crate) fn write(level: Level, message: &str) {
        reach(|sandbox| sandbox.log.push(LogLine { level, message: message.to_owned() }));
    }
}

pub(crate) mod outbox {
    use super::{Effect, Emission, Severity, reach};
    use crate::event::is_event_type;
    use crate::json::Json;
    use crate::outbox::Refusal;

    pub(crate) fn emit(event: &Emission) -> Result<(), Refusal> {
        if !is_event_type(&event.type_) {
            return Err(Refusal::Invalid(format!("event type `{}`", event.type_)));
        }
        if let Err(error) = Json::parse(event.data.as_bytes()) {
            return Err(Refusal::Invalid(format!("data: {error}")));
        }
        reach(|sandbox| sandbox.effects.push(Effect::Emit(event.clone())));
        Ok(())
    }

    pub(crate) fn send(endpoint: &str, content_type: &str, body: &[u8]) -> Result<(), Refusal> {
        reach(|sandbox| {
            if !sandbox.granted.iter().any(|granted| granted == endpoint) {
                return Err(Refusal::NotGranted(format!("endpoint `{endpoint}`")));
            }
            sandbox.effects.push(Effect::Send {
                endpoint: endpoint.to_owned(),
                content_type: content_type.to_owned(),
                body: body.to_vec(),
            });
            Ok(())
        })
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "the gateway may refuse an alert, a bench does not"
    )]
    pub(crate) fn alert(severity: Severity, message: &str) -> Result<(), Refusal> {
        reach(|sandbox| sandbox.effects.push(Effect::Alert(severity, message.to_owned())));
        Ok(())
    }
}

pub(crate) mod state {
    use super::reach;
    use crate::state::Refusal;

    const KEY_BYTES_MAX: usize = 256;
    const VALUE_BYTES_MAX: usize = 256 * 1024;

    pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
        reach(|sandbox| sandbox.state.get(key).cloned())
    }

    pub(crate) fn set(key: &str, value: &[u8]) -> Result<(), Refusal> {
        if !(1..=KEY_BYTES_MAX).contains(&key.len()) {
            return Err(Refusal::Invalid(format!("key of {} bytes", key.len())));
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(Refusal::TooMuch(format!("value of {} bytes", value.len())));
        }
        reach(|sandbox| sandbox.state.insert(key.to_owned(), value.to_vec()));
        Ok(())
    }

    pub(crate) fn delete(key: &str) {
        reach(|sandbox| sandbox.state.remove(key));
    }
}
