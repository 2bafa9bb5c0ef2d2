//! The schemas of what the gateway shows of itself: plugins, reloads, problems.
//!
//! Never says what the store shows.

use serde_json::{Value, json};

use super::object::Members;
use super::{Described, Schemas, one_of};
use crate::admin::problem::{Kind, Problem};
use crate::admin::readiness::{Lack, NotReady};
use crate::admin::rows::{ConfigRow, PluginRow, ReloadRow, Report, SourceRow};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::route::Pattern;

object! {
    /// A plugin: what runs, and what is wrong with its file if that is something else.
    PluginRow {
        /// The file's stem.
        name: String,
        /// Of the file that runs, SHA-256 in hexadecimal.
        digest: Option<String>,
        /// Its provider's version, if it is one.
        provider: Option<String>,
        /// Its handler's version, if it is one.
        handler: Option<String>,
        /// The event types that its handler runs on.
        handles: Vec<Pattern>,
        /// Why the file in the folder is not what runs.
        refused: Option<String>,
        /// Whether the file in the folder is still being compiled.
        loading: bool,
        /// The sources and handlers that it refuses to work for, and why: they are stopped.
        stopped: Vec<String>,
        /// Whether the plugin's file is missing while work waits for the plugin.
        [maybe] missing: bool,
        /// The number of parses and runs that wait until the plugin is there and not stopped.
        [maybe] waiting: u64,
        /// The name of the handler that it is the next version of.
        [maybe] canary_of: Option<String>,
        /// The id of the key that has signed its file, 16 hexadecimal digits.
        [maybe] signed_by: Option<String>,
        /// The version of the SDK that it was built with, if its file says so.
        [maybe] sdk: Option<String>,
    }
}

object! {
    /// A source of the configuration.
    SourceRow {
        name: Name,
        /// Where its provider posts to, at the public port.
        path: String,
        /// The whole address; null if the configuration has no `public_url`.
        url: Option<String>,
        /// The file's stem of its provider plugin.
        plugin: String,
        /// What the plugin calls the provider; null if the plugin is not loaded.
        provider: Option<String>,
        /// The plugin's version.
        version: Option<String>,
        /// How the provider signs, for people.
        scheme: Option<String>,
        /// The event types that the plugin may yield.
        types: Vec<String>,
        /// The names of the samples in the plugin's file, at most 100; `POST
        /// /v1/sources/{name}/sample` has the source receive one.
        samples: Vec<String>,
        /// Whether requests must prove where they come from.
        verified: bool,
        /// The number of its secrets.
        secrets: u64,
        /// When the file of each secret was last written, in the order of the configuration; null
        /// for one that does not stand in a file.
        secrets_since: Vec<Option<Timestamp>>,
        /// The hosts from which the gateway may fetch its public keys.
        keys_from: Vec<String>,
        /// Why its plugin refuses to work for it, if it does.
        stopped: Option<String>,
    }
}

object! {
    /// What became of a reload.
    Report {
        config: ConfigRow,
        /// The plugins whose files changed.
        plugins: Vec<ReloadRow>,
        /// Why the plugins folder could not be read: then all plugins stay as they are.
        [maybe] error: Option<String>,
    }
}

object! {
    /// What became of the configuration file.
    ConfigRow {
        /// `unchanged`, `applied`, or `kept`: the last good one.
        outcome: &'static str,
        /// Why it was kept.
        [maybe] reason: Option<String>,
    }
}

object! {
    /// What became of one plugin's file.
    ReloadRow {
        /// The file's stem.
        plugin: String,
        /// `loaded`, `removed`, `kept` (the last good one), `refused`, or `loading`.
        outcome: &'static str,
        /// Why it was not loaded, or what it refuses to work for.
        [maybe] reason: Option<String>,
    }
}

object! {
    /// One thing that keeps the gateway from accepting requests.
    NotReady {
        /// What it is, for programs.
        name: Lack,
        /// The source whose requests are not accepted; without it, it is all of them.
        [maybe] source: Option<Name>,
        /// What it is this time, for people.
        detail: String,
    }
}

impl Described for Lack {
    fn schema(_: &mut Schemas) -> Value {
        one_of(&Self::ALL.map(Self::as_str))
    }
}

impl Described for Problem {
    fn name() -> Option<String> {
        Some("Problem".to_owned())
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let mut members = Members::default();
        members.add_all(&json!({
            "properties": {
                "type": {
                    "type": "string", "format": "uri",
                    "description": "The kind of problem; where it is described.",
                },
                "status": {
                    "type": "integer", "minimum": 400, "maximum": 599,
                    "description": "The status of the answer.",
                },
            },
            "required": ["type", "status"],
        }));
        members.add::<String>(schemas, "title", "The same for all problems of the kind.", "");
        members.add::<String>(schemas, "detail", "What is wrong this time.", "");
        let said = "Of a parameter: its name.";
        members.add::<String>(schemas, "parameter", said, "maybe");
        let said = "Of an endpoint: the setting that is wrong.";
        members.add::<String>(schemas, "field", said, "maybe");
        let said = "Of a rehearsal that goes on: its id.";
        members.add::<String>(schemas, "id", said, "maybe");
        members.add::<u64>(schemas, "line", "Of a body: where it is wrong.", "maybe");
        members.add::<u64>(schemas, "column", "Of a body: where it is wrong.", "maybe");
        let said = "Of a gateway that is not ready: what it lacks.";
        members.add::<Vec<String>>(schemas, "missing", said, "maybe");
        let said = "Of a gateway that is not ready: the same, with names for programs.";
        members.add::<Vec<NotReady>>(schemas, "reasons", said, "maybe");
        let mut schema = members.into_schema("What is wrong, as RFC 9457 says it.");
        schema["properties"]["type"]["enum"] = Kind::ALL.into_iter().map(Kind::place).collect();
        schema
    }
}
