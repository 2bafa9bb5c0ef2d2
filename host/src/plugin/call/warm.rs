//! Instances that rest between two calls, where the operator lets a plugin use one again.
//!
//! A plugin has a few of them, and all plugins together as many as the engine has room for beside
//! those of its threads; the one that has rested longest gives way. Never gives one to a call of
//! another kind, of another source, of another tenant or with other settings.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use wasmtime::Store;
use wasmtime::component::Instance;

use super::context::Context;
use crate::ids::Name;
use crate::lock::lock;
use crate::plugin::used::Call;
use crate::tenant::Tenant;

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
    /// Whose event a run is on, if it is not the operator's.
    tenant: Option<Tenant>,
    /// As the guest gets them.
    settings: Arc<str>,
}

impl Key {
    /// For a call about a request of this source; `None` if its instance is for this call alone.
    pub(super) fn of_request(context: &Context, call: Call, source: &Name) -> Option<Self> {
        Self::of(context, call, (Some(source), None))
    }

    /// The same for a run on an event of this tenant.
    pub(super) fn of_run(context: &Context, tenant: Option<&Tenant>) -> Option<Self> {
        Self::of(context, Call::Handle, (None, tenant))
    }

    fn of(
        context: &Context,
        call: Call,
        (source, tenant): (Option<&Name>, Option<&Tenant>),
    ) -> Option<Self> {
        context.reuse?;
        let settings = Arc::clone(&context.settings);
        Some(Self { call, source: source.cloned(), tenant: tenant.cloned(), settings })
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

/// The instances that have been called and have not gone.
#[derive(Default)]
struct Held {
    /// Those that rest, each with the number of its plugin; whoever came last stands last.
    resting: Vec<(u64, Rested)>,
    /// How many are being thrown away by somebody who has no room of the engine for them: each has
    /// its room until its memory is cleared.
    leaving: usize,
}

type List = Mutex<Held>;

/// Throws the instances of these plugins away, one after the other.
fn throw_away(list: &List, is_meant: impl Fn(u64) -> bool) {
    let gone: Vec<_> = {
        let mut held = lock(list);
        let gone = held.resting.extract_if(.., |(number, _)| is_meant(*number));
        let gone: Vec<_> = gone.collect();
        held.leaving += gone.len();
        gone
    };
    for rested in gone {
        // Outside of the lock: its memory is cleared.
        drop(rested);
        lock(list).leaving -= 1;
    }
}

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
        throw_away(&self.list, |_| true);
    }

    /// How many there are.
    #[cfg(test)]
    pub(in crate::plugin) fn count(&self) -> usize {
        lock(&self.list).resting.len()
    }

    /// Has so many count as being thrown away.
    #[cfg(test)]
    pub(in crate::plugin) fn set_leaving(&self, leaving: usize) {
        lock(&self.list).leaving = leaving;
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
        let mut held = lock(&self.list);
        let fits =
            |(number, rested): &(u64, Rested)| *number == self.number && rested.fits(key, context);
        let at = held.resting.iter().rposition(fits)?;
        Some(held.resting.remove(at).1)
    }

    /// Lets one rest. Where there is no room, the one that has rested longest is gone: of the
    /// plugin, if it has as many as it may, else of all. That may be this very one, while many
    /// others are being thrown away.
    pub(super) fn put(&self, rested: Rested) {
        let mut held = lock(&self.list);
        held.resting.push((self.number, rested));
        let own = held.resting.iter().filter(|(number, _)| *number == self.number).count();
        let oldest = if own > PLUGIN_MAX {
            held.resting.iter().position(|(number, _)| *number == self.number)
        } else {
            (held.resting.len() + held.leaving > WARM_MAX as usize).then_some(0)
        };
        let gone = oldest.map(|at| held.resting.remove(at));
        drop(held);
        // Outside of the lock: its memory is cleared. Until then it has the room of this thread.
        drop(gone);
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        throw_away(&self.list, |number| number == self.number);
    }
}
