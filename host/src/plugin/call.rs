//! One call of a plugin: a store, an instance, a deadline, and out.
//!
//! The room has what a call needs: the threads that it runs on, what the guest can reach and ask
//! for meanwhile, what it writes, and why it has no answer. How a plugin came to be loaded is not
//! known here.
//!
//! Nothing outlives a call but the instance of claims, for an early parse of the same request, and
//! what the operator lets be used again: otherwise what a guest left in memory reaches no other
//! call. A trap poisons nothing. The calls here run on the pools' threads, in turn for each source
//! or handler, and with them what the gateway itself computes about a request; what comes back has
//! been checked against the contract.

mod asking;
mod context;
mod effort;
mod error;
mod function;
mod grant;
mod here;
mod kept;
mod log;
mod memory;
mod occasion;
mod outbox;
mod pool;
mod reads;
mod sandbox;
mod settings;
mod trap;
mod warm;
mod wasi;

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::Instance;

pub(super) use self::context::Context;
use self::context::Left;
use self::effort::Effort;
pub use self::error::CallError;
pub(super) use self::function::{Handler, Provider};
pub use self::grant::{Grant, Tenanting};
pub use self::here::{Here, Spent, guest_thread};
pub(crate) use self::kept::Kept;
pub(super) use self::log::LINES_MAX as LOG_LINES_MAX;
pub use self::log::tell;
pub(super) use self::occasion::Occasion;
use self::outbox::Outbox;
pub use self::outbox::{Doors, EFFECTS_MAX, EndpointFinder, StateReader};
pub(super) use self::pool::{Pool, Shape, all_threads};
use self::sandbox::Sandbox;
pub(super) use self::settings::Completed;
use self::warm::Key;
pub(super) use self::warm::{Resting, WARM_MAX, Warm};
pub(super) use self::wasi::link as link_wasi;
use super::contract::convert::{self, YIELD_BYTES_MAX};
use super::contract::handler::HandleContext;
use super::used::Call;
use super::{Bounds, Deadlines, Host, Plugin, Role};
use crate::effect::{Asked, LogLine};
use crate::event::{Event, Request};
use crate::ids::Name;
use crate::provider::{Claims, Refusal};
use crate::retry::Outcome;

/// Most bytes that an early parse may yield, beside as many as the body has: they are held until
/// the receipt is stored.
const EARLY_YIELD_BYTES_MAX: usize = 64 << 10;

/// How a call ended, and what the plugin wrote meanwhile.
#[derive(Debug)]
pub struct Called<T> {
    /// The plugin's answer, or why there is none.
    pub ended: Result<T, CallError>,
    /// What it wrote.
    pub log: Vec<LogLine>,
    /// Whether it was refused something that the operator has not granted it.
    pub denied: bool,
}

/// Has the task of a call hear how it ended.
pub(crate) type Tell = Box<dyn FnOnce() + Send>;

/// How a parse ended.
type Parsing = Called<Result<Vec<Event>, Outcome>>;

/// How a run ended.
type Handling = Called<Result<Asked, Outcome>>;

/// What a provider claims of a request, with the instance in which it did.
type Claimed<'c> = (Claims, Option<Kept<'c>>);

impl<T> Called<T> {
    /// No guest ran, or what it did is lost.
    fn never(error: impl Into<CallError>) -> Self {
        Self { ended: Err(error.into()), log: Vec::new(), denied: false }
    }
}

impl Host {
    /// Asks a provider what was signed, in the turn of `source`. What it writes is dropped: anybody
    /// on the network could fill the log with it.
    ///
    /// The outer error is that there is no answer; the inner is the answer that nothing was signed.
    pub async fn claims(
        &self,
        plugin: &Arc<Plugin>,
        settings: &Arc<str>,
        source: &Name,
        request: &Arc<Request>,
    ) -> Result<Result<Claims, Refusal>, CallError> {
        self.claims_and(plugin, settings, source, request, |claims, _| claims).await
    }

    /// The claims, and behind them an early parse as if they were proven: for a test that compares
    /// it with one that is made later. `None` if it may take no time.
    pub async fn parse_unproven(
        &self,
        plugin: &Arc<Plugin>,
        settings: &Arc<str>,
        source: &Name,
        request: &Arc<Request>,
    ) -> Result<Result<Option<Parsing>, Refusal>, CallError> {
        let parse = {
            let (host, plugin, settings) = (self.clone(), Arc::clone(plugin), Arc::clone(settings));
            let (source, request) = (source.clone(), Arc::clone(request));
            move |_: Claims, kept: Option<Kept<'_>>| {
                let parsed = host.parse_early(&plugin, &settings, &source, &request, kept);
                parsed.map(|(called, _)| called)
            }
        };
        self.claims_and(plugin, settings, source, request, parse).await
    }

    /// Asks for the claims, and makes something of them on the same thread and in the same turn:
    /// with the instance in which they were made, if `parse` may read the same request in it.
    pub(crate) async fn claims_and<T: Send + 'static>(
        &self,
        plugin: &Arc<Plugin>,
        settings: &Arc<str>,
        source: &Name,
        request: &Arc<Request>,
        make: impl FnOnce(Claims, Option<Kept<'_>>) -> T + Send + 'static,
    ) -> Result<Result<T, Refusal>, CallError> {
        self.claims_handing(plugin, settings, source, request, make, |tell: Tell| tell()).await
    }

    /// The same, but that `hand` has whoever asked told, behind `make` on its thread: at once, or
    /// when something is there that they would wait for next.
    pub(crate) async fn claims_handing<T: Send + 'static>(
        &self,
        plugin: &Arc<Plugin>,
        settings: &Arc<str>,
        source: &Name,
        request: &Arc<Request>,
        make: impl FnOnce(Claims, Option<Kept<'_>>) -> T + Send + 'static,
        hand: impl FnOnce(Tell) + Send + 'static,
    ) -> Result<Result<T, Refusal>, CallError> {
        let bounds = self.bounds(&plugin.name);
        let context = self.context(plugin, Role::Provider, settings, &bounds);
        let (plugin, settings) = (Arc::clone(plugin), Arc::clone(settings));
        let request = Arc::clone(request);
        let deadline = bounds.deadlines.claims;
        let key = Key::of_request(&context, Call::Claim, source);
        let call = move || {
            let claimed = claim(&plugin, &settings, (context, key), deadline, &request);
            claimed.map(|claimed| claimed.map(|(claims, kept)| make(claims, kept)))
        };
        let claims = &self.0.pools.claims;
        let called = claims.call_and(Some(source), deadline, call, move |waiting| {
            hand(Box::new(move || waiting.tell()));
        });
        called.await?
    }

    /// Does what takes long about a request, and needs no plugin, in the turn of `source` on the
    /// threads of claims.
    pub(crate) async fn in_turn<T: Send + 'static>(
        &self,
        source: &Name,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CallError> {
        // No guest that could spin.
        let limit = Duration::MAX;
        self.0.pools.claims.call(Some(source), limit, work).await.map_err(CallError::from)
    }

    /// Asks a provider for the events of a receipt, which are given `source`, or why it has none.
    pub async fn parse(
        &self,
        plugin: &Arc<Plugin>,
        settings: &Arc<str>,
        source: &Name,
        request: &Arc<Request>,
    ) -> Called<Result<Vec<Event>, Outcome>> {
        let bounds = self.bounds(&plugin.name);
        let context = self.context(plugin, Role::Provider, settings, &bounds);
        let (plugin, request) = (Arc::clone(plugin), Arc::clone(request));
        let deadline = bounds.deadlines.parse;
        let given = source.clone();
        let call = move || parse_in(&plugin, context, deadline, &given, &request).0;
        self.0.pools.parse.call(Some(source), deadline, call).await.unwrap_or_else(Called::never)
    }

    /// The same for a request that is not stored, on the thread that asks: in what was to be made
    /// of its claims, and in their instance if that is `kept` for this call. In little time, and it
    /// may yield little; `None` if it may take no time. With whether it took so much of it that
    /// claims would be slow if each parse did.
    pub(crate) fn parse_early(
        &self,
        plugin: &Plugin,
        settings: &Arc<str>,
        source: &Name,
        request: &Request,
        kept: Option<Kept<'_>>,
    ) -> Option<(Parsing, bool)> {
        let bounds = self.bounds(&plugin.name);
        let Deadlines { early, claims, .. } = bounds.deadlines;
        if early.is_zero() {
            return None;
        }
        // With the claims before it, it stays within their time: a source whose calls use that up
        // rests, and no request may have to wait for the sake of a parse that can be made later.
        let patience = claims - claims / 4;
        let effort = Effort::begin(early, patience);
        let asked_after = early.min(patience);
        let bytes_max = EARLY_YIELD_BYTES_MAX + request.body.len();
        let lift_bytes_max = lifted_at_most(bytes_max);
        // One that is of no use is gone before there is another: a thread has room for one.
        let kept = kept.and_then(|kept| kept.into_sandbox(plugin, settings, request));
        let sandbox = if let Some(mut sandbox) = kept {
            sandbox.begin_again(asked_after, lift_bytes_max, effort);
            sandbox
        } else {
            let mut context = self.context(plugin, Role::Provider, settings, &bounds);
            context.lift_bytes_max = lift_bytes_max;
            context.effort = Some(effort);
            let key = Key::of_request(&context, Call::Parse, source);
            Sandbox::enter(plugin, context, &parsing(request), asked_after, key)
        };
        let (called, _) = parse(sandbox, plugin, source, request, bytes_max);
        Some((called, effort.is_dear()))
    }

    /// Runs a handler on an event: what it asks for, of which nothing has happened when this
    /// returns, or why it failed.
    pub async fn handle(
        &self,
        plugin: &Arc<Plugin>,
        settings: &Arc<str>,
        event: &Arc<Event>,
        run: HandleContext,
        grant: &Arc<Grant>,
        doors: Doors,
    ) -> Called<Result<Asked, Outcome>> {
        let bounds = self.bounds(&plugin.name);
        let context = self.run_context(plugin, settings, (&run, grant, doors), &bounds);
        let (plugin, event) = (Arc::clone(plugin), Arc::clone(event));
        let handler = plugin.name.clone();
        let deadline = bounds.deadlines.handle;
        let call = move || handle_in(&plugin, context, deadline, &event, &run).0;
        self.0.pools.run.call(Some(&handler), deadline, call).await.unwrap_or_else(Called::never)
    }

    /// What a run may reach, and what it may ask for.
    fn run_context(
        &self,
        plugin: &Plugin,
        settings: &Arc<str>,
        (run, grant, doors): (&HandleContext, &Arc<Grant>, Doors),
        bounds: &Bounds,
    ) -> Context {
        let mut context = self.context(plugin, Role::Handler, settings, bounds);
        let emits = plugin.handler().map(|info| info.emits.clone()).unwrap_or_default();
        let (grant, tenant) = (Arc::clone(grant), run.tenant.clone());
        context.outbox = Some(Outbox::new(grant, emits, tenant, doors, bounds.effects));
        context
    }

    /// What a call in this role may reach, before anything is said of what it is about.
    fn context(
        &self,
        plugin: &Plugin,
        role: Role,
        settings: &Arc<str>,
        bounds: &Bounds,
    ) -> Context {
        let settings = plugin.completed.of(role, plugin.settings(role), settings);
        Context::new(settings, bounds)
    }
}

impl Plugin {
    fn provider_functions(&self) -> wasmtime::Result<&Provider> {
        match &self.provider {
            Some((_, functions)) => Ok(functions),
            None => wasmtime::bail!("the plugin is not a provider"),
        }
    }

    fn handler_functions(&self) -> wasmtime::Result<&Handler> {
        match &self.handler {
            Some((_, functions)) => Ok(functions),
            None => wasmtime::bail!("the plugin is not a handler"),
        }
    }
}

/// Asks a provider what was signed, in an instance of its own unless there is a key.
fn claim<'c>(
    plugin: &'c Plugin,
    settings: &'c Arc<str>,
    (context, key): (Context, Option<Key>),
    deadline: Duration,
    request: &'c Request,
) -> Result<Result<Claimed<'c>, Refusal>, CallError> {
    let occasion = Occasion::Request("claim", request, request.received_at);
    let mut sandbox = Sandbox::enter(plugin, context, &occasion, deadline, key);
    let claims = sandbox.call(|store, instance| {
        let claim = &plugin.provider_functions()?.claim;
        convert::lend_request(request, |request| {
            claim.call(store, instance, (request,)).map(|(claims,)| claims)
        })
    });
    sandbox.count(Call::Claim, claims.is_err());
    let claimed = match claims? {
        Ok(claims) => Ok(convert::claims(claims).map_err(CallError::Violation)?),
        Err(refusal) => Err(convert::refusal(&refusal)),
    };
    if sandbox.has_key() {
        // What it wrote is dropped.
        drop(sandbox.leave(true));
        return Ok(claimed.map(|claims| (claims, None)));
    }
    Ok(claimed.map(|claims| (claims, Kept::of(sandbox, settings, request))))
}

/// What the parse of a request is about.
fn parsing(request: &Request) -> Occasion<'_> {
    Occasion::Request("parse", request, request.received_at)
}

/// What a guest may pass whose events may have so many bytes: twice that, so that it is the check
/// of the contract that speaks.
fn lifted_at_most(bytes_max: usize) -> usize {
    2 * bytes_max
}

/// Asks a provider for the events of a request; with the bytes of memory that its instance had.
fn parse_in(
    plugin: &Plugin,
    mut context: Context,
    deadline: Duration,
    source: &Name,
    request: &Request,
) -> (Parsing, usize) {
    let bytes_max = YIELD_BYTES_MAX + request.body.len();
    context.lift_bytes_max = lifted_at_most(bytes_max);
    let key = Key::of_request(&context, Call::Parse, source);
    let sandbox = Sandbox::enter(plugin, context, &parsing(request), deadline, key);
    parse(sandbox, plugin, source, request, bytes_max)
}

/// Asks a provider for the events of a request, which are given a source. An event may hold all of
/// the body, and together they may have so many bytes. With the bytes of memory of the instance.
fn parse(
    mut sandbox: Sandbox<'_>,
    plugin: &Plugin,
    source: &Name,
    request: &Request,
    bytes_max: usize,
) -> (Parsing, usize) {
    let parsed = sandbox.call(|store, instance| {
        let parse = &plugin.provider_functions()?.parse;
        convert::lend_request(request, |request| {
            parse.call(store, instance, (request,)).map(|(parsed,)| parsed)
        })
    });
    sandbox.count(Call::Parse, !matches!(parsed, Ok(Ok(_))));
    let ended = parsed.and_then(|parsed| match parsed {
        Ok(events) => {
            let events = convert::events(events, source, request.received_at, bytes_max);
            events.map(Ok).map_err(CallError::Violation)
        }
        Err(failure) => Ok(Err(convert::failure(&failure))),
    });
    let Left { log, memory, .. } = sandbox.leave(matches!(ended, Ok(Ok(_))));
    (Called { ended, log, denied: false }, memory)
}

/// Runs a handler on an event; with the bytes of memory that its instance had.
fn handle_in(
    plugin: &Plugin,
    context: Context,
    deadline: Duration,
    event: &Event,
    run: &HandleContext,
) -> (Handling, usize) {
    let key = Key::of_run(&context, run.tenant.as_ref());
    let mut sandbox = Sandbox::enter(plugin, context, &Occasion::Run(run), deadline, key);
    let handled = sandbox.call(|store, instance| {
        let handle = &plugin.handler_functions()?.handle;
        let lent = convert::lend_context(run);
        convert::lend_event(event, |event| {
            handle.call(store, instance, (event, lent)).map(|(handled,)| handled)
        })
    });
    sandbox.count(Call::Handle, !matches!(handled, Ok(Ok(()))));
    let Left { log, memory, outbox } = sandbox.leave(matches!(handled, Ok(Ok(()))));
    let denied = outbox.as_ref().is_some_and(Outbox::has_denied);
    let ended = handled.map(|handled| match handled {
        Ok(()) => Ok(outbox.map(Outbox::into_asked).unwrap_or_default()),
        Err(failure) => Err(convert::failure(&failure)),
    });
    (Called { ended, log, denied }, memory)
}

/// Instantiates a plugin, makes a call, and throws the instance away. The deadline is for all of
/// it. To be called on a thread with a stack for guests, outside of the async runtime.
pub(super) fn enter<T>(
    plugin: &Plugin,
    context: Context,
    occasion: &Occasion<'_>,
    deadline: Duration,
    call: impl FnOnce(&mut Store<Context>, &Instance) -> wasmtime::Result<T>,
) -> (Result<T, CallError>, Left) {
    let mut sandbox = Sandbox::enter(plugin, context, occasion, deadline, None);
    let result = sandbox.call(call);
    (result, sandbox.leave(false))
}
