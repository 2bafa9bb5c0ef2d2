//! Whether plugins can work with what the operator wrote for them, and what is stopped because one
//! can't.
//!
//! A plugin is asked once for each of its settings, since the answer must not change. What it
//! refuses stops the source or the handler that it was written for and nothing else; and it may
//! stop nothing that works: then the plugin, or the configuration, is not admitted. Decides only:
//! what runs, and by which configuration, is swapped elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::unquoted::unquoted;
use crate::config::{Config, Verify};
use crate::effect::LogLine;
use crate::ids::Name;
use crate::ingest::Source;
use crate::plugin::{self, CallError, Called, Plugin, Registry, Role};
use crate::provider::{ProofKind, ProviderInfo};

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

impl Place {
    /// The plugin that works for it.
    fn plugin<'a>(&'a self, config: &'a Config) -> Option<&'a Name> {
        match self {
            Self::Source(name) => config.sources.get(name).map(|source| &source.plugin),
            Self::Handler(name) => Some(name),
        }
    }
}

/// The places that a plugin refuses to work for, and why.
pub(crate) type Refusals = BTreeMap<Place, String>;

/// A plugin's digest, what it is called as, and the settings.
type Question = (String, bool, Arc<str>);

/// How often a plugin that misses its deadline is asked at once. On a busy machine even a good one
/// may miss it, and what works must not be stopped for that.
const ASKS: usize = 3;

/// Why a plugin without a handler is no canary: two versions that parse one source would tell
/// duplicates by different ids.
const NO_HANDLER: &str =
    "a canary is for handlers: compare two versions of a provider with `hookgate plugin try`";

/// Names, and for each the reason.
type Reasons = BTreeMap<Name, String>;

/// Asks plugins, remembers what they said, and keeps what follows from it.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    known: BTreeMap<Question, Result<(), String>>,
    /// What plugins had no time to say, however often they were asked at once.
    unsaid: BTreeSet<Question>,
    /// Whether a plugin could not say, because it was given no time or no thread.
    is_unsure: bool,
    /// The sources and handlers that their plugin refuses to work for.
    stopped: Refusals,
    /// The files that are not admitted, by stem: they may be with another configuration.
    not_admitted: BTreeSet<String>,
}

impl Admission {
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
            None => self.ask_plugin(host, plugin, role, question).await,
        };
        let name = plugin.name();
        answer.map_err(|reason| format!("plugin {name} refuses the config of {place}: {reason}"))
    }

    /// Asks what is not known yet.
    async fn ask_plugin(
        &mut self,
        host: &plugin::Host,
        plugin: &Arc<Plugin>,
        role: Role,
        question: Question,
    ) -> Result<(), String> {
        let settings = Arc::clone(&question.2);
        // What takes long every time must not take long so often.
        let mut left = if self.unsaid.contains(&question) { 1 } else { ASKS };
        let error = loop {
            let Called { ended, log, .. } = host.check(plugin, role, &settings).await;
            tell_unquoted(log, plugin, &settings);
            left -= 1;
            match ended {
                Ok(answer) => {
                    let answer = answer.map_err(|reason| unquoted(&settings, reason));
                    self.unsaid.remove(&question);
                    self.known.insert(question, answer.clone());
                    return answer;
                }
                Err(CallError::Deadline { .. }) if left > 0 => (),
                Err(error) => break error,
            }
        };
        if matches!(error, CallError::Deadline { .. }) {
            self.unsaid.insert(question);
        }
        // Without time or a thread it could not say; what breaks will break again.
        self.is_unsure |= !matches!(error, CallError::Trap { .. } | CallError::Violation(_));
        // The text of a panic may quote them too.
        Err(unquoted(&settings, error.to_string()))
    }

    /// What is stopped with another configuration, of what is stopped now; the first reason why it
    /// can't be applied, if one of these plugins refuses it for a place that works.
    pub(super) async fn of_config(
        &mut self,
        host: &plugin::Host,
        config: &Config,
        plugins: &[Arc<Plugin>],
    ) -> Result<Refusals, String> {
        let mut stopped = Refusals::new();
        for plugin in plugins {
            for (place, reason) in self.refusals(host, config, plugin).await {
                if !self.stopped.contains_key(&place) {
                    return Err(reason);
                }
                stopped.insert(place, reason);
            }
        }
        Ok(stopped)
    }

    /// Notes that a configuration is applied which stops these, and gives the files that may be
    /// admitted now.
    pub(super) fn applied(&mut self, stopped: Refusals) -> BTreeSet<String> {
        self.stopped = stopped;
        std::mem::take(&mut self.not_admitted)
    }

    /// Admits a plugin, and gives what it stops. One that is the first of its name may stop what it
    /// refuses; any other only what is stopped already, or it is not admitted, for the reason that
    /// is given.
    pub(super) async fn admit(
        &mut self,
        host: &plugin::Host,
        config: &Config,
        stem: &str,
        plugin: &Arc<Plugin>,
        is_first: bool,
    ) -> Result<Refusals, String> {
        let refusals = self.refusals(host, config, plugin).await;
        let breaks = refusals.iter().find(|(place, _)| !self.stopped.contains_key(*place));
        if let Some((_, reason)) = breaks.filter(|_| !is_first) {
            let reason = reason.clone();
            self.not_admitted.insert(stem.to_owned());
            return Err(reason);
        }
        self.not_admitted.remove(stem);
        self.stopped.retain(|place, _| place.plugin(config) != Some(plugin.name()));
        self.stopped.extend(refusals.clone());
        Ok(refusals)
    }

    /// Whether the next version of a handler, from the file of this stem, can work with the
    /// settings of the handler; if not, why.
    pub(crate) async fn admit_next(
        &mut self,
        host: &plugin::Host,
        config: &Config,
        stem: &str,
        plugin: &Arc<Plugin>,
    ) -> Result<(), String> {
        let name = plugin.name();
        let settings = config.handlers.get(name).map_or("{}".into(), |it| it.settings.clone());
        let place = Place::Handler(name.clone());
        if plugin.handler().is_none() {
            return Err(NO_HANDLER.to_owned());
        }
        let admitted = self.ask(host, plugin, Role::Handler, &settings, &place).await;
        match admitted {
            Ok(()) => self.not_admitted.remove(stem),
            Err(_) => self.not_admitted.insert(stem.to_owned()),
        };
        admitted
    }

    /// Notes that the file of this stem is gone, and its plugin with it: what the plugin refused is
    /// not stopped any more.
    pub(super) fn removed(&mut self, config: &Config, stem: &str) {
        self.not_admitted.remove(stem);
        self.stopped
            .retain(|place, _| place.plugin(config).is_none_or(|plugin| plugin.as_str() != stem));
    }

    /// Whether somebody should be asked again since this was last asked.
    pub(super) fn take_unsure(&mut self) -> bool {
        std::mem::take(&mut self.is_unsure)
    }

    /// Asks once more where a plugin could not say whether it can work with its settings, and gives
    /// the files that may be admitted now.
    pub(super) async fn ask_again(
        &mut self,
        host: &plugin::Host,
        config: &Config,
        plugins: &[Arc<Plugin>],
    ) -> BTreeSet<String> {
        let mut still = Refusals::new();
        for plugin in plugins {
            still.extend(self.refusals(host, config, plugin).await);
        }
        self.stopped.retain(|place, _| still.contains_key(place));
        std::mem::take(&mut self.not_admitted)
    }

    /// Why what this plugin should work for is stopped: a reason for each place.
    pub(super) fn stopped_of(&self, config: &Config, plugin: &Name) -> Vec<String> {
        let of_it = |place: &Place| place.plugin(config) == Some(plugin);
        let stopped = self.stopped.iter().filter(|(place, _)| of_it(place));
        stopped.map(|(_, reason)| reason.clone()).collect()
    }

    /// The sources that are stopped, and the handlers.
    pub(super) fn stopped(&self) -> (Reasons, Reasons) {
        let mut sources = Reasons::new();
        let mut handlers = Reasons::new();
        for (place, reason) in &self.stopped {
            match place {
                Place::Source(name) => sources.insert(name.clone(), reason.clone()),
                Place::Handler(name) => handlers.insert(name.clone(), reason.clone()),
            };
        }
        (sources, handlers)
    }

    /// Forgets what other plugins said than those that are loaded.
    pub(super) fn forget(&mut self, registry: &Registry) {
        let (live, next) = (registry.list(), registry.list_next());
        let plugins = live.iter().chain(&next);
        let loaded: BTreeSet<&str> = plugins.map(|plugin| plugin.digest()).collect();
        self.known.retain(|(digest, ..), _| loaded.contains(digest.as_str()));
        self.unsaid.retain(|(digest, ..)| loaded.contains(digest.as_str()));
    }
}

/// Whether there is something to verify requests with, and whether the operator allows to ask for
/// keys where the provider has them, and nowhere else.
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
    let is_known = |host: &String| info.key_places.iter().any(|place| place.has_host(host));
    if !source.keys_from.iter().all(is_known) {
        let hosts = if hosts.is_empty() { "none".to_owned() } else { listed(&hosts) };
        return Err(format!(
            "keys_from of [sources.{at}] lists a host from which plugin {plugin} fetches no keys; \
             the plugin's hosts are: {hosts}"
        ));
    }
    let takes_key = |kind| matches!(kind, ProofKind::Signature | ProofKind::Jws);
    let nothing_else = info.proofs.iter().all(|it| takes_key(it.kind)) && !hosts.is_empty();
    if source.keys_from.is_empty() && nothing_else {
        return Err(format!(
            "plugin {plugin} fetches keys, and [sources.{at}] has no keys_from: list there those \
             of the plugin's hosts that the gateway may ask: {}",
            listed(&hosts)
        ));
    }
    if source.secrets.is_empty() && source.keys_from.is_empty() && info.roots.is_empty() {
        return Err(format!(
            "[sources.{at}] has no secrets, and plugin {plugin} pins no root certificates, so the \
             gateway can't verify requests; add `secrets`, or write verify = \"none\" to accept \
             requests from everybody"
        ));
    }
    Ok(())
}

/// Hosts of keys, and how to write one that has a part in it that is not fixed.
fn listed(hosts: &BTreeSet<&str>) -> String {
    let text = hosts.iter().copied().collect::<Vec<_>>().join(", ");
    if text.contains('*') { format!("{text}; write your own in place of `*`") } else { text }
}
