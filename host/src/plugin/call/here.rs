//! Calls on the thread that asks, which waits for them: outside of all pools, and in no queue.
//!
//! For whoever has a thread of its own with a stack for guests, and to know what a call costs by
//! itself. The bounds are those of every call; who compares calls has each made in an instance of
//! its own. Never takes the time of one that somebody waits for.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::context::Context;
use super::effort::Effort;
use super::error::CallError;
use super::grant::Grant;
use super::outbox::Doors;
use super::{Handling, Parsing, claim, handle_in, parse_in};
use crate::event::{Event, Request};
use crate::ids::Name;
use crate::plugin::contract::handler::HandleContext;
use crate::plugin::engine::THREAD_STACK_BYTES;
use crate::plugin::{Bounds, Host, Plugin, Role};
use crate::provider::{Claims, Refusal};

/// A call alone may wait for so much longer than it may compute.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a call took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// From before its instance was made until it was gone.
    pub time: Duration,
    /// The bytes of memory that the instance had in the end, which is the most that it had.
    pub memory: usize,
}

/// A thread of this name whose stack is large enough for guests: calls on the thread that asks are
/// made on one of these.
pub fn guest_thread(name: &str) -> thread::Builder {
    thread::Builder::new().name(name.to_owned()).stack_size(THREAD_STACK_BYTES)
}

/// Calls of one plugin on the thread that asks, within the bounds that were in force when this was
/// made.
#[derive(Debug, Clone, Copy)]
pub struct Here<'h> {
    host: &'h Host,
    plugin: &'h Plugin,
    bounds: Bounds,
    is_alone: bool,
}

impl Host {
    /// Calls of a plugin that are made as all of its calls are.
    pub fn here<'h>(&'h self, plugin: &'h Plugin) -> Here<'h> {
        Here { host: self, plugin, bounds: self.bounds(&plugin.name), is_alone: false }
    }

    /// Calls whose end depends on nothing else that goes on. Each is made in an instance of its
    /// own, also if the plugin's are used again: no other call finds what this one leaves in
    /// memory, and it finds nothing of another's. Of its deadline only the time counts in which it
    /// computes.
    pub fn alone<'h>(&'h self, plugin: &'h Plugin) -> Here<'h> {
        let here = self.here(plugin);
        Here { bounds: Bounds { reuse: None, ..here.bounds }, is_alone: true, ..here }
    }
}

impl Here<'_> {
    /// Asks a provider what was signed, in an instance for that alone.
    ///
    /// # Errors
    ///
    /// There is no answer; the inner error is the answer that nothing was signed.
    pub fn claims(
        &self,
        settings: &Arc<str>,
        request: &Request,
    ) -> Result<Result<Claims, Refusal>, CallError> {
        let Self { host, plugin, bounds, .. } = self;
        let deadline = bounds.deadlines.claims;
        let context = host.context(plugin, Role::Provider, settings, bounds);
        let context = self.patient(context, deadline);
        let claimed = claim(plugin, settings, (context, None), deadline, request)?;
        Ok(claimed.map(|(claims, _)| claims))
    }

    /// Asks a provider for the events of a receipt, which are given `source`, or why it has none.
    pub fn parse(&self, settings: &Arc<str>, source: &Name, request: &Request) -> (Parsing, Spent) {
        let Self { host, plugin, bounds, .. } = self;
        let deadline = bounds.deadlines.parse;
        let context = host.context(plugin, Role::Provider, settings, bounds);
        let context = self.patient(context, deadline);
        spending(|| parse_in(plugin, context, deadline, source, request))
    }

    /// Runs a handler on an event: what it asks for, of which nothing happens, or why it failed.
    pub fn handle(
        &self,
        settings: &Arc<str>,
        event: &Event,
        run: &HandleContext,
        grant: &Arc<Grant>,
        doors: Doors,
    ) -> (Handling, Spent) {
        let Self { host, plugin, bounds, .. } = self;
        let deadline = bounds.deadlines.handle;
        let context = host.run_context(plugin, settings, (run, grant, doors), bounds);
        let context = self.patient(context, deadline);
        spending(|| handle_in(plugin, context, deadline, event, run))
    }

    /// For a call that begins now. This thread may get a core only now and then: one that is made
    /// alone may wait for it.
    fn patient(&self, context: Context, deadline: Duration) -> Context {
        if !self.is_alone {
            return context;
        }
        let effort = Effort::begin(deadline, deadline.saturating_add(PATIENCE));
        Context { effort: Some(effort), is_over: self.host.1.clone(), ..context }
    }
}

/// Makes a call, and says what it took.
fn spending<T>(call: impl FnOnce() -> (T, usize)) -> (T, Spent) {
    let started = Instant::now();
    let (called, memory) = call();
    (called, Spent { time: started.elapsed(), memory })
}
