//! Parse, route, run: from a receipt to committed effects.
//!
//! The part between what was accepted and what is delivered. It asks plugins, judges how they ended
//! and commits; it never sends anything anywhere, and keeps nothing that the store does not have.

mod parses;
mod runs;
mod turns;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::clock::Clock;
use crate::ids::Name;
use crate::metrics::Metrics;
use crate::plugin::{self, CallError, Grant, Plugin, Registry};
use crate::retry::{Outcome, RetryPolicy};
use crate::route::Pattern;
use crate::store::{PluginStamp, Routes, Store};

pub(crate) use parses::Parses;
pub(crate) use runs::Runs;

/// What the operator allows a handler. One that is not named has [`Grants::default`]: nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// What it may reach.
    pub grant: Arc<Grant>,
    /// The JSON object that it gets.
    pub settings: Arc<str>,
}

impl Default for Grants {
    fn default() -> Self {
        Self { grant: Arc::default(), settings: "{}".into() }
    }
}

/// What dispatch knows of the configuration; swapped whole when that changes.
#[derive(Debug, Default)]
pub struct Rules {
    /// Each source's provider plugin and its settings.
    pub sources: BTreeMap<Name, (Name, Arc<str>)>,
    /// What handlers may do.
    pub handlers: BTreeMap<Name, Grants>,
    /// Which event types each endpoint subscribes to.
    pub subscriptions: BTreeMap<Name, Vec<Pattern>>,
}

/// What dispatching needs.
#[derive(Debug)]
pub struct Dispatch {
    /// Runs plugins.
    pub host: plugin::Host,
    /// The plugins that are loaded.
    pub registry: Arc<Registry>,
    /// Where work comes from and effects go.
    pub store: Store,
    /// For times and retries.
    pub clock: Clock,
    /// Counts.
    pub metrics: Metrics,
    /// The configuration.
    pub rules: ArcSwap<Rules>,
    /// After a failure that a plugin gave as transient.
    pub failures: RetryPolicy,
    /// After a trap, a deadline or the like: a bug does not go away by waiting, a reload may come.
    pub crashes: RetryPolicy,
    /// Runs at a time of one handler.
    pub runs_per_handler: usize,
}

impl Dispatch {
    /// Where an event of this type goes. `granted` limits the endpoints for what a handler emits.
    fn routes(&self, rules: &Rules, event_type: &str, granted: Option<&Grant>) -> Routes {
        let wanted = |patterns: &[Pattern]| patterns.iter().any(|it| it.matches(event_type));
        let handles = |plugin: &Arc<Plugin>| {
            plugin.handler().is_some_and(|info| wanted(&info.types)).then(|| plugin.name().clone())
        };
        let allowed = |name: &Name| granted.is_none_or(|granted| granted.endpoints.contains(name));
        let subscribed = rules.subscriptions.iter().filter(|(_, patterns)| wanted(patterns));
        Routes {
            handlers: self.registry.list().iter().filter_map(handles).collect(),
            endpoints: subscribed
                .map(|(name, _)| name)
                .filter(|name| allowed(name))
                .cloned()
                .collect(),
        }
    }

    fn stamp(plugin: &Plugin, version: &str) -> PluginStamp {
        PluginStamp {
            name: plugin.name().clone(),
            version: version.to_owned(),
            digest: plugin.digest().to_owned(),
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
            CallError::Lie(_) => (Outcome::permanent(error.to_string()), &self.crashes),
            CallError::Trap { .. } | CallError::Deadline { .. } | CallError::Memory { .. } => {
                (Outcome::transient(error.to_string()), &self.crashes)
            }
        }
    }
}
