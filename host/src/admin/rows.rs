//! What operators see of plugins, of what waits for them, and of reloads.
//!
//! Plain rows for JSON; nothing here asks or decides anything.

use std::fmt;

use serde::Serialize;

use crate::event::Timestamp;
use crate::ids::Name;
use crate::plugin::Plugin;
use crate::route::Pattern;
use crate::secrets::shown;
use crate::store::WorkKind;

/// A plugin: what runs, and what is wrong with its file if that is something else.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PluginRow {
    /// The file's stem.
    pub(crate) name: String,
    /// Of the file that runs, SHA-256 in hex.
    pub(crate) digest: Option<String>,
    /// Its provider's version, if it is one.
    pub(crate) provider: Option<String>,
    /// Its handler's version, if it is one.
    pub(crate) handler: Option<String>,
    /// The event types that its handler runs on.
    pub(crate) handles: Vec<Pattern>,
    /// Why the file in the folder is not what runs.
    pub(crate) refused: Option<String>,
    /// Whether the file in the folder is still being compiled.
    pub(crate) loading: bool,
    /// The sources and handlers that it refuses to work for, and why: they are stopped.
    pub(crate) stopped: Vec<String>,
    /// Whether the plugin's file is missing while work waits for the plugin.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) missing: bool,
    /// How many parses and runs wait until it is there and not stopped.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) waiting: u64,
    /// The name of the handler that it is the next version of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) canary_of: Option<String>,
    /// The id of the key that has signed its file, 16 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signed_by: Option<String>,
    /// The version of the SDK that it was built with, if its file says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sdk: Option<String>,
}

/// As serde asks for it.
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl PluginRow {
    /// A plugin that runs.
    pub(crate) fn new(plugin: &Plugin) -> Self {
        let handler = plugin.handler();
        Self {
            digest: Some(plugin.digest().to_owned()),
            provider: plugin.provider().map(|info| info.version.clone()),
            handler: handler.map(|info| info.version.clone()),
            handles: handler.map(|info| info.types.clone()).unwrap_or_default(),
            signed_by: plugin.signed_by().map(|key| key.id().to_string()),
            sdk: plugin.sdk().map(str::to_owned),
            ..Self::file(plugin.name().as_str())
        }
    }

    /// A file of which no plugin runs.
    pub(crate) fn file(stem: &str) -> Self {
        Self {
            name: stem.to_owned(),
            digest: None,
            provider: None,
            handler: None,
            handles: Vec::new(),
            refused: None,
            loading: false,
            stopped: Vec::new(),
            missing: false,
            waiting: 0,
            canary_of: None,
            signed_by: None,
            sdk: None,
        }
    }
}

/// Works that wait for a plugin that is missing or stopped.
#[derive(Debug, Clone)]
pub(crate) struct WaitRow {
    /// Parses or runs.
    pub(crate) kind: WorkKind,
    /// Of this source, or of this handler.
    pub(crate) name: Name,
    /// The plugin that they wait for.
    pub(crate) plugin: Name,
    /// How many there are.
    pub(crate) works: usize,
}

impl WaitRow {
    /// Counts them in the row of their plugin. One that is nowhere gets a row, in which its name is
    /// only told if it is a plain word: that of a source's may be a secret in the wrong place.
    pub(super) fn count_in(&self, rows: &mut Vec<PluginRow>) {
        let known = rows.iter().position(|row| row.name == self.plugin.as_str());
        let name = match (known, self.kind) {
            (None, WorkKind::Parse) => shown(self.plugin.as_str()),
            _ => self.plugin.as_str(),
        };
        let at = rows.binary_search_by(|row| row.name.as_str().cmp(name)).unwrap_or_else(|at| {
            rows.insert(at, PluginRow { missing: true, ..PluginRow::file(name) });
            at
        });
        rows[at].waiting += self.works as u64;
    }
}

impl fmt::Display for WaitRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, works, .. } = self;
        let what = if *kind == WorkKind::Parse { "parse" } else { "run" };
        let many = if *works == 1 { "" } else { "s" };
        write!(f, "{works} {what}{many} of {name}")
    }
}

/// A source of the configuration.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SourceRow {
    pub(crate) name: Name,
    /// Where its provider posts to, at the public port.
    pub(crate) path: String,
    /// The whole address, if the configuration says where the internet reaches that port.
    pub(crate) url: Option<String>,
    /// The stem of its provider plugin.
    pub(crate) plugin: String,
    /// What the plugin calls the provider; `None` if it is not loaded.
    pub(crate) provider: Option<String>,
    /// The plugin's version.
    pub(crate) version: Option<String>,
    /// How the provider signs, for people.
    pub(crate) scheme: Option<String>,
    /// The event types that it may yield.
    pub(crate) types: Vec<String>,
    /// The names of the samples that it can receive, in order.
    pub(crate) samples: Vec<String>,
    /// Whether requests must prove where they come from.
    pub(crate) verified: bool,
    /// How many secrets it has.
    pub(crate) secrets: u64,
    /// When the file of each was written last; `None` for one that is in no file.
    pub(crate) secrets_since: Vec<Option<Timestamp>>,
    /// The hosts from which the gateway may fetch its public keys.
    pub(crate) keys_from: Vec<String>,
    /// Why its plugin refuses to work for it, if it does.
    pub(crate) stopped: Option<String>,
}

/// What became of a reload.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub(crate) config: ConfigRow,
    /// The plugins whose files changed.
    pub(crate) plugins: Vec<ReloadRow>,
    /// Why the plugins folder could not be read: then all plugins stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Report {
    /// Why the file of this plugin does not run, as far as this says it.
    pub(crate) fn why_not(&self, plugin: &str) -> &str {
        let row = self.plugins.iter().rfind(|row| row.plugin == plugin);
        row.and_then(|row| row.reason.as_deref()).unwrap_or("the log of the gateway says why")
    }
}

/// What became of the configuration file.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ConfigRow {
    /// `unchanged`, `applied`, or `kept`: the last good one.
    pub(crate) outcome: &'static str,
    /// Why it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// What became of one plugin's file.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ReloadRow {
    /// The file's stem.
    pub(crate) plugin: String,
    /// `loaded`, `removed`, `kept` (the last good one), `refused`, or `loading` if it is not known
    /// yet.
    pub(crate) outcome: &'static str,
    /// Why it was not loaded, or what it refuses to work for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_counts_with_its_plugin_and_a_name_that_may_be_a_secret_is_not_told() {
        let wait = |kind, plugin: &str| WaitRow {
            kind,
            name: "shop".parse().unwrap(),
            plugin: plugin.parse().unwrap(),
            works: 2,
        };
        let mut rows = vec![PluginRow::file("stripe")];
        for (kind, plugin) in [
            (WorkKind::Parse, "stripe"),
            (WorkKind::Run, "stripe"),
            (WorkKind::Parse, "planted-0f3a91c2d5e8"),
            (WorkKind::Run, "ledger-2"),
        ] {
            wait(kind, plugin).count_in(&mut rows);
        }

        let told = rows.iter().map(|row| (row.name.as_str(), row.missing, row.waiting));
        let expected = [("(hidden)", true, 2), ("ledger-2", true, 2), ("stripe", false, 4)];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        assert_eq!(wait(WorkKind::Run, "stripe").to_string(), "2 runs of shop");
    }
}
