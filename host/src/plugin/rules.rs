//! What the operator wrote for one plugin, and what follows for one of its calls.
//!
//! Values, swapped whole when the configuration changes: a call keeps the bounds that it began
//! with. Never knows which plugins there are; a rule may be of one that is dropped in later.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::call::LOG_LINES_MAX;
use super::{Deadlines, EFFECTS_MAX, Host};
use crate::canary::Canary;
use crate::ids::Name;

/// What the operator wrote for one plugin; what is left out is as for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginRules {
    /// Most bytes of memory for one instance.
    pub memory: Option<usize>,
    /// How long a call for claims may take.
    pub claims: Option<Duration>,
    /// How long a parse may take that is not early.
    pub parse: Option<Duration>,
    /// How long a run may take.
    pub handle: Option<Duration>,
    /// Most lines that one call may write.
    pub log_lines: Option<usize>,
    /// Most effects of one run.
    pub effects: Option<usize>,
    /// Most bytes that its handler may remember.
    pub state_bytes: Option<u64>,
    /// Runs of its handler at a time, and parses of each of its sources.
    pub concurrency: Option<usize>,
    /// How many calls may be made in one instance, one after the other, if more than one.
    pub reuse: Option<NonZeroU32>,
    /// Which events the next version of its handler gets, if one stands beside it.
    pub canary: Option<Canary>,
    /// Whether another version of its handler runs again what died of the handler's own fault.
    pub retry_dead: bool,
}

/// The rules of all plugins that have any, by the names of the plugins.
pub type AllRules = BTreeMap<Name, PluginRules>;

/// What one call of a plugin may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plugin) struct Bounds {
    /// Bytes of memory of its instance.
    pub(in crate::plugin) memory: usize,
    /// The time of each kind of call.
    pub(in crate::plugin) deadlines: Deadlines,
    /// Lines that are kept of what it writes.
    pub(in crate::plugin) log_lines: usize,
    /// Effects of a run.
    pub(in crate::plugin) effects: usize,
    /// How many calls may be made in one instance, if more than one.
    pub(in crate::plugin) reuse: Option<NonZeroU32>,
}

impl Bounds {
    /// Those of a plugin with these rules, where all others have these deadlines and this memory.
    pub(in crate::plugin) fn of(
        rules: Option<&PluginRules>,
        deadlines: Deadlines,
        memory: usize,
    ) -> Self {
        let (log_lines, effects) = (LOG_LINES_MAX, EFFECTS_MAX);
        let usual = Self { memory, deadlines, log_lines, effects, reuse: None };
        let Some(rules) = rules else { return usual };
        let deadlines = Deadlines {
            claims: rules.claims.unwrap_or(deadlines.claims),
            parse: rules.parse.unwrap_or(deadlines.parse),
            handle: rules.handle.unwrap_or(deadlines.handle),
            ..deadlines
        };
        Self {
            memory: rules.memory.unwrap_or(memory),
            deadlines,
            log_lines: rules.log_lines.unwrap_or(log_lines),
            effects: rules.effects.unwrap_or(effects),
            reuse: rules.reuse,
        }
    }
}

impl Host {
    /// Has the calls that begin from now on go by these rules.
    pub fn set_rules(&self, rules: &Arc<AllRules>) {
        let before = self.0.rules.swap(Arc::clone(rules));
        if before != *rules {
            // What rests was made by the rules before.
            self.0.resting.clear();
        }
    }

    /// What a call of the plugin of this name may use that begins now.
    pub(in crate::plugin) fn bounds(&self, name: &Name) -> Bounds {
        self.0.bounds(name)
    }
}

impl super::Parts {
    /// What a call of the plugin of this name may use that begins now.
    pub(in crate::plugin) fn bounds(&self, name: &Name) -> Bounds {
        let rules = self.rules.load();
        Bounds::of(rules.get(name), **self.deadlines.load(), self.config.memory_max)
    }
}
