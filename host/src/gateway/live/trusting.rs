//! What runs although nobody whom the operator trusts now has signed it.
//!
//! A file whose signature does not hold changes nothing: the last good one runs on. But a
//! configuration that trusts other keys than before stops what these have not signed, or no key
//! could be revoked. Never reads a file, and never stops what a file that is signed replaces.

use tracing::error;

use super::Live;
use crate::ids::Name;
use crate::metrics;
use crate::plugin::{Plugin, Reloaded};

/// Why a plugin does not run whose file is not refused for a reason of its own.
pub(super) const UNTRUSTED: &str = "no key of `trusted_keys` has signed the plugin";

impl Live {
    pub(super) fn is_trusted(&self, plugin: &Plugin) -> bool {
        plugin.is_trusted_by(&self.config.trusted_keys)
    }

    /// Takes out what runs and is not trusted, but for what one of these files replaces. Nothing,
    /// until somebody has looked through the folder for what is: it may be signed there meanwhile.
    pub(super) fn distrust(&mut self, files: &[(String, Reloaded)]) {
        if !self.loading.has_looked_for(&self.config.trusted_keys) {
            return;
        }
        let replaces = |name: &Name| {
            files.iter().any(|(stem, change)| match change {
                Reloaded::Loaded(plugin) => stem == name.as_str() && self.is_trusted(plugin),
                Reloaded::Unchanged | Reloaded::Kept(_) | Reloaded::Removed => false,
            })
        };
        let plugins = self.registry.list();
        let untrusted = plugins.iter().filter(|plugin| !self.is_trusted(plugin));
        let stopped: Vec<Name> =
            untrusted.map(|plugin| plugin.name().clone()).filter(|name| !replaces(name)).collect();
        for name in stopped {
            error!(plugin.name = %name, "the gateway no longer runs a plugin: {UNTRUSTED}");
            self.registry.remove(&name);
            self.admission.removed(&self.config, name.as_str());
            self.refused.entry(name.to_string()).or_insert_with(|| UNTRUSTED.to_owned());
            self.apply_rules();
            self.metrics.reload(&name, metrics::Reloaded::Removed);
        }
    }
}
