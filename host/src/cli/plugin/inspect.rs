//! `hookgate plugin inspect`: what a plugin is, and what it exports and imports.
//!
//! Says what the file says of itself. Never runs it for anything else.

use super::about_setting;
use crate::plugin::{Plugin, Role, StateRule};

/// Shows a plugin, a line for each thing.
pub(super) fn describe(plugin: &Plugin) -> anyhow::Result<()> {
    say!("  name     {}", plugin.name())?;
    say!("  kind     {}", plugin.kind())?;
    say!("  size     {} bytes", plugin.size())?;
    say!("  digest   {}", plugin.digest())?;
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
    for role in [Role::Provider, Role::Handler] {
        for setting in plugin.settings(role) {
            say!("  setting  {}", about_setting(setting))?;
        }
    }
    say!("  exports  {}", plugin.exports().join(", "))?;
    say!("  imports  {}", plugin.imports().join(", "))
}
