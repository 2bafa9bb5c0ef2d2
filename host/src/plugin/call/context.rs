//! What one call may reach: the data of its store.
//!
//! Made for the call and taken apart after it, or set up anew for another call in its instance. It
//! answers the guest's imports from memory; the one thing outside that it can reach is the reader
//! of the subject's state.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wasmtime_wasi::{WasiCtxView, WasiView};

use super::effort::Effort;
use super::log::Log;
use super::memory::MemoryLimit;
use super::occasion::Occasion;
use super::outbox::Outbox;
use super::wasi::Wasi;
use crate::effect::{LogLevel, LogLine};
use crate::plugin::Bounds;
use crate::plugin::contract::bindings::hookgate::plugin::{log, outbox, settings, state, types};
use crate::plugin::contract::convert::YIELD_BYTES_MAX;
use crate::plugin::contract::violation::violation;

/// Most bytes that a guest may pass where nobody says. Twice what a call may yield, so that it is
/// the check of the contract that speaks and not this.
const LIFT_BYTES_MAX: usize = 2 * YIELD_BYTES_MAX;

/// The store's data, which is about the present call.
#[derive(Debug)]
pub(in crate::plugin) struct Context {
    pub(super) settings: Arc<str>,
    /// How many calls may be made in its instance, if more than this one.
    pub(super) reuse: Option<NonZeroU32>,
    pub(super) log: Log,
    pub(super) memory: MemoryLimit,
    /// Most bytes that the guest may pass to the host.
    pub(super) lift_bytes_max: usize,
    /// If its time is not what passes.
    pub(super) effort: Option<Effort>,
    /// Ends the call once it is set, if it has an effort.
    pub(super) is_over: Option<Arc<AtomicBool>>,
    /// What a run asks for; none in every other call.
    pub(super) outbox: Option<Outbox>,
    /// Only for plugins that import it.
    pub(super) wasi: Option<Wasi>,
}

impl Context {
    /// For a call with these settings, within these bounds.
    pub(in crate::plugin) fn new(settings: Arc<str>, bounds: &Bounds) -> Self {
        Self {
            settings,
            reuse: bounds.reuse,
            log: Log::new(bounds.log_lines),
            memory: MemoryLimit::new(bounds.memory),
            lift_bytes_max: LIFT_BYTES_MAX,
            effort: None,
            is_over: None,
            outbox: None,
            wasi: None,
        }
    }

    /// Has what is about the call be that of the next one. The memory and the WASI stay, because
    /// they are the instance's: of the latter the call has its own time and randomness.
    pub(super) fn begin_again(&mut self, next: Self, occasion: &Occasion<'_>, plugin: &str) {
        let Self { settings, reuse, log, lift_bytes_max, effort, outbox, .. } = next;
        // What the guest prints comes into this very log.
        self.log.begin_again(&log);
        if let Some(wasi) = &mut self.wasi {
            wasi.begin_again(occasion, plugin);
        }
        (self.settings, self.reuse, self.lift_bytes_max) = (settings, reuse, lift_bytes_max);
        (self.effort, self.outbox) = (effort, outbox);
    }

    /// What the call leaves behind, which the context has no longer.
    pub(super) fn leave(&mut self) -> Left {
        let log = self.log.clone().into_lines();
        Left { log, memory: self.memory.used(), outbox: self.outbox.take() }
    }
}

/// What a call leaves behind that has ended.
#[derive(Debug)]
pub(in crate::plugin) struct Left {
    /// What the guest wrote.
    pub(in crate::plugin) log: Vec<LogLine>,
    /// The bytes of memory that the instance has, which is the most that it had.
    pub(super) memory: usize,
    /// What a run asked for.
    pub(super) outbox: Option<Outbox>,
}

impl AsMut<Wasi> for Context {
    fn as_mut(&mut self) -> &mut Wasi {
        self.wasi.as_mut().expect("a guest that imports WASI is called with it")
    }
}

impl WasiView for Context {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.as_mut().view()
    }
}

impl settings::Host for Context {
    fn get(&mut self) -> wasmtime::Result<String> {
        Ok(self.settings.as_ref().to_owned())
    }
}

impl log::Host for Context {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        self.log.write(level, &message);
        Ok(())
    }
}

impl types::Host for Context {}

const ONLY_IN_HANDLE: &str = "only `handle` may ask for effects";

impl outbox::Host for Context {
    fn emit(&mut self, event: outbox::Emission) -> wasmtime::Result<Result<(), outbox::Refusal>> {
        Ok(match &mut self.outbox {
            Some(outbox) => outbox.emit(event),
            None => Err(outbox::Refusal::Invalid(ONLY_IN_HANDLE.to_owned())),
        })
    }

    fn send(
        &mut self,
        endpoint: String,
        content_type: String,
        body: Vec<u8>,
    ) -> wasmtime::Result<Result<(), outbox::Refusal>> {
        Ok(match &mut self.outbox {
            Some(outbox) => outbox.send(&endpoint, content_type, body),
            None => Err(outbox::Refusal::Invalid(ONLY_IN_HANDLE.to_owned())),
        })
    }

    fn alert(
        &mut self,
        severity: outbox::Severity,
        message: String,
    ) -> wasmtime::Result<Result<(), outbox::Refusal>> {
        Ok(match &mut self.outbox {
            Some(outbox) => outbox.alert(severity, &message),
            None => Err(outbox::Refusal::Invalid(ONLY_IN_HANDLE.to_owned())),
        })
    }
}

impl state::Host for Context {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        match &mut self.outbox {
            Some(outbox) => Ok(outbox.state(&key)?),
            None => Ok(None),
        }
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), state::Refusal>> {
        Ok(match &mut self.outbox {
            Some(outbox) => outbox.set(key, value),
            None => Err(state::Refusal::Invalid(ONLY_IN_HANDLE.to_owned())),
        })
    }

    fn delete(&mut self, key: String) -> wasmtime::Result<()> {
        match &mut self.outbox {
            Some(outbox) => Ok(outbox.delete(key)?),
            None => Err(violation("state.delete", ONLY_IN_HANDLE).into()),
        }
    }
}
