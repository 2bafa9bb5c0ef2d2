//! `hookgate check`: everything that a start would find wrong, and what would run.

use std::path::Path;

use anyhow::{Context, bail};

use crate::config::{Config, Verify};
use crate::egress;
use crate::gateway::{Admission, misfits};
use crate::ids::Name;
use crate::plugin::{About, Folder, Host, Plugin, Registry, Reloaded};
use crate::secrets;

pub(super) async fn check(path: &Path) -> anyhow::Result<()> {
    let config = Config::load_and_try(path)?;
    say!("the configuration {} is valid", path.display())?;
    for warning in &config.warnings {
        say!("WARNING {warning}")?;
    }
    let host = super::offline_host()?;
    let registry = Registry::default();
    let mut wrong = load(&host, &registry, &config).await?;

    say!("\nsources")?;
    for (name, source) in &config.sources {
        let plugin = registry.get(&source.plugin);
        let missing = plugin.is_none_or(|plugin| plugin.provider().is_none());
        let state = if missing { "NOT LOADED" } else { "loaded" };
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
        let plugin = if missing { secrets::shown(plugin) } else { plugin };
        say!("  POST /in/{name}: provider {plugin} ({state}), {proof}")?;
        wrong += usize::from(missing);
    }
    say!("\nendpoints")?;
    for (name, (patterns, endpoint)) in &config.endpoints {
        let patterns: Vec<_> = patterns.iter().map(ToString::to_string).collect();
        let events = if patterns.is_empty() {
            "only deliveries from handlers".to_owned()
        } else {
            patterns.join(", ")
        };
        say!("  {name}: {events} to {}", egress::shown(&endpoint.url))?;
    }
    say!("\nhandlers")?;
    for plugin in registry.list().iter() {
        describe_handler(plugin, &config)?;
    }
    for name in config.handlers.keys() {
        if registry.get(name).is_none_or(|plugin| plugin.handler().is_none()) {
            say!("  {name}: NOT LOADED")?;
            wrong += 1;
        }
    }
    if wrong > 0 {
        bail!("problems found: {wrong}");
    }
    say!("\neverything can run")?;
    Ok(())
}

/// Loads the plugins, prints each, and counts what is wrong.
async fn load(host: &Host, registry: &Registry, config: &Config) -> anyhow::Result<usize> {
    say!("\nplugins in {}", config.plugins.display())?;
    let mut wrong = 0;
    let mut admission = Admission::default();
    let scanned = Folder::new(config.plugins.clone())
        .rescan(host)
        .with_context(|| format!("failed to read the folder {}", config.plugins.display()))?;
    for (name, change) in scanned {
        match change {
            Reloaded::Loaded(plugin) => {
                registry.insert(&plugin);
                let refusals = admission.refusals(host, config, &plugin).await;
                let mut found: Vec<_> = refusals.into_values().collect();
                if found.is_empty() {
                    let about = About::of_path(&config.plugins.join(format!("{name}.wasm")));
                    found = misfits(host, config, &plugin, &about).await;
                }
                if found.is_empty() {
                    say!("  {name}: {} bytes, {}", plugin.size(), plugin.digest())?;
                }
                for reason in &found {
                    say!("  {name}: WRONG: {reason}")?;
                }
                wrong += found.len();
            }
            Reloaded::Kept(error) => {
                say!("  {name}: WRONG: {error}")?;
                wrong += 1;
            }
            Reloaded::Unchanged | Reloaded::Removed => (),
        }
    }
    Ok(wrong)
}

fn describe_handler(plugin: &Plugin, config: &Config) -> anyhow::Result<()> {
    let Some(info) = plugin.handler() else { return Ok(()) };
    let types: Vec<_> = info.types.iter().map(ToString::to_string).collect();
    let granted = config
        .handlers
        .get(plugin.name())
        .map(|grants| {
            grants.grant.endpoints.iter().map(Name::to_string).collect::<Vec<_>>().join(", ")
        })
        .filter(|names| !names.is_empty());
    let may = granted.map_or("has no grants".to_owned(), |names| format!("may send to {names}"));
    say!("  {}: runs on {}, {may}", plugin.name(), types.join(", "))
}
