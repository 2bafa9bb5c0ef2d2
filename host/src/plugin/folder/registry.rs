//! Which plugin goes by which name, now, which handlers have a next version beside it, and which
//! are missing and get events all the same.
//!
//! A reload swaps one entry; whoever holds the `Arc` of the old plugin finishes on it. Never knows
//! where plugins come from, nor which events the next version of a handler gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::ids::Name;
use crate::plugin::Plugin;
use crate::route::Pattern;

/// The plugins that are loaded, by name.
#[derive(Debug, Default)]
pub struct Registry {
    loaded: ArcSwap<Loaded>,
    changed: watch::Sender<()>,
}

/// Plugins by name.
type ByName = BTreeMap<Name, Arc<Plugin>>;

/// The event types that handlers run on, by their names, as they last said it.
pub(crate) type Remembered = BTreeMap<Name, Arc<[Pattern]>>;

#[derive(Debug, Default)]
struct Loaded {
    /// The live versions.
    live: ByName,
    /// The next versions of handlers.
    next: ByName,
    /// Whose events wait for them while they are missing.
    remembered: Arc<Remembered>,
    /// Of the live ones those that handle events, and those that are missing, by name.
    handlers: Vec<Takes>,
}

/// A handler that events go to.
#[derive(Debug)]
enum Takes {
    Live(Arc<Plugin>),
    Missing(Name, Arc<[Pattern]>),
}

impl Takes {
    fn name(&self) -> &Name {
        match self {
            Self::Live(plugin) => &plugin.name,
            Self::Missing(name, _) => name,
        }
    }

    fn types(&self) -> &[Pattern] {
        match self {
            Self::Live(plugin) => match plugin.handler() {
                Some(info) => &info.types,
                None => &[],
            },
            Self::Missing(_, types) => types,
        }
    }
}

impl Loaded {
    fn of(live: ByName, next: ByName, remembered: Arc<Remembered>) -> Self {
        let handles = |name: &Name| live.get(name).is_some_and(|it| it.handler().is_some());
        let of_live = live.values().filter(|plugin| plugin.handler().is_some());
        let missing = remembered.iter().filter(|&(name, _)| !handles(name));
        let missing = missing.map(|(name, types)| Takes::Missing(name.clone(), types.clone()));
        let mut handlers: Vec<Takes> = of_live.cloned().map(Takes::Live).chain(missing).collect();
        handlers.sort_by(|one, other| one.name().cmp(other.name()));
        Self { live, next, remembered, handlers }
    }
}

impl Registry {
    /// The live plugin of this name.
    pub fn get(&self, name: &Name) -> Option<Arc<Plugin>> {
        self.loaded.load().live.get(name).cloned()
    }

    /// The next version of this handler.
    pub fn next(&self, name: &Name) -> Option<Arc<Plugin>> {
        self.loaded.load().next.get(name).cloned()
    }

    /// The live plugin of this name and its next version, as they are at the same moment.
    pub fn versions(&self, name: &Name) -> Option<(Arc<Plugin>, Option<Arc<Plugin>>)> {
        let loaded = self.loaded.load();
        Some((loaded.live.get(name)?.clone(), loaded.next.get(name).cloned()))
    }

    /// Puts a plugin in the place of the live one with its name. If it is the next version itself,
    /// that one ends in the same swap: at no moment does anybody get the old one again.
    pub fn insert(&self, plugin: &Arc<Plugin>) {
        self.change(|live, next| {
            live.insert(plugin.name.clone(), Arc::clone(plugin));
            if next.get(&plugin.name).is_some_and(|next| next.digest == plugin.digest) {
                next.remove(&plugin.name);
            }
        });
    }

    /// Takes the live plugin of this name out.
    pub fn remove(&self, name: &Name) {
        self.change(|live, _| drop(live.remove(name)));
    }

    /// Puts the next version of a handler beside the live one, in the place of the one before it.
    pub fn insert_next(&self, plugin: &Arc<Plugin>) {
        self.change(|_, next| drop(next.insert(plugin.name.clone(), Arc::clone(plugin))));
    }

    /// Takes the next version of a handler out.
    pub fn remove_next(&self, name: &Name) {
        self.change(|_, next| drop(next.remove(name)));
    }

    /// Has events go to these handlers too while they are missing, and to no other that is.
    pub(crate) fn remember(&self, remembered: Remembered) {
        let remembered = Arc::new(remembered);
        self.loaded
            .rcu(|loaded| Loaded::of(loaded.live.clone(), loaded.next.clone(), remembered.clone()));
    }

    fn change(&self, change: impl Fn(&mut ByName, &mut ByName)) {
        self.loaded.rcu(|loaded| {
            let (mut live, mut next) = (loaded.live.clone(), loaded.next.clone());
            change(&mut live, &mut next);
            Loaded::of(live, next, loaded.remembered.clone())
        });
        self.changed.send_replace(());
    }

    /// Hears of every change from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// What is made of the name and the types of each handler that is chosen, in the order of their
    /// names, without a hold on any: each event asks all of them, and of many plugins most only
    /// read requests. Those that are missing and remembered are asked as well.
    pub(crate) fn choose_handlers<T>(
        &self,
        mut choose: impl FnMut(&Name, &[Pattern]) -> Option<T>,
    ) -> Vec<T> {
        let loaded = self.loaded.load();
        loaded.handlers.iter().filter_map(|it| choose(it.name(), it.types())).collect()
    }

    /// All live ones, by name.
    pub fn list(&self) -> Vec<Arc<Plugin>> {
        self.loaded.load().live.values().cloned().collect()
    }

    /// All next versions, by name.
    pub fn list_next(&self) -> Vec<Arc<Plugin>> {
        self.loaded.load().next.values().cloned().collect()
    }
}
