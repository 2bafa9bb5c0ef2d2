//! What became of the files while the gateway runs, for the audit log and for whoever raises
//! events of it.
//!
//! Beside everything else: nothing waits for it, and what can't be written down there is in the
//! log. A start changes nothing, so it has no entry, nor has what it has left to be compiled.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Live;
use crate::admin::PluginRow;
use crate::notices::Notice;
use crate::store::Deed;

/// Who changed a file is not known.
const FILES: &str = "the files";

impl Live {
    /// Writes down what became of the configuration.
    pub(super) fn note_config(&mut self, (before, after): (Value, Value), outcome: &str) {
        let what = "the configuration".to_owned();
        let from = self.path.display().to_string();
        self.note(Deed { what, from, before, after, outcome: outcome.to_owned(), ..by_files() });
    }

    /// Writes down what became of plugins since they were like this.
    pub(super) fn note_plugins(&mut self, before: &[PluginRow]) {
        if !self.is_started {
            return;
        }
        let rows = self.rows.load_full();
        let (was, is) = (states(before), states(&rows));
        let names = was.keys().chain(is.keys().filter(|name| !was.contains_key(*name)));
        let changed: Vec<Deed> = names
            .filter(|name| was.get(*name) != is.get(*name))
            .filter(|name| !self.starting.contains(**name))
            .map(|name| {
                let state = |of: &BTreeMap<&str, Value>| of.get(*name).cloned().unwrap_or_default();
                let (before, after) = (state(&was), state(&is));
                if let Some(notice) = notice(name, &before, &after) {
                    self.notices.tell(notice);
                }
                let is_refused = !after["refused"].is_null();
                let outcome = if is_refused { "refused" } else { "applied" }.to_owned();
                let from = self.config.plugins.display().to_string();
                Deed { what: format!("plugin {name}"), from, before, after, outcome, ..by_files() }
            })
            .collect();
        changed.into_iter().for_each(|deed| self.note(deed));
        let unfinished: BTreeSet<&str> = self.loading.unfinished().collect();
        self.starting.retain(|stem| unfinished.contains(stem.as_str()));
    }

    pub(super) fn note(&mut self, deed: Deed) {
        let auditor = self.auditor.clone();
        while self.telling.try_join_next().is_some() {}
        // An error is in the log.
        self.telling.spawn(async move { drop(auditor.record(deed).await) });
    }
}

/// What happened to a plugin that was in this state and is in that.
fn notice(plugin: &str, before: &Value, after: &Value) -> Option<Notice> {
    let text = |of: &Value, key: &str| of[key].as_str().map(str::to_owned);
    let [(was, was_refused), (is, is_refused)] =
        [before, after].map(|of| (text(of, "digest"), text(of, "refused")));
    let plugin = plugin.to_owned();
    match (is, is_refused) {
        (running, Some(reason)) if was_refused.as_ref() != Some(&reason) => {
            Some(Notice::Refused { plugin, running, reason })
        }
        (Some(digest), _) if was.as_ref() != Some(&digest) => {
            Some(Notice::Reloaded { plugin, digest, before: was })
        }
        _ => None,
    }
}

fn by_files() -> Deed {
    Deed { who: FILES.to_owned(), ..Deed::default() }
}

/// What runs under each name, and what is refused; not what is only being compiled.
fn states(rows: &[PluginRow]) -> BTreeMap<&str, Value> {
    let is_known = |row: &&PluginRow| row.digest.is_some() || row.refused.is_some();
    let state = |row: &PluginRow| json!({ "digest": row.digest, "refused": row.refused });
    rows.iter().filter(is_known).map(|row| (row.name.as_str(), state(row))).collect()
}
