//! Whether plugins can work with what the operator wrote for them.
//!
//! Asked once for each plugin and settings, since the answer must not change. What is refused stops
//! the source or the handler that it was written for and nothing else; who stops it is not known
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::unquoted::unquoted;
use crate::claims::{ProofKind, ProviderInfo};
use crate::config::{Config, Verify};
use crate::effect::LogLine;
use crate::ids::Name;
use crate::ingest::Source;
use crate::plugin::{self, CallError, CallFailed, Checked, Plugin, Registry, Role};

/// Logs what a plugin wrote over these settings.
fn tell_unquoted(lines: Vec<LogLine>, plugin: &Plugin, settings: &str) {
    let line = |line: LogLine| LogLine { message: unquoted(settings, line.message), ..line };
    plugin::tell(lines.into_iter().map(line).collect(), plugin.name(), "check");
}

/// What settings were written for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// `[sources.NAME]`.
    Source(Name),
    /// `[handlers.NAME]`.
    Handler(Name),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(name) => write!(f, "[sources.{name}]"),
            Self::Handler(name) => write!(f, "[handlers.{name}]"),
        }
    }
}

/// The places that a plugin refuses to work for, and why.
pub(crate) type Refusals = BTreeMap<Place, String>;

/// A plugin's digest, what it is called as, and the settings.
type Question = (String, bool, Arc<str>);

/// Asks plugins, and remembers what they said.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    known: BTreeMap<Question, Result<(), String>>,
    /// Whether a plugin could not say, because it was given no time or no thread.
    is_unsure: bool,
}

impl Settings {
    /// What a plugin has against the configuration.
    pub(crate) async fn refusals(
        &mut self,
        host: &plugin::Host,
        config: &Config,
        plugin: &Arc<Plugin>,
    ) -> Refusals {
        let name = plugin.name();
        let mut refusals = Refusals::new();
        if let Some(info) = plugin.provider() {
            for (at, source) in config.sources.iter().filter(|(_, it)| it.plugin == *name) {
                let place = Place::Source(at.clone());
                let refused = match check_keys(at, source, name, info) {
                    Ok(()) => {
                        self.ask(host, plugin, Role::Provider, &source.settings, &place).await
                    }
                    refused => refused,
                };
                refusals.extend(refused.err().map(|reason| (place, reason)));
            }
        }
        if plugin.handler().is_some() {
            let settings = config.handlers.get(name).map_or("{}".into(), |it| it.settings.clone());
            let place = Place::Handler(name.clone());
            let refused = self.ask(host, plugin, Role::Handler, &settings, &place).await;
            refusals.extend(refused.err().map(|reason| (place, reason)));
        }
        refusals
    }

    async fn ask(
        &mut self,
        host: &plugin::Host,
        plugin: &Arc<Plugin>,
        role: Role,
        settings: &Arc<str>,
        place: &Place,
    ) -> Result<(), String> {
        let question = (plugin.digest().to_owned(), role == Role::Provider, settings.clone());
        let answer = match self.known.get(&question) {
            Some(answer) => answer.clone(),
            None => match host.check(plugin, role, settings).await {
                Ok(Checked { result, log }) => {
                    tell_unquoted(log, plugin, settings);
                    let answer = result.map_err(|reason| unquoted(settings, reason));
                    self.known.insert(question, answer.clone());
                    answer
                }
                Err(CallFailed { error, log }) => {
                    tell_unquoted(log, plugin, settings);
                    // Without time or a thread it could not say; what breaks will break again.
                    self.is_unsure |=
                        !matches!(error, CallError::Trap { .. } | CallError::Violation(_));
                    // The text of a panic may quote them too.
                    Err(unquoted(settings, error.to_string()))
                }
            },
        };
        let name = plugin.name();
        answer.map_err(|reason| format!("plugin {name} refuses the config of {place}: {reason}"))
    }

    /// Whether somebody should be asked again since this was last asked.
    pub(crate) fn take_unsure(&mut self) -> bool {
        std::mem::take(&mut self.is_unsure)
    }

    /// Forgets what other plugins said than those that are loaded.
    pub(crate) fn forget(&mut self, registry: &Registry) {
        let plugins = registry.list();
        let loaded: BTreeSet<&str> = plugins.iter().map(|plugin| plugin.digest()).collect();
        self.known.retain(|(digest, ..), _| loaded.contains(digest.as_str()));
    }
}

/// Whether the operator allows to ask for keys where the provider has them, and nowhere else.
fn check_keys(
    at: &Name,
    source: &Source,
    plugin: &Name,
    info: &ProviderInfo,
) -> Result<(), String> {
    if source.verify == Verify::None {
        return Ok(());
    }
    let hosts: BTreeSet<&str> =
        info.key_places.iter().filter_map(|place| place.url.host_str()).collect();
    if source.keys_from.iter().any(|host| !hosts.contains(host.as_str())) {
        let hosts: Vec<_> = hosts.into_iter().collect();
        let hosts = if hosts.is_empty() { "none".to_owned() } else { hosts.join(", ") };
        return Err(format!(
            "keys_from of [sources.{at}] names a host where plugin {plugin} has no keys; its \
             hosts are: {hosts}"
        ));
    }
    let nothing_else = info.proofs == [ProofKind::Signature] && !hosts.is_empty();
    if source.keys_from.is_empty() && nothing_else {
        let hosts: Vec<_> = hosts.into_iter().collect();
        return Err(format!(
            "plugin {plugin} has its keys at other hosts; allow those that [sources.{at}] may \
             ask: keys_from = [...] out of {}",
            hosts.join(", ")
        ));
    }
    Ok(())
}
