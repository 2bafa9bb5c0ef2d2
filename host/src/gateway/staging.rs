//! What another version of a plugin finds when it is rehearsed: what the one in place would find.
//!
//! For a gateway that runs, and for the command line where none does. A file that nobody has signed
//! whom the operator trusts gets to no compiler. Never begins a rehearsal.

use std::sync::Arc;

use super::calling;
use crate::config::{Config, Verify};
use crate::directory::Directory;
use crate::dispatch::Grants;
use crate::ids::Name;
use crate::ingest::Source;
use crate::plugin::{
    self, Compiler, Host, LoadError, Plugin, Role, StartError, Threads, signer_of,
};
use crate::rehearsal::{SourceSetup, Stage};
use crate::secrets::Redaction;
use crate::tenant::Tenant;

/// The stage for this plugin: its grants, its sources and the endpoints as they are now. No report
/// shows what the redaction knows.
pub(crate) fn stage(
    host: &Host,
    config: &Config,
    plugin: &Name,
    (directory, redaction): (&Directory, &Redaction),
) -> Stage {
    let nothing = Grants::default();
    let Grants { grant, settings, quota } = config.handlers.get(plugin).unwrap_or(&nothing);
    let sources = config.sources.iter().filter(|(_, source)| source.plugin == *plugin);
    let directory = directory.clone();
    let endpoints =
        move |tenant: Option<&Tenant>, name: &Name| directory.routes().named(tenant, name).cloned();
    Stage {
        host: host.clone(),
        settings: settings.clone(),
        grant: grant.clone(),
        endpoints: Arc::new(endpoints),
        state_term: quota.term,
        redaction: redaction.clone(),
        sources: sources.map(|(name, source)| (name.clone(), setup(source))).collect(),
    }
}

fn setup(source: &Source) -> SourceSetup {
    SourceSetup {
        settings: source.settings.clone(),
        secrets: source.secrets.clone(),
        tolerance: source.tolerance,
        is_unverified: source.verify == Verify::None,
        is_redacted: source.redact.is_some(),
    }
}

/// Loads a version of this plugin, if it is signed as the configuration wants it. Blocks while the
/// file is compiled.
pub(crate) fn load_version(
    host: &Host,
    config: &Config,
    (plugin, file): (&Name, &[u8]),
    signature: Option<&[u8]>,
) -> Result<Arc<Plugin>, LoadError> {
    let signer = signer_of(file, signature, &config.trusted_keys)?;
    host.load_signed(plugin.clone(), file, signer)
}

/// What a plugin can be rehearsed as.
pub(crate) fn roles(plugin: &Plugin) -> Vec<Role> {
    let provider = plugin.provider().map(|_| Role::Provider);
    provider.into_iter().chain(plugin.handler().map(|_| Role::Handler)).collect()
}

/// The most memory that a call of this plugin may have, in bytes.
pub(crate) fn memory_limit(config: &Config, plugin: &Name) -> u64 {
    let own = config.plugin_rules.get(plugin).and_then(|rules| rules.memory);
    own.unwrap_or(config.limits.plugin_memory_bytes) as u64
}

/// Calls plugins within the limits of this configuration, and keeps nothing that it compiles.
pub(crate) fn rehearsal_host(config: &Config, compiler: Compiler) -> Result<Host, StartError> {
    let mut plugins = plugin::Config::new(compiler, None);
    plugins.deadlines = calling::deadlines(&config.limits);
    plugins.memory_max = config.limits.plugin_memory_bytes;
    // A rehearsal calls on threads of its own.
    let least = Threads::LEAST;
    plugins.threads = Threads { claims: least, parse: least, run: least };
    let host = Host::new(plugins)?;
    host.set_rules(&config.plugin_rules);
    Ok(host)
}
