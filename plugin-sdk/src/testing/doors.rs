//! The imports of a plugin in a native test: each reads and writes the sandbox of its thread.
//!
//! A plugin calls free functions, as in WebAssembly, so they find their sandbox by the thread.
//! Tests never share one.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::limits::{EFFECTS_MAX, VALUE_BYTES_MAX, YIELD_BYTES_MAX};
use crate::log::Level;
use crate::outbox::{Emission, Severity};

/// An effect that a run asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// An event that the run adds.
    Emit(Emission),
    /// Bytes that the run sends to an endpoint.
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
    /// The level.
    pub level: Level,
    /// The text.
    pub message: String,
}

/// What a call is for, which decides what it may ask for.
#[derive(Debug, Default)]
pub(crate) enum Occasion {
    /// No call of the gateway: a test calls a function of the plugin by itself.
    #[default]
    Bare,
    /// A run of a handler, which declares that it emits these types.
    Run(Vec<String>),
    /// Any other call, which may ask for nothing.
    Other,
}

/// Everything that a call can read and change.
#[derive(Debug, Default)]
pub(crate) struct Sandbox {
    pub(crate) settings: Option<String>,
    pub(crate) granted: Vec<String>,
    pub(crate) occasion: Occasion,
    pub(crate) state: BTreeMap<String, Vec<u8>>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) log: Vec<LogLine>,
    /// The number of lines beyond the limit.
    pub(crate) dropped: usize,
    /// The reason why the gateway would have ended the call, if it would have.
    pub(crate) broken: Option<String>,
    /// The keys of the state that the call set or deleted, and the bytes of each.
    pub(crate) written: BTreeMap<String, usize>,
    /// The bytes of all effects that the call asked for.
    pub(crate) bytes: usize,
}

impl Sandbox {
    /// Whether this call may ask for effects; an error says why not.
    fn may_ask(&self) -> Result<(), String> {
        match self.occasion {
            Occasion::Bare | Occasion::Run(_) => Ok(()),
            Occasion::Other => Err("only `handle` may ask for effects".to_owned()),
        }
    }

    /// Adds an effect, or says which limit of a run it would exceed.
    fn ask(&mut self, effect: Effect, bytes: usize) -> Result<(), String> {
        self.weigh(1, bytes, 0)?;
        self.effects.push(effect);
        Ok(())
    }

    /// Counts a key of the state that the call sets or deletes.
    fn write(&mut self, key: &str, bytes: usize) -> Result<(), String> {
        let before = self.written.get(key).copied();
        self.weigh(usize::from(before.is_none()), bytes, before.unwrap_or(0))?;
        self.written.insert(key.to_owned(), bytes);
        Ok(())
    }

    fn weigh(&mut self, more: usize, bytes: usize, freed: usize) -> Result<(), String> {
        if self.effects.len() + self.written.len() + more > EFFECTS_MAX {
            return Err(format!("a run has at most {EFFECTS_MAX} effects"));
        }
        let bytes = self.bytes - freed + bytes;
        if bytes > YIELD_BYTES_MAX {
            return Err(format!("the effects of a run have at most {YIELD_BYTES_MAX} bytes"));
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Ends the call if it passes too much at once, as the gateway does.
    fn pass(&mut self, bytes: usize) {
        if bytes > VALUE_BYTES_MAX {
            let reason = format!("`a value` has more than {VALUE_BYTES_MAX} bytes");
            self.broken.get_or_insert(reason);
        }
    }
}

thread_local! {
    static SANDBOX: RefCell<Sandbox> = RefCell::default();
}

/// Puts another sandbox in place and returns the one before.
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
    use crate::limits::{LOG_LINE_BYTES_MAX, LOG_LINES_MAX};
    use crate::testing::contract::shortened;

    pub(crate) fn write(level: Level, message: &str) {
        reach(|sandbox| {
            sandbox.pass(message.len());
            if sandbox.log.len() < LOG_LINES_MAX {
                let message = shortened(message, LOG_LINE_BYTES_MAX);
                sandbox.log.push(LogLine { level, message });
            } else {
                sandbox.dropped += 1;
            }
        });
    }
}

pub(crate) mod outbox {
    use super::{Effect, Emission, Occasion, Severity, reach};
    use crate::limits::TEXT_BYTES_MAX;
    use crate::outbox::Refusal;
    use crate::testing::contract::{self, shortened};

    /// Longest name of an endpoint that a refusal shows, in bytes.
    const NAME_BYTES_MAX: usize = 63;

    pub(crate) fn emit(event: &Emission) -> Result<(), Refusal> {
        let bytes = contract::emission_bytes(event);
        reach(|sandbox| {
            sandbox.pass(bytes);
            sandbox.may_ask().map_err(Refusal::Invalid)?;
            if let Some(tenant) = &event.tenant {
                let shown = shortened(tenant, NAME_BYTES_MAX);
                let reason = format!("the operator has not granted the tenant `{shown}`");
                return Err(Refusal::NotGranted(reason));
            }
            let declared = match &sandbox.occasion {
                Occasion::Run(emits) => Some(emits.as_slice()),
                Occasion::Bare | Occasion::Other => None,
            };
            contract::emission(event, declared).map_err(Refusal::Invalid)?;
            sandbox.ask(Effect::Emit(event.clone()), bytes).map_err(Refusal::TooMuch)
        })
    }

    pub(crate) fn send(endpoint: &str, content_type: &str, body: &[u8]) -> Result<(), Refusal> {
        reach(|sandbox| {
            sandbox.pass(endpoint.len() + content_type.len() + body.len());
            sandbox.may_ask().map_err(Refusal::Invalid)?;
            if !sandbox.granted.iter().any(|granted| granted == endpoint) {
                let shown = shortened(endpoint, NAME_BYTES_MAX);
                let reason = format!("the operator has not granted the endpoint `{shown}`");
                return Err(Refusal::NotGranted(reason));
            }
            contract::content_type("content-type", content_type).map_err(Refusal::Invalid)?;
            let effect = Effect::Send {
                endpoint: endpoint.to_owned(),
                content_type: content_type.to_owned(),
                body: body.to_vec(),
            };
            sandbox.ask(effect, body.len()).map_err(Refusal::TooMuch)
        })
    }

    pub(crate) fn alert(severity: Severity, message: &str) -> Result<(), Refusal> {
        reach(|sandbox| {
            sandbox.pass(message.len());
            sandbox.may_ask().map_err(Refusal::Invalid)?;
            let message = shortened(message, TEXT_BYTES_MAX);
            let bytes = message.len();
            sandbox.ask(Effect::Alert(severity, message), bytes).map_err(Refusal::TooMuch)
        })
    }
}

pub(crate) mod state {
    use super::reach;
    use crate::limits::{STATE_KEY_BYTES_MAX, STATE_VALUE_BYTES_MAX};
    use crate::state::Refusal;

    pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
        reach(|sandbox| {
            sandbox.pass(key.len());
            sandbox.state.get(key).cloned()
        })
    }

    pub(crate) fn set(key: &str, value: &[u8]) -> Result<(), Refusal> {
        reach(|sandbox| {
            sandbox.pass(key.len() + value.len());
            sandbox.may_ask().map_err(Refusal::Invalid)
        })?;
        if !is_key(key) {
            let reason = format!("a key has 1 to {STATE_KEY_BYTES_MAX} bytes, not {}", key.len());
            return Err(Refusal::Invalid(reason));
        }
        if value.len() > STATE_VALUE_BYTES_MAX {
            let reason = format!("a value has at most {STATE_VALUE_BYTES_MAX} bytes");
            return Err(Refusal::TooMuch(reason));
        }
        reach(|sandbox| {
            sandbox.write(key, key.len() + value.len()).map_err(Refusal::TooMuch)?;
            sandbox.state.insert(key.to_owned(), value.to_vec());
            Ok(())
        })
    }

    /// This import returns nothing, so the gateway ends a call that it refuses.
    pub(crate) fn delete(key: &str) {
        reach(|sandbox| {
            sandbox.pass(key.len());
            let deleted = sandbox.may_ask().and_then(|()| match is_key(key) {
                true => sandbox.write(key, key.len()),
                false => Ok(()),
            });
            match deleted {
                Ok(()) => drop(sandbox.state.remove(key)),
                Err(reason) => {
                    let first = sandbox.broken.take();
                    sandbox.broken = first.or_else(|| Some(format!("`state.delete` {reason}")));
                }
            }
        });
    }

    fn is_key(key: &str) -> bool {
        (1..=STATE_KEY_BYTES_MAX).contains(&key.len())
    }
}
