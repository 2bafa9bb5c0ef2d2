//! Instances that rest between two calls, where the operator lets a plugin use one again.
//!
//! A plugin has a few of them, and all plugins together as many as the engine has room for beside
//! those of its threads; the one that has rested longest gives way. Never gives one to a call of
//! another kind, of another source or with other settings.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use wasmtime::Store;
use wasmtime::component::Instance;

use super::context::Context;
use crate::ids::Name;
use crate::lock::lock;
use crate::plugin::used::Call;

/// Most instances of one plugin that rest.
const PLUGIN_MAX: usize = 4;
/// Most instances of all plugins that rest.
pub(in crate::plugin) const WARM_MAX: u32 = 16;

/// Which calls may be made in the same instance, one after the other. Claims are read off requests
/// that anybody may have sent: no parse finds what such a request left in memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    call: Call,
    /// Whose requests it reads; none of a run.
    source: Option<Name>,
    /// As the guest gets them.
    settings: Arc<str>,
}

impl Key {
    /// For a call in this context; `None` if its instance is for this call alone.
    pub(super) fn of(context: &Context, call: Call, source: Option<&Name>) -> Option<Self> {
        let settings = || Arc::clone(&context.settings);
        context.reuse.map(|_| Self { call, source: source.cloned(), settings: settings() })
    }
}

/// An instance between two calls.
pub(super) struct Rested {
    pub(super) key: Key,
    /// What was about the call before is gone from it.
    pub(super) store: Store<Context>,
    pub(super) instance: Instance,
    /// How many calls were made in it.
    pub(super) calls: u32,
}

impl Rested {
    /// Whether a call in this context may follow: it was made for the same memory, and has calls
    /// left by the rule in force.
    fn fits(&self, key: &Key, context: &Context) -> bool {
        self.key == *key
            && self.store.data().memory.most == context.memory.most
            && context.reuse.is_some_and(|most| self.calls < most.get())
    }
}

/// Those that rest, each with the number of its plugin; whoever came last stands last.
type List = Mutex<Vec<(u64, Rested)>>;

/// The instances of all plugins that rest.
#[derive(Default)]
pub(in crate::plugin) struct Resting {
    list: Arc<List>,
    /// How many plugins have had a share.
    plugins: AtomicU64,
}

impl Resting {
    /// The share of a plugin that is being loaded.
    pub(in crate::plugin) fn of_a_plugin(&self) -> Warm {
        let number = self.plugins.fetch_add(1, Ordering::Relaxed);
        Warm { number, list: Arc::clone(&self.list) }
    }

    /// Throws all of them away.
    pub(in crate::plugin) fn clear(&self) {
        let gone = mem::take(&mut *lock(&self.list));
        // Outside of the lock: their memory is cleared.
        drop(gone);
    }

    /// How many there are.
    #[cfg(test)]
    pub(in crate::plugin) fn count(&self) -> usize {
        lock(&self.list).len()
    }
}

/// The instances of one plugin that rest. They are gone when the plugin is, as it was loaded.
pub(in crate::plugin) struct Warm {
    number: u64,
    list: Arc<List>,
}

impl Warm {
    /// The one that rested last of those in which a call in this context may be made.
    pub(super) fn take(&self, key: &Key, context: &Context) -> Option<Rested> {
        let mut list = lock(&self.list);
        let at = list
            .iter()
            .rposition(|(number, rested)| *number == self.number && rested.fits(key, context))?;
        Some(list.remove(at).1)
    }

    /// Lets one rest. Where there is no room, the one that has rested longest is gone: of the
    /// plugin, if it has as many as it may, else of all.
    pub(super) fn put(&self, rested: Rested) {
        let mut list = lock(&self.list);
        let own = list.iter().filter(|(number, _)| *number == self.number).count();
        let oldest = if own >= PLUGIN_MAX {
            list.iter().position(|(number, _)| *number == self.number)
        } else {
            (list.len() >= WARM_MAX as usize).then_some(0)
        };
        let gone = oldest.map(|at| list.remove(at));
        list.push((self.number, rested));
        drop(list);
        // Outside of the lock: its memory is cleared.
        drop(gone);
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        let mut list = lock(&self.list);
        let gone: Vec<_> = list.extract_if(.., |(number, _)| *number == self.number).collect();
        drop(list);
        drop(gone);
    }
}
