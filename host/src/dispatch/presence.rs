//! Whether there is a plugin for a work: what waits for one, and goes on when it comes.
//!
//! A work whose plugin is not loaded, or is stopped because it refuses its settings, stays in the
//! store and uses up no try, like one that is paused: whoever removes a plugin loses nothing by it.
//! How many may wait for a handler is not said here. Never says why a plugin is not there.

use std::sync::Arc;

use super::{Dispatch, Rules};
use crate::ids::Name;
use crate::store::WorkKind;

/// Works that wait for a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Parses or runs.
    pub(crate) kind: WorkKind,
    /// Of this source, or of this handler.
    pub(crate) name: Name,
    /// The plugin that is missing or stopped.
    pub(crate) plugin: Name,
    /// How many there are.
    pub(crate) works: usize,
}

impl Dispatch {
    /// Goes by these rules from now on.
    pub(crate) fn set_rules(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
        self.look_again();
    }

    /// Plugins may be there now that were not, or the other way round: what waits for one is looked
    /// at again. To be called behind the change.
    pub(crate) fn look_again(&self) {
        self.store.ask_again(WorkKind::Parse);
        self.store.ask_again(WorkKind::Run);
    }

    /// All works that wait for a plugin, but for those in flight.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let rules = self.rules.load();
        let of = |kind: WorkKind| {
            let missing = |name: &Name| match kind {
                WorkKind::Parse => self.missing_of_source(&rules, name),
                WorkKind::Run => self.missing_of_handler(&rules, name),
                WorkKind::Delivery => None,
            };
            let waiting =
                |(name, works)| Some(Waiting { kind, plugin: missing(&name)?, name, works });
            self.store.waiting(kind).into_iter().filter_map(waiting).collect::<Vec<_>>()
        };
        [WorkKind::Parse, WorkKind::Run].into_iter().flat_map(of).collect()
    }

    /// The plugin that the parses of a source wait for, if they do. Those of a source that the
    /// configuration no longer has do not wait: their plugin is not known.
    pub(super) fn missing_of_source(&self, rules: &Rules, source: &Name) -> Option<Name> {
        let plugin = &rules.sources.get(source)?.plugin;
        let is_there = !rules.stopped_sources.contains_key(source)
            && self.registry.get(plugin).is_some_and(|plugin| plugin.provider().is_some());
        (!is_there).then(|| plugin.clone())
    }

    /// The plugin that the runs of a handler wait for, if they do.
    pub(super) fn missing_of_handler(&self, rules: &Rules, handler: &Name) -> Option<Name> {
        let is_there = !rules.stopped_handlers.contains_key(handler)
            && self.registry.get(handler).is_some_and(|plugin| plugin.handler().is_some());
        (!is_there).then(|| handler.clone())
    }
}
