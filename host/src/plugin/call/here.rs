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

impl Host {
    /// Asks a provider what was signed: what a call costs by itself, for a benchmark.
    pub fn claims_here(
        &self,
        plugin: &Plugin,
        settings: &Arc<str>,
        request: &Request,
    ) -> Result<Result<Claims, Refusal>, CallError> {
        let bounds = self.bounds(&plugin.name);
        let context = self.context(plugin, Role::Provider, settings, &bounds);
        let deadline = bounds.deadlines.claims;
        let claimed = claim(plugin, settings, (context, None), deadline, request)?;
        Ok(claimed.map(|(claims, _)| claims))
    }

    /// The same, made as [`Host::parse_alone`] makes a parse.
    pub(crate) fn claims_alone(
        &self,
        plugin: &Plugin,
        settings: &Arc<str>,
        request: &Request,
    ) -> Result<Result<Claims, Refusal>, CallError> {
        let bounds = self.bounds(&plugin.name);
        let deadline = bounds.deadlines.claims;
        let context = self.context(plugin, Role::Provider, settings, &bounds);
        let context = self.patient(context, deadline);
        let claimed = claim(plugin, settings, (context, None), deadline, request)?;
        Ok(claimed.map(|(claims, _)| claims))
    }

    /// Asks a provider for the events of a receipt, which are given `source`, or why it has none.
    pub fn parse_here(
        &self,
        plugin: &Plugin,
        settings: &Arc<str>,
        source: &Name,
        request: &Request,
    ) -> (Parsing, Spent) {
        let bounds = self.bounds(&plugin.name);
        let context = self.context(plugin, Role::Provider, settings, &bounds);
        spending(|| parse_in(plugin, context, bounds.deadlines.parse, source, request))
    }

    /// The same, and how it ends depends on nothing else that goes on. In an instance of its own,
    /// also if the plugin's are used again: no other call finds what this one leaves in memory, and
    /// it finds nothing of another's. Of its deadline only the time counts in which it computes.
    pub fn parse_alone(
        &self,
        plugin: &Plugin,
        settings: &Arc<str>,
        source: &Name,
        request: &Request,
    ) -> (Parsing, Spent) {
        let bounds = self.bounds_alone(plugin);
        let deadline = bounds.deadlines.parse;
        let context = self.context(plugin, Role::Provider, settings, &bounds);
        let context = self.patient(context, deadline);
        spending(|| parse_in(plugin, context, deadline, source, request))
    }

    /// Runs a handler on an event: what it asks for, of which nothing happens, or why it failed.
    pub fn handle_here(
        &self,
        plugin: &Plugin,
        settings: &Arc<str>,
        event: &Event,
        run: &HandleContext,
        grant: &Arc<Grant>,
        doors: Doors,
    ) -> (Handling, Spent) {
        let bounds = self.bounds(&plugin.name);
        let context = self.run_context(plugin, settings, (run, grant, doors), &bounds);
        spending(|| handle_in(plugin, context, bounds.deadlines.handle, event, run))
    }

    /// The same, made as [`Host::parse_alone`] makes a parse.
    pub fn handle_alone(
        &self,
        plugin: &Plugin,
        settings: &Arc<str>,
        event: &Event,
        run: &HandleContext,
        grant: &Arc<Grant>,
        doors: Doors,
    ) -> (Handling, Spent) {
        let bounds = self.bounds_alone(plugin);
        let deadline = bounds.deadlines.handle;
        let context = self.run_context(plugin, settings, (run, grant, doors), &bounds);
        let context = self.patient(context, deadline);
        spending(|| handle_in(plugin, context, deadline, event, run))
    }

    /// What a call of the plugin may use whose instance is for that call alone.
    fn bounds_alone(&self, plugin: &Plugin) -> Bounds {
        Bounds { reuse: None, ..self.bounds(&plugin.name) }
    }

    /// For a call that begins now on this thread, which may get a core only now and then.
    fn patient(&self, context: Context, deadline: Duration) -> Context {
        let effort = Effort::begin(deadline, deadline.saturating_add(PATIENCE));
        Context { effort: Some(effort), is_over: self.1.clone(), ..context }
    }
}

/// Makes a call, and says what it took.
fn spending<T>(call: impl FnOnce() -> (T, usize)) -> (T, Spent) {
    let started = Instant::now();
    let (called, memory) = call();
    (called, Spent { time: started.elapsed(), memory })
}
