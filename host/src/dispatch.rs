//! Parse, route, run: from a receipt to committed effects.
//!
//! The part between what was accepted and what is delivered. It asks plugins, judges how they ended
//! and commits; it never sends anything anywhere, and keeps nothing that the store does not have.

mod barrier;
mod breaker;
mod canaries;
mod early;
mod emitted;
mod excess;
mod opening;
mod parses;
mod patience;
mod presence;
mod runs;
mod order;
mod traced;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::clock::Clock;
use crate::directory::Directory;
use crate::effect::{Allowance, LogLine};
use crate::event::Event;
use crate::failure::Reason;
use crate::ids::Name;
use crate::metrics::{Cause, Metrics};
use crate::plugin::{self, AllRules, CallError, Called, Grant, Registry};
use crate::retry::{Outcome, RetryPolicy};
use crate::route::Pattern;
use crate::secrets::Secret;
use crate::store::{PluginStamp, Quota, Routes, Store, WorkKind};
use crate::subscribers::Subscriber;
use crate::telemetry::Telemetry;
use crate::tenant::{Tenant, TenantOf};

pub(crate) use breaker::Breakers;
pub(crate) use canaries::Canaries;
pub(crate) use early::Early;
pub(crate) use excess::Excess;
pub(crate) use parses::Parses;
pub(crate) use presence::Waiting;
pub(crate) use runs::Runs;

/// What the operator allows a handler. One that is not named has [`Grants::default`]: nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// What it may reach.
    pub(crate) grant: Arc<Grant>,
    /// The JSON object that it gets.
    pub(crate) settings: Arc<str>,
    /// How much it may remember.
    pub(crate) quota: Quota,
}

impl Default for Grants {
    fn default() -> Self {
        Self { grant: Arc::default(), settings: "{}".into(), quota: Quota::default() }
    }
}

/// What the receipts of a source are parsed with.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// Its provider plugin.
    pub(crate) plugin: Name,
    /// The JSON object that the plugin gets.
    pub(crate) settings: Arc<str>,
    /// Those that decrypt its bodies.
    pub(crate) secrets: Arc<[Secret]>,
    /// Whether its requests are accepted without a proof.
    pub(crate) is_unverified: bool,
    /// Whose its events are.
    pub(crate) tenant: TenantOf,
}

/// What dispatch knows of the configuration; swapped whole when that changes.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// What the receipts of each source are parsed with.
    pub(crate) sources: BTreeMap<Name, Reading>,
    /// What handlers may do.
    pub(crate) handlers: BTreeMap<Name, Grants>,
    /// What single plugins may use.
    pub(crate) plugins: Arc<AllRules>,
    /// The sources that their plugin refuses to work for, and why.
    pub(crate) stopped_sources: BTreeMap<Name, String>,
    /// The handlers that refuse their settings, and why.
    pub(crate) stopped_handlers: BTreeMap<Name, String>,
}

impl Rules {
    /// Runs of the plugin's handler at a time, and parses of each of its sources, if the operator
    /// says so.
    fn concurrency(&self, plugin: &Name) -> Option<usize> {
        self.plugins.get(plugin)?.concurrency
    }
}

#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(crate) host: plugin::Host,
    /// The plugins that are loaded.
    pub(crate) registry: Arc<Registry>,
    /// Who receives what.
    pub(crate) directory: Directory,
    /// Where work comes from and effects go.
    pub(crate) store: Store,
    /// For times and retries.
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) telemetry: Telemetry,
    pub(crate) rules: ArcSwap<Rules>,
    /// After a failure that a plugin gave as transient.
    pub(crate) failures: RetryPolicy,
    /// After a trap, a deadline or the like: a bug does not go away by waiting, a reload may come.
    pub(crate) crashes: RetryPolicy,
    /// Runs at a time of one handler.
    pub(crate) runs_per_handler: usize,
    /// What may be emitted below all events of one receipt.
    pub(crate) allowance: Allowance,
    /// What is parsed before it is stored.
    pub(crate) early: Early,
    /// Which sources' parses are paused.
    pub(crate) parse_breakers: Breakers,
    /// Which handlers' runs are paused.
    pub(crate) run_breakers: Breakers,
    /// Which runs the next version of a handler gets.
    pub(crate) canaries: Canaries,
    /// Which runs end because too many wait for a handler that is stopped.
    pub(crate) excess: Excess,
}

/// How a call for a parse or a run ended, and what it asks for, which is nothing if it failed.
struct Ended<'a, A> {
    outcome: Outcome,
    /// If it is no success.
    cause: Option<Cause>,
    /// The same to programs.
    reason: Option<Reason>,
    policy: &'a RetryPolicy,
    asked: A,
    plugin: Option<PluginStamp>,
    log: Vec<LogLine>,
}

/// Logs a line of a plugin at the plugin's own level.
macro_rules! plugin_says {
    ($line:expr, $($fields:tt)*) => {
        match $line.level {
            LogLevel::Debug => ::tracing::debug!($($fields)*, "{}", $line.message),
            LogLevel::Info => ::tracing::info!($($fields)*, "{}", $line.message),
            LogLevel::Warn => ::tracing::warn!($($fields)*, "{}", $line.message),
            LogLevel::Error => ::tracing::error!($($fields)*, "{}", $line.message),
        }
    };
}
use plugin_says;

impl Dispatch {
    /// Where an event of this tenant goes. What a handler emits goes only to the endpoints that are
    /// granted to it, and back to itself only if it names that very type.
    fn routes(
        &self,
        event: &Event,
        tenant: Option<&Tenant>,
        emitted: Option<(&Name, &Grant)>,
    ) -> Routes {
        let event_type = event.event_type.as_str();
        let wanted = |patterns: &[Pattern]| patterns.iter().any(|it| it.matches(event_type));
        let handles = |name: &Name, types: &[Pattern]| {
            let is_own = emitted.is_some_and(|(handler, _)| handler == name);
            let goes =
                if is_own { types.iter().any(|it| it.names(event_type)) } else { wanted(types) };
            goes.then(|| name.clone())
        };
        let allowed = |subscriber: &Subscriber| match (emitted, &subscriber.tenant) {
            (None, _) => true,
            (Some((_, granted)), None) => granted.reaches(&subscriber.name),
            (Some((_, granted)), Some(_)) => granted.own_tenants,
        };
        Routes {
            handlers: self.registry.choose_handlers(handles),
            endpoints: self.directory.routes().routes_if(event, tenant, allowed),
        }
    }

    /// The policy for a call that ended in this error, and its outcome.
    fn judge(&self, error: &CallError) -> (Outcome, &RetryPolicy) {
        match error {
            // Ours, and passing.
            CallError::Busy | CallError::Host(_) => {
                (Outcome::transient(error.to_string()), &self.failures)
            }
            // The contract is broken; the same again would break it again.
            CallError::Violation(_) => (Outcome::permanent(error.to_string()), &self.crashes),
            CallError::Trap { .. }
            | CallError::Deadline { .. }
            | CallError::Memory { .. }
            | CallError::Panicked { .. } => (Outcome::transient(error.to_string()), &self.crashes),
        }
    }

    /// Nobody knows what could have been called.
    fn missing<A: Default>(&self, reason: String) -> Ended<'_, A> {
        Ended {
            outcome: Outcome::transient(reason),
            cause: Some(Cause::Missing),
            reason: Some(Reason::PluginMissing),
            policy: &self.failures,
            asked: A::default(),
            plugin: None,
            log: Vec::new(),
        }
    }

    /// The plugin was called. `ask` makes of its answer what it asks for, or says why it may not.
    fn judged<T, A: Default>(
        &self,
        kind: WorkKind,
        called: Called<Result<T, Outcome>>,
        plugin: PluginStamp,
        ask: impl FnOnce(T) -> Result<A, (Outcome, Cause)>,
    ) -> Ended<'_, A> {
        let Called { ended, log, denied } = called;
        let (asked, policy) = match ended {
            Ok(Ok(answer)) => (ask(answer), &self.failures),
            Ok(Err(failure)) => (Err((failure, Cause::Failure)), &self.failures),
            Err(error) => {
                let (outcome, policy) = self.judge(&error);
                (Err((outcome, cause(&error))), policy)
            }
        };
        let (outcome, cause, asked) = match asked {
            Ok(asked) => (Outcome::Success, None, asked),
            Err((outcome, cause)) => (outcome, Some(cause), A::default()),
        };
        let reason = cause.map(|cause| reason(kind, cause, denied));
        Ended { outcome, cause, reason, policy, asked, plugin: Some(plugin), log }
    }

    /// The host itself panicked.
    fn panicked<A: Default>(&self, reason: String) -> Ended<'_, A> {
        Ended {
            outcome: Outcome::transient(reason),
            cause: Some(Cause::Panic),
            reason: Some(Reason::PluginFailed),
            policy: &self.crashes,
            asked: A::default(),
            plugin: None,
            log: Vec::new(),
        }
    }

    /// Resolves when more may be taken than before: of the store, or because a pause ends or
    /// another plugin is loaded while something is paused.
    fn ready(
        &self,
        kind: WorkKind,
        breakers: &Breakers,
    ) -> impl Future<Output = ()> + Send + use<> {
        let stored = self.store.ready(kind);
        let clock = self.clock.clone();
        let end = breakers.next_end();
        let mut changes = end.is_some().then(|| self.registry.changes());
        async move {
            let reloaded = async {
                match &mut changes {
                    // The registry lives as long as this: it is a change and no end.
                    Some(changes) => drop(changes.changed().await),
                    None => pending().await,
                }
            };
            tokio::select! {
                () = stored => (),
                () = clock.comes(end) => (),
                () = reloaded => (),
            }
        }
    }
}

/// Of this many at a time, with so much room left, how many one source or handler may have: it
/// never takes more than half of what is left, so that those that hang never take all of it.
fn fair_limit(most: usize, room: usize) -> usize {
    most.min(room / 2).max(1)
}

/// Why a call for this kind of work failed, to programs; `denied` if it was refused what the
/// operator has not granted.
fn reason(kind: WorkKind, cause: Cause, denied: bool) -> Reason {
    match (kind, cause) {
        (_, Cause::Missing) => Reason::PluginMissing,
        // All that a parse has is the request: whatever it says of it, that is no event.
        (WorkKind::Parse, Cause::Failure | Cause::Contract) => Reason::Unparsable,
        // It gave up over what it was refused, or broke over it.
        (WorkKind::Run, Cause::Failure | Cause::Trap) if denied => Reason::NotGranted,
        _ => Reason::PluginFailed,
    }
}

fn cause(error: &CallError) -> Cause {
    match error {
        CallError::Trap { .. } => Cause::Trap,
        CallError::Deadline { .. } => Cause::Deadline,
        CallError::Memory { .. } => Cause::Memory,
        CallError::Violation(_) => Cause::Contract,
        CallError::Busy => Cause::Busy,
        CallError::Host(_) => Cause::Host,
        CallError::Panicked { .. } => Cause::Panic,
    }
}

#[cfg(test)]
mod tests;
