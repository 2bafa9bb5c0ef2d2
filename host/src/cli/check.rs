//! `hookgate check`: everything that a start would find wrong, and what would run.
//!
//! Tries the ports and folders as a start would, and changes nothing.

mod report;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use self::report::{Part, Report};
use super::ConfigFile;
use crate::config::{Config, ConfigError, Verify};
use crate::dashboard::figure;
use crate::egress;
use crate::gateway::{Admission, misfits};
use crate::ids::Name;
use crate::ingest::Source;
use crate::plugin::{About, Folder, Host, NEXT, Plugin, Registry, Reloaded};
use crate::secrets;

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    file: ConfigFile,
    /// Print one line of JSON: every problem with its place, and what would run
    #[arg(long)]
    json: bool,
}

pub(super) async fn check(args: &Check) -> anyhow::Result<()> {
    let path = &args.file.config;
    let file = path.display().to_string();
    let report = match Config::load_and_try(path) {
        Ok(config) => {
            let mut report = Report::new(file, config.warnings.clone());
            look(&config, &mut report).await?;
            report
        }
        Err(ConfigError::Wrong { flaws, warnings, .. }) => {
            let mut report = Report::new(file, warnings);
            report.flaws(flaws);
            load_alone(path, &mut report)?;
            report
        }
        Err(error) => return Err(error.into()),
    };
    match report.print(args.json)? {
        0 => Ok(()),
        found => {
            bail!("{}; nothing was changed", figure::counted(found as u64, "problem", "problems"))
        }
    }
}

/// Looks at all that a configuration names.
async fn look(config: &Config, report: &mut Report) -> anyhow::Result<()> {
    let host = super::offline_host()?;
    host.set_rules(&config.plugin_rules);
    let registry = Registry::default();
    load(&host, &registry, config, report).await?;

    report.line("\nsources".to_owned());
    for (name, source) in &config.sources {
        describe_source(name, source, &registry, config, report);
    }
    report.line("\nendpoints".to_owned());
    for (name, endpoint) in &config.endpoints {
        let settings = &endpoint.settings;
        let patterns: Vec<_> = settings.events.iter().map(ToString::to_string).collect();
        let events = if patterns.is_empty() {
            "only deliveries from handlers".to_owned()
        } else {
            patterns.join(", ")
        };
        let url = egress::shown(&settings.url);
        let line = format!("  {name}: {events} to {url}");
        let document = json!({ "name": name, "events": patterns, "url": url });
        report.part(Part::Endpoints, line, document);
    }
    report.line("\nhandlers".to_owned());
    for plugin in registry.list().iter() {
        describe_handler(plugin, config, report);
    }
    for name in config.handlers.keys() {
        let state = match registry.get(name) {
            Some(plugin) if plugin.handler().is_some() => continue,
            Some(_) => "NOT A HANDLER",
            None => not_loaded(config, name),
        };
        report.line(format!("  {name}: {state}"));
        if registry.get(name).is_none() {
            let waits = "    events wait for it if it has run before, and else pass it by";
            report.line(waits.to_owned());
        }
        report.problem(format!("handlers.{name}"), state.to_owned());
    }
    report.end();
    Ok(())
}

/// Adds a source, and whether its provider is loaded.
fn describe_source(
    name: &Name,
    source: &Source,
    registry: &Registry,
    config: &Config,
    report: &mut Report,
) {
    let plugin = registry.get(&source.plugin);
    let is_loaded = plugin.as_ref().is_some_and(|plugin| plugin.provider().is_some());
    let state = match plugin {
        Some(_) if is_loaded => "loaded",
        Some(_) => "NOT A PROVIDER",
        None => not_loaded(config, &source.plugin),
    };
    let proof = match source.verify {
        Verify::Evidence if source.keys_from.is_empty() => {
            format!("secrets: {}", source.secrets.len())
        }
        Verify::Evidence => {
            let hosts = source.keys_from.join(", ");
            format!("secrets: {}, keys from {hosts}", source.secrets.len())
        }
        Verify::None => "NOT VERIFIED".to_owned(),
    };
    let plugin = source.plugin.as_str();
    let plugin = if is_loaded { plugin } else { secrets::shown(plugin) };
    let document = json!({
        "name": name, "plugin": plugin, "is_loaded": is_loaded,
        "verified": matches!(source.verify, Verify::Evidence), "secrets": source.secrets.len(),
    });
    let line = format!("  POST /in/{name}: provider {plugin} ({state}), {proof}");
    report.part(Part::Sources, line, document);
    if !is_loaded {
        report.problem(format!("sources.{name}"), format!("its provider is {state}"));
    }
}

/// Why no plugin of this name is loaded. What is wrong with a file that is there stands above.
fn not_loaded(config: &Config, plugin: &Name) -> &'static str {
    let is_there = config.plugins.join(format!("{plugin}.wasm")).exists();
    if is_there { "NOT LOADED" } else { "NOT LOADED, the plugins folder has no such file" }
}

/// Loads the plugins, and adds each with what is wrong.
async fn load(
    host: &Host,
    registry: &Registry,
    config: &Config,
    report: &mut Report,
) -> anyhow::Result<()> {
    report.line(format!("\nplugins in {}", config.plugins.display()));
    let mut admission = Admission::default();
    let mut folder = Folder::new(config.plugins.clone());
    folder.trust(&config.trusted_keys);
    let scanned = folder
        .rescan(host)
        .with_context(|| format!("failed to read the folder {}", config.plugins.display()))?;
    for (name, change) in scanned {
        match change {
            Reloaded::Loaded(plugin) if name.ends_with(NEXT) => {
                let stem = (name.as_str(), &plugin);
                describe_canary(host, &mut admission, config, stem, report).await;
            }
            Reloaded::Loaded(plugin) => {
                registry.insert(&plugin);
                let refusals = admission.refusals(host, config, &plugin).await;
                let mut found: Vec<_> = refusals.into_values().collect();
                let about = About::of_path(&config.plugins.join(format!("{name}.wasm")));
                if plugin.provider().is_some() {
                    found.extend(misfits(host, config, &plugin, &about).await);
                }
                if found.is_empty() {
                    let key = plugin.signed_by().map(|key| key.id().to_string());
                    let signed = key.as_ref().map(|key| format!(", signed by {key}"));
                    let (bytes, digest) = (plugin.size(), plugin.digest());
                    let document = json!({
                        "name": name, "bytes": bytes, "digest": digest, "signed_by": key,
                    });
                    let signed = signed.unwrap_or_default();
                    let line = format!("  {name}: {bytes} bytes, {digest}{signed}");
                    report.part(Part::Plugins, line, document);
                }
                for reason in &found {
                    wrong(&name, reason, report);
                }
            }
            Reloaded::Kept(error) => wrong(&name, &error.to_string(), report),
            Reloaded::Unchanged | Reloaded::Removed => (),
        }
    }
    Ok(())
}

/// Adds the plugins that can't be loaded whatever the file says, where the file is wrong itself.
fn load_alone(path: &Path, report: &mut Report) -> anyhow::Result<()> {
    let Ok(folder) = Config::plugins_folder(path) else { return Ok(()) };
    let host = super::offline_host()?;
    let Ok(scanned) = Folder::new(folder).rescan(&host) else { return Ok(()) };
    for (name, change) in scanned {
        if let Reloaded::Kept(error) = change {
            wrong(&name, &error.to_string(), report);
        }
    }
    Ok(())
}

/// Adds what is wrong with a plugin.
fn wrong(name: &str, reason: &str, report: &mut Report) {
    report.line(format!("  {name}: WRONG: {reason}"));
    report.problem(format!("plugins.{name}"), reason.to_owned());
}

/// Adds the next version of a handler, and whether it can be a canary.
async fn describe_canary(
    host: &Host,
    admission: &mut Admission,
    config: &Config,
    (stem, plugin): (&str, &Arc<Plugin>),
    report: &mut Report,
) {
    let admitted = admission.admit_next(host, config, stem, plugin).await;
    if let Err(reason) = &admitted {
        return wrong(stem, reason, report);
    }
    let rules = config.plugin_rules.get(plugin.name());
    let canary = rules.and_then(|rules| rules.canary.as_ref());
    let gets = canary
        .map_or("no events, because `canary` is missing".to_owned(), |canary| canary.to_string());
    let (name, bytes, digest) = (plugin.name(), plugin.size(), plugin.digest());
    let document = json!({
        "name": stem, "bytes": bytes, "digest": digest, "canary_of": name, "gets": gets,
    });
    let line = format!("  {stem}: canary of {name}, gets {gets}: {bytes} bytes, {digest}");
    report.part(Part::Plugins, line, document);
}

fn describe_handler(plugin: &Plugin, config: &Config, report: &mut Report) {
    let Some(info) = plugin.handler() else { return };
    let types: Vec<_> = info.types.iter().map(ToString::to_string).collect();
    let granted = config.handlers.get(plugin.name());
    let granted: Vec<String> = granted
        .into_iter()
        .flat_map(|grants| &grants.grant.endpoints)
        .map(Name::to_string)
        .collect();
    let may = match granted.is_empty() {
        true => "has no grants".to_owned(),
        false => format!("may send to {}", granted.join(", ")),
    };
    let name = plugin.name();
    let line = format!("  {name}: runs on {}, {may}", types.join(", "));
    let document = json!({ "name": name, "types": types, "endpoints": granted });
    report.part(Part::Handlers, line, document);
}
