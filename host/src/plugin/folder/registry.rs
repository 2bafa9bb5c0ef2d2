//! Which plugin goes by which name, now.
//!
//! A reload swaps one entry; whoever holds the `Arc` of the old plugin finishes on it. Never knows
//! where plugins come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::ids::Name;
use crate::plugin::Plugin;

/// The plugins that are loaded, by name.
#[derive(Debug, Default)]
pub struct Registry {
    loaded: ArcSwap<Loaded>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Loaded {
    plugins: BTreeMap<Name, Arc<Plugin>>,
    /// Those of them that handle events, in the same order.
    handlers: Vec<Arc<Plugin>>,
}

impl From<BTreeMap<Name, Arc<Plugin>>> for Loaded {
    fn from(plugins: BTreeMap<Name, Arc<Plugin>>) -> Self {
        let handlers = plugins.values().filter(|plugin| plugin.handler().is_some());
        Self { handlers: handlers.cloned().collect(), plugins }
    }
}

impl Registry {
    /// The plugin of this name.
    pub fn get(&self, name: &Name) -> Option<Arc<Plugin>> {
        self.loaded.load().plugins.get(name).cloned()
    }

    /// Puts a plugin in the place of the one with its name.
    pub fn insert(&self, plugin: &Arc<Plugin>) {
        self.change(|plugins| drop(plugins.insert(plugin.name.clone(), Arc::clone(plugin))));
    }

    /// Takes a plugin out.
    pub fn remove(&self, name: &Name) {
        self.change(|plugins| drop(plugins.remove(name)));
    }

    fn change(&self, change: impl Fn(&mut BTreeMap<Name, Arc<Plugin>>)) {
        self.loaded.rcu(|loaded| {
            let mut plugins = loaded.plugins.clone();
            change(&mut plugins);
            Loaded::from(plugins)
        });
        self.changed.send_replace(());
    }

    /// Hears of every change from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// What is made of each handler that is chosen, by name, without a hold on any: each event asks
    /// all of them, and of many plugins most only read requests.
    pub(crate) fn choose_handlers<T>(
        &self,
        choose: impl FnMut(&Arc<Plugin>) -> Option<T>,
    ) -> Vec<T> {
        self.loaded.load().handlers.iter().filter_map(choose).collect()
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<Arc<Plugin>> {
        self.loaded.load().plugins.values().cloned().collect()
    }
}
