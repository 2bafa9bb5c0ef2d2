//! An instance of a plugin, in a store of its own.
//!
//! What bounds a call belongs to that call: its deadline, its log, what it may pass. Only the
//! memory is the instance's. Never says which call may follow which in one instance; behind a call
//! that went well it lets the instance rest, if its plugin may use one again.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use wasmtime::component::Instance;
use wasmtime::{Store, UpdateDeadline};

use super::context::{Context, Left};
use super::effort::Effort;
use super::error::CallError;
use super::occasion::Occasion;
use super::outbox::Outbox;
use super::trap::{self, Ran};
use super::warm::{Key, Rested};
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
    /// Which calls may follow in the instance, if any may.
    key: Option<Key>,
    /// How many were made in it, the present one included.
    calls: u32,
}

impl<'p> Sandbox<'p> {
    /// For a call, whose deadline begins now: in an instance that rests for calls of this key, if
    /// there is one, else in a fresh one. Without a key it is fresh, and gone behind the call. To
    /// be made, called and left on one thread with a stack for guests, outside of the async
    /// runtime.
    pub(super) fn enter(
        plugin: &'p Plugin,
        context: Context,
        occasion: &Occasion<'_>,
        deadline: Duration,
        key: Option<Key>,
    ) -> Self {
        let began = Instant::now();
        let rested = key.as_ref().and_then(|key| plugin.warm.take(key, &context));
        let (key, store, instance, calls) = match rested {
            Some(Rested { key, mut store, instance, calls }) => {
                store.data_mut().begin_again(context, occasion, &plugin.digest);
                (Some(key), store, Some(instance), calls)
            }
            None => (key, fresh(plugin, context, occasion), None, 0),
        };
        let mut sandbox = Self { plugin, store, instance, deadline, began, key, calls };
        // Before instantiating, which runs code of the guest too.
        sandbox.bound();
        sandbox
    }

    /// Makes the instance if there is none yet, and a call in it.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Store<Context>, &Instance) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        let instance = match self.instance {
            Some(instance) => Ok(instance),
            None => self.plugin.pre.instantiate(&mut self.store),
        };
        let result = instance.and_then(|instance| {
            self.instance = Some(instance);
            self.calls = self.calls.saturating_add(1);
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

    /// Adds the present call, which is over and may have failed, to what its plugin used.
    pub(super) fn count(&self, call: Call, failed: bool) {
        let context = self.store.data();
        let (log_lines, dropped_log_lines) = context.log.count();
        let took = Took {
            reused: self.calls > 1,
            failed,
            time: self.began.elapsed(),
            memory: context.memory.used(),
            log_lines,
            dropped_log_lines,
            effects: context.outbox.as_ref().map_or(0, Outbox::count),
        };
        self.plugin.used.add(call, &took);
    }

    /// Whether its instance may be used again by calls about other requests or events.
    pub(super) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Ends the call, with what it leaves behind. The instance rests if the call went well and
    /// another one may follow, else it is gone.
    pub(super) fn leave(self, is_well: bool) -> Left {
        let Self { plugin, mut store, instance, key, calls, .. } = self;
        let context = store.data_mut();
        let left = context.leave();
        // One that was refused memory is not as its authors know it, and one whose memory grows
        // with each call would be refused some soon.
        let may_rest = is_well && !context.memory.exceeded && !context.memory.is_short();
        let has_calls_left = context.reuse.is_some_and(|most| calls < most.get());
        if let (Some(key), Some(instance)) = (key, instance)
            && may_rest
            && has_calls_left
        {
            plugin.warm.put(Rested { key, store, instance, calls });
        }
        left
    }

    /// Whether it is one of this plugin as it was loaded this time.
    pub(super) fn is_of(&self, plugin: &Plugin) -> bool {
        std::ptr::eq(self.plugin, plugin)
    }

    /// Sets the bounds of a call that begins.
    fn bound(&mut self) {
        let context = self.store.data_mut();
        let (lift_bytes_max, effort) = (context.lift_bytes_max, context.effort.take());
        let is_over = context.is_over.take();
        self.store.set_hostcall_fuel(lift_bytes_max);
        // Whoever may cut it off is asked at each tick.
        let asked_after = if is_over.is_some() { 1 } else { engine::ticks(self.deadline) };
        self.store.set_epoch_deadline(asked_after);
        match effort {
            None => self.store.epoch_deadline_trap(),
            Some(effort) => self.store.epoch_deadline_callback(move |_| {
                let is_over = is_over.as_ref().is_some_and(|it| it.load(Ordering::Relaxed));
                let ends = is_over || effort.is_spent();
                Ok(if ends { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
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

/// A store in which there is no instance yet.
fn fresh(plugin: &Plugin, mut context: Context, occasion: &Occasion<'_>) -> Store<Context> {
    if plugin.wasi {
        context.wasi = Some(Wasi::of(occasion, &plugin.digest, &context.log));
    }
    let mut store = Store::new(plugin.pre.engine(), context);
    store.limiter(|context| &mut context.memory);
    store.set_max_component_handles(HANDLES_MAX);
    store
}
