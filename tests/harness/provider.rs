//! A provider as its tests see it: the plugin, what is recorded of it, and a source that is set up
//! as a recording says.

use std::path::PathBuf;
use std::sync::Arc;

use hookgate::cli::vectors::{Recorded, Vector, key_hosts};
use hookgate::event::Request;
use hookgate::plugin::{About, Compiler, Config, Host, Plugin, Role};
use hookgate::provider::{Claims, ProviderInfo};
use serde_json::{Map, Value};

use super::{plugin_file, recordings, target};

/// A provider's plugin, and the settings that its recordings are made for.
pub(crate) struct Provider {
    pub(crate) host: Host,
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) about: About,
}

/// What a source is set up with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    /// An object.
    pub(crate) settings: String,
    pub(crate) secrets: Vec<String>,
    /// In seconds.
    pub(crate) tolerance: Option<u64>,
    /// From which keys may be fetched.
    pub(crate) hosts: Vec<String>,
}

impl Provider {
    pub(crate) fn load(name: &str) -> Self {
        Self::of(name, &std::fs::read(plugin_file(name)).expect("it is built"))
    }

    /// One of these bytes.
    pub(crate) fn of(name: &str, wasm: &[u8]) -> Self {
        let compiled = Some(target().join("test-compiled"));
        let host = Host::new(Config::new(Compiler::InProcess, compiled)).expect("a host");
        let plugin = host.load(name.parse().expect("a name"), wasm).expect("a plugin");
        Self { host, plugin, about: About::of_file(wasm) }
    }

    pub(crate) fn name(&self) -> &str {
        self.plugin.name().as_str()
    }

    pub(crate) fn info(&self) -> &ProviderInfo {
        self.plugin.provider().expect("a provider")
    }

    /// What a recorded request claims, if the plugin can read it.
    pub(crate) async fn claims(&self, vector: &Vector, request: Request) -> Option<Claims> {
        let settings = Value::Object(vector.settings(&self.about.example)).to_string().into();
        let name = self.plugin.name();
        let claims = self.host.claims(&self.plugin, &settings, name, &request.into()).await;
        claims.expect("the plugin works").ok()
    }

    /// What is recorded of it, by file.
    pub(crate) fn recordings(&self) -> Vec<(String, Recorded)> {
        let read = |file: PathBuf| {
            let recorded = Recorded::read(&file, self.name());
            (file.display().to_string(), recorded.unwrap_or_else(|error| panic!("{error:#}")))
        };
        recordings(self.name()).into_iter().map(read).collect()
    }

    /// Whether a source can be set up as the recording says: with a secret, keys that are fetched
    /// or roots that are pinned, and settings that do.
    pub(crate) async fn fits(&self, vector: &Vector) -> bool {
        let Kind { settings, secrets, hosts, .. } = self.kind(vector);
        let checked = self.host.check(&self.plugin, Role::Provider, &settings.into()).await;
        let has_keys = !secrets.is_empty() || !hosts.is_empty() || !self.info().roots.is_empty();
        checked.ended.expect("the plugin works").is_ok() && has_keys
    }

    pub(crate) fn kind(&self, vector: &Vector) -> Kind {
        let secrets = vector.secrets(&self.about.example);
        Kind {
            settings: Value::Object(vector.settings(&self.about.example)).to_string(),
            secrets: secrets.iter().map(|secret| secret.expose().to_owned()).collect(),
            tolerance: vector.tolerance().map(|tolerance| tolerance.as_secs()),
            hosts: self.key_hosts(&vector.request().expect("it is a request").body),
        }
    }

    /// The hosts from which its keys may be fetched for a request with this body.
    pub(crate) fn key_hosts(&self, body: &[u8]) -> Vec<String> {
        key_hosts(self.info(), body)
    }

    /// The lines of a source.
    pub(crate) fn table(&self, Kind { settings, secrets, tolerance, hosts }: &Kind) -> String {
        // A basic string of TOML is one of JSON too, and so is a list of them.
        let quoted = |secret: &String| format!("{{ value = {} }}", Value::from(secret.as_str()));
        let secrets: Vec<String> = secrets.iter().map(quoted).collect();
        let tolerance = tolerance.map(|seconds| format!("tolerance = \"{seconds}s\"\n"));
        let settings: Map<String, Value> = serde_json::from_str(settings).expect("an object");
        let settings = settings.iter().map(|(name, value)| format!("{name} = {value}"));
        format!(
            "{}secrets = [{}]\nkeys_from = {hosts:?}\nconfig = {{ {} }}",
            tolerance.unwrap_or_default(),
            secrets.join(", "),
            settings.collect::<Vec<_>>().join(", "),
        )
    }
}
