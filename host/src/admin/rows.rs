//! What operators see of plugins and reloads.
//!
//! Plain rows for JSON; nothing here asks or decides anything.

use serde::Serialize;

use crate::plugin::Plugin;
use crate::route::Pattern;

/// A plugin: what runs, and what is wrong with its file if that is something else.
#[derive(Debug, Clone, Serialize)]
pub struct PluginRow {
    /// The file's stem.
    pub name: String,
    /// Of the file that runs, SHA-256 in hex.
    pub digest: Option<String>,
    /// Its provider's version, if it is one.
    pub provider: Option<String>,
    /// Its handler's version, if it is one.
    pub handler: Option<String>,
    /// The event types that its handler runs on.
    pub handles: Vec<Pattern>,
    /// Why the file in the folder is not what runs.
    pub refused: Option<String>,
    /// Whether the file in the folder is still being compiled.
    pub loading: bool,
    /// The sources and handlers that it refuses to work for, and why: they are stopped.
    pub stopped: Vec<String>,
}

impl PluginRow {
    /// A plugin that runs.
    pub fn new(plugin: &Plugin) -> Self {
        let handler = plugin.handler();
        Self {
            name: plugin.name().to_string(),
            digest: Some(plugin.digest().to_owned()),
            provider: plugin.provider().map(|info| info.version.clone()),
            handler: handler.map(|info| info.version.clone()),
            handles: handler.map(|info| info.types.clone()).unwrap_or_default(),
            refused: None,
            loading: false,
            stopped: Vec::new(),
        }
    }

    /// A file of which no plugin runs.
    pub fn file(stem: &str) -> Self {
        Self {
            name: stem.to_owned(),
            digest: None,
            provider: None,
            handler: None,
            handles: Vec::new(),
            refused: None,
            loading: false,
            stopped: Vec::new(),
        }
    }
}

/// What became of a reload.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The configuration.
    pub config: ConfigRow,
    /// The plugins whose files changed.
    pub plugins: Vec<ReloadRow>,
    /// Why the plugins folder could not be read: then all plugins stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of the configuration file.
#[derive(Debug, Clone, Serialize)]
pub struct ConfigRow {
    /// `unchanged`, `applied`, or `kept`: the last good one.
    pub outcome: &'static str,
    /// Why it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of one plugin's file.
#[derive(Debug, Clone, Serialize)]
pub struct ReloadRow {
    /// The file's stem.
    pub plugin: String,
    /// `loaded`, `removed`, `kept` (the last good one), `refused`, or `loading` if it is not known
    /// yet.
    pub outcome: &'static str,
    /// Why it was not loaded, or what it refuses to work for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
