//! The plugins as operators see them: a row for each that runs, and for each file that does not.
//!
//! Only says what is known already. Never asks a plugin anything.

use std::collections::{BTreeMap, BTreeSet};

use super::Live;
use super::canary::stem_of;
use crate::admin::PluginRow;

impl Live {
    pub(super) fn plugin_rows(&self) -> Vec<PluginRow> {
        let loading: BTreeSet<&str> = self.loading.unfinished().collect();
        let mut rows: BTreeMap<String, PluginRow> = BTreeMap::new();
        for plugin in self.registry.list().iter() {
            let mut row = PluginRow::new(plugin);
            row.stopped = self.admission.stopped_of(&self.config, plugin.name());
            rows.insert(row.name.clone(), row);
        }
        for plugin in self.registry.list_next().iter() {
            let stem = stem_of(plugin.name());
            let row = PluginRow {
                name: stem.clone(),
                provider: None,
                canary_of: Some(plugin.name().to_string()),
                ..PluginRow::new(plugin)
            };
            rows.insert(stem, row);
        }
        for stem in self.refused.keys().map(String::as_str).chain(loading.iter().copied()) {
            let row = rows.entry(stem.to_owned()).or_insert_with(|| PluginRow::file(stem));
            row.refused = self.refused.get(stem).cloned();
            row.loading = loading.contains(stem);
        }
        rows.into_values().collect()
    }
}
