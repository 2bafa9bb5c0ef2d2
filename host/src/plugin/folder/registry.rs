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
    plugins: ArcSwap<BTreeMap<Name, Arc<Plugin>>>,
    changed: watch::Sender<()>,
}

impl Registry {
    /// The plugin of this name.
    pub fn get(&self, name: &Name) -> Option<Arc<Plugin>> {
        self.plugins.load().get(name).cloned()
    }

    /// Puts a plugin in the place of the one with its name.
    pub fn insert(&self, plugin: &Arc<Plugin>) {
        self.plugins.rcu(|plugins| {
            let mut plugins = BTreeMap::clone(plugins);
            plugins.insert(plugin.name.clone(), Arc::clone(plugin));
            plugins
        });
        self.changed.send_replace(());
    }

    /// Takes a plugin out.
    pub fn remove(&self, name: &Name) {
        self.plugins.rcu(|plugins| {
            let mut plugins = BTreeMap::clone(plugins);
            plugins.remove(name);
            plugins
        });
        self.changed.send_replace(());
    }

    /// Hears of every change from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// What is made of each that is chosen, by name, without a hold on any: of many plugins an
    /// event concerns few, and all threads count holds in the same places.
    pub(crate) fn choose<T>(&self, choose: impl FnMut(&Arc<Plugin>) -> Option<T>) -> Vec<T> {
        self.plugins.load().values().filter_map(choose).collect()
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<Arc<Plugin>> {
        self.plugins.load().values().cloned().collect()
    }
}
