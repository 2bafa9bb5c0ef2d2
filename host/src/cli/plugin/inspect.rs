//! `hookgate plugin inspect`: what a plugin is, what it may do, and what it exports and imports.
//!
//! Says what the file says of itself. Never runs it for anything else, and never says that a
//! signature holds: that depends on whom somebody trusts.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{about_setting, load_file, sign};
use crate::cli::offline_host;
use crate::plugin::{HandlerInfo, Plugin, Role, StateRule};
use crate::provider::ProviderInfo;
use crate::setting::Setting;

/// Whose interfaces are the contract.
const CONTRACT: &str = "hookgate:plugin";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Command {
    /// A .wasm file
    file: PathBuf,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    let plugin = load_file(&offline_host()?, &command.file)?;
    let key = sign::found(&command.file)?.map(|signature| signature.key());
    if command.json {
        let mut shown = in_json(&plugin);
        shown["signature"] = key.map(|key| json!({ "key": key.to_string() })).unwrap_or_default();
        return say!("{shown}");
    }
    describe(&plugin)?;
    match key {
        Some(key) => say!("  signed   by the key {key}, not verified: `hookgate plugin verify`"),
        None => say!("  signed   no"),
    }
}

/// Shows a plugin, a line for each thing.
pub(super) fn describe(plugin: &Plugin) -> anyhow::Result<()> {
    say!("  name     {}", plugin.name())?;
    say!("  kind     {}", plugin.kind())?;
    say!("  size     {} bytes", plugin.size())?;
    say!("  digest   {}", plugin.digest())?;
    if let Some(contract) = contract(plugin) {
        say!("  contract {contract}")?;
    }
    if let Some(sdk) = plugin.sdk() {
        say!("  sdk      {sdk}")?;
    }
    if let Some(info) = plugin.provider() {
        say!("  provider {} {}: {}", info.name, info.version, info.types.join(", "))?;
        say!("  scheme   {}", info.scheme)?;
        say!("  proof    {}", info.worths())?;
        for place in &info.key_places {
            say!("  keys at  {}", place.url)?;
        }
    }
    if let Some(info) = plugin.handler() {
        let types: Vec<_> = info.types.iter().map(ToString::to_string).collect();
        say!("  handler  {} {}: {}", info.name, info.version, types.join(", "))?;
        for pattern in &info.emits {
            say!("  emits    {pattern}")?;
        }
        for StateRule { key, value, stuck_after } in &info.states {
            let is = value.as_ref().map_or_else(|| "set".to_owned(), |value| format!("`{value}`"));
            let after = humantime::format_duration(*stuck_after);
            say!("  state    `{key}` is {is}: stuck after {after}")?;
        }
    }
    for line in may(plugin) {
        say!("  may      {line}")?;
    }
    for role in [Role::Provider, Role::Handler] {
        for setting in plugin.settings(role) {
            say!("  setting  {}", about_setting(setting))?;
        }
    }
    say!("  exports  {}", plugin.exports().join(", "))?;
    say!("  imports  {}", plugin.imports().join(", "))
}

/// What it may do if it runs, by what it is and imports: nothing else is there for it.
fn may(plugin: &Plugin) -> Vec<String> {
    let mut may = Vec::new();
    if let Some(info) = plugin.provider() {
        may.push("read what is posted to its sources, and claim who has signed it".to_owned());
        if !info.key_places.is_empty() {
            may.push("have the gateway fetch public keys from where `keys at` says".to_owned());
        }
    }
    if let Some(info) = plugin.handler() {
        may.push("read the events of its types".to_owned());
        if imports(plugin, "outbox") {
            if !info.emits.is_empty() {
                may.push("emit events of the types at `emits`".to_owned());
            }
            let name = plugin.name();
            may.push(format!("send to the endpoints that [handlers.{name}] grants; raise alerts"));
        }
        if imports(plugin, "state") {
            may.push("keep state, up to `state_keys` and `state_bytes`".to_owned());
        }
    }
    if plugin.imports().iter().any(|name| name.starts_with("wasi:")) {
        may.push("call WASI, which grants nothing: no file, network, environment".to_owned());
    }
    may
}

/// Whether it imports this interface of the contract.
fn imports(plugin: &Plugin, wanted: &str) -> bool {
    let interface = |name: &String| {
        let interface = name.strip_prefix(CONTRACT)?.strip_prefix('/')?.split('@').next()?;
        Some(interface == wanted)
    };
    plugin.imports().iter().any(|name| interface(name) == Some(true))
}

/// The contract and the version of it that it was built for.
fn contract(plugin: &Plugin) -> Option<String> {
    plugin.exports().iter().find_map(|name| {
        let (_, version) = name.strip_prefix(CONTRACT)?.split_once('@')?;
        Some(format!("{CONTRACT}@{version}"))
    })
}

/// A plugin for programs.
pub(super) fn in_json(plugin: &Plugin) -> Value {
    json!({
        "name": plugin.name(),
        "kind": plugin.kind().to_string(),
        "bytes": plugin.size(),
        "digest": plugin.digest(),
        "contract": contract(plugin),
        "sdk": plugin.sdk(),
        "provider": plugin.provider().map(provider),
        "handler": plugin.handler().map(handler),
        "may": may(plugin),
        "exports": plugin.exports(),
        "imports": plugin.imports(),
    })
}

fn provider(info: &ProviderInfo) -> Value {
    let keys_at: Vec<_> = info.key_places.iter().map(|place| place.url.as_str()).collect();
    json!({
        "name": info.name,
        "version": info.version,
        "types": info.types,
        "scheme": info.scheme,
        "proof": info.worths(),
        "keys_at": keys_at,
        "settings": info.settings.iter().map(setting).collect::<Vec<_>>(),
    })
}

fn handler(info: &HandlerInfo) -> Value {
    let states = info.states.iter().map(|StateRule { key, value, stuck_after }| {
        json!({ "key": key, "value": value, "stuck_after_seconds": stuck_after.as_secs() })
    });
    json!({
        "name": info.name,
        "version": info.version,
        "types": info.types,
        "emits": info.emits,
        "states": states.collect::<Vec<_>>(),
        "settings": info.settings.iter().map(setting).collect::<Vec<_>>(),
    })
}

/// A setting for programs.
pub(in crate::cli) fn setting(setting: &Setting) -> Value {
    json!({
        "name": setting.name,
        "help": setting.help,
        "must_be": setting.wanted(),
        "required": setting.required,
        "default": setting.default,
    })
}
