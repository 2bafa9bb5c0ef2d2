//! Why the gateway can't accept requests: in words that never change, and in words for people.
//!
//! Plain values for JSON, beside whoever answers with them. Never finds out anything by itself.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::ids::Name;

/// Says what keeps the gateway from accepting requests.
#[derive(Clone)]
pub(crate) struct Ready(pub(crate) Arc<dyn Fn() -> Vec<NotReady> + Send + Sync>);

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((self.0)()).finish()
    }
}

/// One thing that keeps the gateway from accepting requests, of one source or of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NotReady {
    /// What it is, for programs.
    pub(crate) name: Lack,
    /// The source whose requests are not accepted; `None` if it is all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Name>,
    /// What it is this time, for people.
    pub(crate) detail: String,
}

impl NotReady {
    /// What keeps out all requests.
    pub(crate) fn new(name: Lack, detail: String) -> Self {
        Self { name, source: None, detail }
    }

    /// What keeps out those of one source.
    pub(crate) fn of_source(name: Lack, source: &Name, why: &str) -> Self {
        let detail = format!("source {source}: {why}");
        Self { name, source: Some(source.clone()), detail }
    }
}

/// What the gateway lacks: a closed list that monitors may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// The source's plugin is not loaded, and there is no file of it.
    PluginMissing,
    /// The file of the source's plugin is still being compiled.
    PluginLoading,
    /// The file of the source's plugin was refused.
    PluginRefused,
    /// The source's plugin is not a provider.
    NotAProvider,
    /// The source's plugin refuses to work for it.
    SourceStopped,
    /// The plugins folder can't be read.
    PluginsFolder,
    /// The store can't be read or written for now.
    StoreUnavailable,
    /// The store has failed, and only a restart may help.
    StoreFailed,
    /// The gateway stops.
    Stopping,
    /// As much work is open as may be.
    Backlog,
    /// The disk is nearly full.
    DiskFree,
}

impl Lack {
    /// All, for the document and for tests.
    pub(super) const ALL: [Self; 11] = [
        Self::PluginMissing,
        Self::PluginLoading,
        Self::PluginRefused,
        Self::NotAProvider,
        Self::SourceStopped,
        Self::PluginsFolder,
        Self::StoreUnavailable,
        Self::StoreFailed,
        Self::Stopping,
        Self::Backlog,
        Self::DiskFree,
    ];

    /// As programs read it: `plugin_missing`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PluginMissing => "plugin_missing",
            Self::PluginLoading => "plugin_loading",
            Self::PluginRefused => "plugin_refused",
            Self::NotAProvider => "not_a_provider",
            Self::SourceStopped => "source_stopped",
            Self::PluginsFolder => "plugins_folder",
            Self::StoreUnavailable => "store_unavailable",
            Self::StoreFailed => "store_failed",
            Self::Stopping => "stopping",
            Self::Backlog => "backlog",
            Self::DiskFree => "disk_free",
        }
    }
}

impl Serialize for Lack {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn every_lack_has_a_name_of_its_own_that_the_documentation_explains() {
        let described = include_str!("../../../docs/operating.md");
        let mut names = BTreeSet::new();
        for lack in Lack::ALL {
            let name = lack.as_str();
            assert!(names.insert(name), "two are called {name}");
            let row = format!("\n| `{name}` | ");
            assert!(described.contains(&row), "docs/operating.md has no row of {name}");
        }
    }

    #[test]
    fn a_source_is_named_where_it_is_one_alone() {
        let source = "cards".parse().unwrap();
        let of_one = NotReady::of_source(Lack::PluginMissing, &source, "plugin x is not loaded");
        let expected = json!({
            "name": "plugin_missing",
            "source": "cards",
            "detail": "source cards: plugin x is not loaded",
        });
        assert_eq!(json!(of_one), expected);
        let of_all = NotReady::new(Lack::DiskFree, "too little".to_owned());
        assert_eq!(json!(of_all), json!({ "name": "disk_free", "detail": "too little" }));
    }
}
