//! An instance of a plugin, in a store of its own.
//!
//! What bounds a call belongs to that call: its deadline, its log, what it may pass. Only the
//! memory is the instance's. Never says which call may follow which in one instance.

use std::time::{Duration, Instant};

use wasmtime::component::Instance;
use wasmtime::{Store, UpdateDeadline};

use super::context::Context;
use super::effort::Effort;
use super::error::CallError;
use super::occasion::Occasion;
use super::outbox::Outbox;
use super::trap::{self, Ran};
use super::wasi::Wasi;
use crate::plugin::used::{Call, Took};
use crate::plugin::{Plugin, engine};

/// Most handles that a guest may hold at once.
const HANDLES_MAX: usize = 1_000;

/// A store, and in it the instance as soon as it is called.
pub(super) struct Sandbox<'p> {
    plugin: &'p Plugin,
    store: Store<Context>,
    instance: Option<Instance>,
    /// How long the present call may take.
    deadline: Duration,
    /// When it began.
    began: Instant,
    /// Whether the instance was there before it.
    reused: bool,
}

impl<'p> Sandbox<'p> {
    /// For a call, whose deadline begins now. To be made, called and dropped on one thread with a
    /// stack for guests, outside of the async runtime.
    pub(super) fn new(
        plugin: &'p Plugin,
        mut context: Context,
        occasion: &Occasion<'_>,
        deadline: Duration,
    ) -> Self {
        let began = Instant::now();
        if plugin.wasi {
            context.wasi = Some(Wasi::of(occasion, &plugin.digest, &context.log));
        }
        let mut store = Store::new(plugin.pre.engine(), context);
        store.limiter(|context| &mut context.memory);
        store.set_max_component_handles(HANDLES_MAX);
        let mut sandbox = Self { plugin, store, instance: None, deadline, began, reused: false };
        // Before instantiating, which runs code of the guest too.
        sandbox.bound();
        sandbox
    }

    /// Makes the instance if there is none yet, and a call in it.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Store<Context>, &Instance) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        self.reused = self.instance.is_some();
        let instance = match self.instance {
            Some(instance) => Ok(instance),
            None => self.plugin.pre.instantiate(&mut self.store),
        };
        let result = instance.and_then(|instance| {
            self.instance = Some(instance);
            call(&mut self.store, &instance)
        });
        result.map_err(|error| self.judge(&error))
    }

    /// Whether another call may be made in it that must give what it gives in a fresh one.
    ///
    /// With WASI a guest may have drawn its randomness for good, and read a clock that starts anew
    /// for each call. One that was refused memory is not as its authors know it.
    pub(super) fn is_reusable(&self) -> bool {
        !self.plugin.wasi && !self.store.data().memory.exceeded
    }

    /// Begins another call, with a log of its own and in what is left of the memory. Only for a
    /// sandbox that [is reusable](Self::is_reusable), behind a call that returned.
    pub(super) fn begin_again(
        &mut self,
        deadline: Duration,
        lift_bytes_max: usize,
        effort: Effort,
    ) {
        self.deadline = deadline;
        self.began = Instant::now();
        let context = self.store.data_mut();
        context.log = context.log.anew();
        context.lift_bytes_max = lift_bytes_max;
        context.effort = Some(effort);
        self.bound();
    }

    /// Adds the present call, which is over, to what its plugin used.
    pub(super) fn count(&self, call: Call) {
        let context = self.store.data();
        let (log_lines, dropped_log_lines) = context.log.count();
        let took = Took {
            reused: self.reused,
            time: self.began.elapsed(),
            memory: context.memory.used(),
            log_lines,
            dropped_log_lines,
            effects: context.outbox.as_ref().map_or(0, Outbox::count),
        };
        self.plugin.used.add(call, &took);
    }

    /// Takes the store apart: the instance is gone.
    pub(super) fn into_context(self) -> Context {
        self.store.into_data()
    }

    /// Whether it is one of this plugin as it was loaded this time.
    pub(super) fn is_of(&self, plugin: &Plugin) -> bool {
        std::ptr::eq(self.plugin, plugin)
    }

    /// Sets the bounds of a call that begins.
    fn bound(&mut self) {
        let context = self.store.data_mut();
        let (lift_bytes_max, effort) = (context.lift_bytes_max, context.effort.take());
        self.store.set_hostcall_fuel(lift_bytes_max);
        self.store.set_epoch_deadline(engine::ticks(self.deadline));
        match effort {
            None => self.store.epoch_deadline_trap(),
            Some(effort) => self.store.epoch_deadline_callback(move |_| {
                let is_spent = effort.is_spent();
                Ok(if is_spent { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
            }),
        }
    }

    /// Why the present call has no answer.
    fn judge(&self, error: &wasmtime::Error) -> CallError {
        let context = self.store.data();
        let memory_exceeded = context.memory.exceeded.then_some(context.memory.most);
        let (stack, deadline) = (self.plugin.stack, self.deadline);
        let (lift_bytes_max, log) = (context.lift_bytes_max, context.log.clone());
        trap::judge(error, &Ran { stack, deadline, lift_bytes_max, memory_exceeded, log })
    }
}
